//! What the lines of an exchange take, from the event into the outbox: `scripts/counts`.

use clap::Parser;
use common::options::of_words;
use common::output::Output;
use common::protocol::DEFAULT_MESSAGE;
use common::server::transcript::Transcript;
use common::taken;
use common::testing::counted::count;

use super::*;

#[derive(Parser)]
struct Options {
    #[command(flatten)]
    output: Output,
}

taken!(Options { output });

/// The peer, and the two lines of an exchange with it.
fn count_lines(option: Option<&str>) {
    let options = of_words::<Options>(["counts"].into_iter().chain(option)).unwrap();
    let transcript = Transcript::new(options.output).unwrap();
    let address = "192.0.2.1:40000".parse().unwrap();
    count(
        || (),
        || {
            let peer = Peer::new(address);
            accepted(&peer);
            received(&peer, DEFAULT_MESSAGE.as_bytes());
            answered(&peer);
        },
    );
    transcript.end(Ok(())).unwrap();
}

#[test]
#[ignore = "scripts/counts runs it"]
fn lines_of_text() {
    count_lines(None);
}

#[test]
#[ignore = "scripts/counts runs it"]
fn lines_of_json() {
    count_lines(Some("--json"));
}

#[test]
#[ignore = "scripts/counts runs it"]
fn lines_that_no_filter_lets_through() {
    count_lines(Some("--quiet"));
}
