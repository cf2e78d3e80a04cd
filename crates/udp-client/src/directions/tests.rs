//! Scenarios in plain text (`scenarios.txt`), each a paragraph: a title; `N lost`; the ports, with
//! what is known of their probes; and what the witness answers, and when. Lines with `=` are what
//! is concluded. The witness is called box-b, and the client asks from 10.0.0.1:50000.

use super::*;

const SCENARIOS: &str = include_str!("scenarios.txt");

/// The number before `word` in `line`: `sent 3, ...`.
fn number(line: &str, word: &str) -> u64 {
    let rest = line.split_once(&format!("{word} ")).expect(line).1;
    rest.split([' ', ',']).next().unwrap().parse().expect(line)
}

/// `40001: sent 2, answered 1, lost 1, first 1500 ms ago`
fn sender(line: &str, now: Instant) -> Sender {
    let (port, rest) = line.split_once(": ").expect(line);
    let first = now.checked_sub(Duration::from_millis(number(rest, "first")));
    let [sent, answered, lost] = ["sent", "answered", "lost"].map(|word| number(rest, word));
    Sender { port: port.parse().unwrap(), account: Account { first, sent, answered, lost } }
}

fn played(scenario: &str) -> String {
    let at = Instant::now();
    let (mut lost, mut senders, mut answers) = (0, Vec::new(), Vec::new());
    for line in scenario.lines().skip(1).filter(|line| !line.starts_with('=')) {
        if let Some((after, answer)) = line.split_once(" ms later: ") {
            answers.push((Duration::from_millis(after.parse().unwrap()), answer));
        } else if let Some(number) = line.strip_suffix(" lost") {
            lost = number.parse().unwrap();
        } else {
            senders.push(sender(line, at));
        }
    }
    let Some(ports) = Ports::of(senders.into_iter(), lost) else {
        return "= nobody is asked".to_owned();
    };
    let mut sum = Some(Directions::default());
    for (inquiry, (after, answer)) in ports.inquiries().zip(answers) {
        let (own, patience) = ("10.0.0.1:50000".parse().unwrap(), Duration::from_millis(100));
        let asked = Asked { host: "box-b", own, at, answered_at: at + after, patience };
        let answer = Answer::parse(answer.as_bytes()).expect(answer);
        let known = inquiry.conclude(&answer, &asked);
        sum = sum.zip(known).map(|(sum, known)| Directions {
            there: sum.there + known.there,
            back: sum.back + known.back,
        });
    }
    match sum {
        Some(Directions { there, back }) => {
            format!("= {there} lost on the way there, {back} on the way back")
        }
        None => "= not known".to_owned(),
    }
}

#[test]
fn all_scenarios() {
    let scenarios: Vec<_> = SCENARIOS.trim_end().split("\n\n").collect();
    assert!(scenarios.len() > 15, "only {} scenarios were found", scenarios.len());
    for scenario in scenarios {
        let expected = scenario.lines().last().unwrap();
        assert_eq!(played(scenario), expected, "{scenario}");
    }
}

#[test]
fn an_inquiry_asks_about_as_much_more_time_as_an_answer_may_take() {
    let at = Instant::now();
    let asked = Asked {
        host: "box-b",
        own: "10.0.0.1:50000".parse().unwrap(),
        at,
        answered_at: at,
        patience: Duration::from_millis(100),
    };
    let senders = [
        "1: sent 1, answered 0, lost 1, first 2000 ms ago",
        "2: sent 3, answered 3, lost 0, first 9 ms ago",
    ];
    let senders = senders.map(|line| sender(line, at));
    let ports = Ports::of(senders.into_iter(), 1).unwrap();
    let bytes = ports.inquiries().next().unwrap().bytes(&asked);
    assert!(bytes.starts_with(b"seen? 1/2102 2/110  "), "{}", String::from_utf8_lossy(&bytes));
}

#[test]
fn many_ports_take_several_inquiries_each_with_one_that_is_known() {
    let at = Instant::now();
    let lossy =
        |port| Sender { port, account: Account { first: Some(at), sent: 1, answered: 0, lost: 1 } };
    let known =
        Sender { port: 9, account: Account { first: Some(at), sent: 1, answered: 1, lost: 0 } };
    for (many, expected) in [
        (1, Some(1)),
        (LOSSY_EACH, Some(1)),
        (LOSSY_EACH + 1, Some(2)),
        (MOST_LOSSY, Some(8)),
        (MOST_LOSSY + 1, None),
    ] {
        let senders = (0..many as u16).map(|n| lossy(1000 + n)).chain([known; 2 * MOST_KNOWN]);
        let ports = Ports::of(senders, many as u64);
        assert_eq!(ports.as_ref().map(|ports| ports.inquiries().count()), expected, "{many}");
        for inquiry in ports.iter().flat_map(Ports::inquiries) {
            assert!(
                inquiry.senders().count() <= MOST_PORTS && inquiry.known == [known; MOST_KNOWN]
            );
        }
    }
}
