//! Which source port each flow keeps, and when a port is tried again that is still held.
//!
//! A connection holds its ports until the other side has confirmed its end, a round trip after
//! it was closed here; and for a minute after that if this side ended first (TIME_WAIT, RFC
//! 9293, section 3.3.2). A flow cannot connect from its port again before that. It waits for
//! the round trip; and after a second it leaves from another port.

use std::mem;
use std::time::{Duration, Instant};

/// How long a probe waits for its flow's port at most: some round trips in any network, and a
/// segment that was lost and is sent again.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The least time between two tries, where round trips are shorter.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// The source ports of all flows.
#[derive(Debug)]
pub struct Flows {
    /// Whether each flow has one port that the user chose, so that there is no other.
    is_fixed: bool,
    flows: Vec<Flow>,
}

/// The source port of one flow.
#[derive(Clone, Debug, Default)]
struct Flow {
    /// None before the first probe, and when the port was given up.
    port: Option<u16>,
    /// How many of the flow's probes have a connection.
    connections: u32,
    /// How long it took to connect last.
    round_trip: Duration,
    /// A probe waits for the port.
    wait: Option<Wait>,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    /// When the port is given up.
    until: Instant,
    /// The time until the next try.
    pause: Duration,
}

impl Flows {
    /// Flows that have sent nothing yet.
    pub fn new(is_fixed: bool) -> Self {
        Self { is_fixed, flows: Vec::new() }
    }

    /// Whether `flow` may send a probe: no other one waits for its port or, if there is no
    /// other port, has a connection from it.
    pub fn is_free(&self, flow: u32) -> bool {
        self.flows
            .get(flow as usize)
            .is_none_or(|flow| flow.wait.is_none() && !(self.is_fixed && flow.connections > 0))
    }

    /// The port that `flow` keeps, unless it has a connection from it; none if the user chose
    /// it.
    pub fn port(&mut self, flow: u32) -> Option<u16> {
        let is_fixed = self.is_fixed;
        let flow = self.flow(flow);
        flow.port.filter(|_| flow.connections == 0 && !is_fixed)
    }

    /// Notes that `flow` has a connection from `port`.
    pub fn connecting(&mut self, flow: u32, port: u16) {
        let flow = self.flow(flow);
        flow.port.get_or_insert(port);
        flow.connections += 1;
        flow.wait = None;
    }

    /// Notes that a connection of `flow` was closed, which had taken `connect` to make.
    pub fn closed(&mut self, flow: u32, connect: Option<Duration>) {
        let flow = self.flow(flow);
        flow.connections -= 1;
        flow.round_trip = connect.unwrap_or(flow.round_trip);
    }

    /// Notes that the port of `flow` is still held at `now`. Returns when the probe that needs
    /// it tries again: first after the time that the other side needs to confirm the end, and
    /// somewhat more; then after ever longer pauses, but before `end`. None if it has waited long
    /// enough.
    pub fn held(&mut self, flow: u32, now: Instant, end: Instant) -> Option<Instant> {
        let flow = self.flow(flow);
        let first = Wait {
            until: end.min(now + LONGEST_WAIT),
            pause: SHORTEST_PAUSE.max(flow.round_trip + flow.round_trip / 4),
        };
        let wait = flow.wait.get_or_insert(first);
        if now >= wait.until {
            flow.wait = None;
            return None;
        }
        let doubled = wait.pause * 2;
        let pause = mem::replace(&mut wait.pause, doubled);
        Some(wait.until.min(now + pause))
    }

    /// Notes that the probe that waits for the port of `flow` does so no longer.
    pub fn give_up(&mut self, flow: u32) {
        self.flow(flow).wait = None;
    }

    /// Leaves the port of `flow` for another one: the next that it connects from.
    pub fn leave_port(&mut self, flow: u32) {
        self.flow(flow).port = None;
    }

    fn flow(&mut self, flow: u32) -> &mut Flow {
        let flow = flow as usize;
        if self.flows.len() <= flow {
            self.flows.resize(flow + 1, Flow::default());
        }
        &mut self.flows[flow]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOW: u32 = 3;

    #[test]
    fn a_flow_keeps_its_port_and_one_that_is_busy_is_not_waited_for() {
        let mut flows = Flows::new(false);
        assert_eq!((flows.is_free(FLOW), flows.port(FLOW)), (true, None));
        flows.connecting(FLOW, 40_000);
        assert_eq!((flows.is_free(FLOW), flows.port(FLOW)), (true, None));
        flows.connecting(FLOW, 50_000);
        flows.closed(FLOW, None);
        assert_eq!(flows.port(FLOW), None, "the other connection may be from that port");
        flows.closed(FLOW, None);
        assert_eq!(flows.port(FLOW), Some(40_000));
        flows.leave_port(FLOW);
        flows.connecting(FLOW, 50_000);
        flows.closed(FLOW, None);
        assert_eq!(flows.port(FLOW), Some(50_000));
    }

    #[test]
    fn a_fixed_port_has_one_connection_at_a_time() {
        let mut flows = Flows::new(true);
        flows.connecting(FLOW, 40_000);
        assert!(!flows.is_free(FLOW) && flows.is_free(0));
        flows.closed(FLOW, None);
        assert_eq!((flows.is_free(FLOW), flows.port(FLOW)), (true, None));
    }

    #[test]
    fn a_port_that_is_held_is_tried_again_for_a_second() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut flows = Flows::new(false);
        flows.connecting(FLOW, 40_000);
        flows.closed(FLOW, Some(Duration::from_millis(80)));
        let end = at(5000);
        let mut tries = vec![0];
        while let Some(next) = flows.held(FLOW, at(tries[tries.len() - 1]), end) {
            assert!(!flows.is_free(FLOW) && flows.is_free(0));
            tries.push(u64::try_from((next - start).as_millis()).unwrap());
        }
        assert_eq!(tries, [0, 100, 300, 700, 1000]);
        assert_eq!((flows.is_free(FLOW), flows.port(FLOW)), (true, Some(40_000)));
        // The port was free in the end: the next wait begins anew.
        assert_eq!(flows.held(FLOW, at(0), end), Some(at(100)));
        flows.connecting(FLOW, 40_000);
        flows.closed(FLOW, Some(Duration::ZERO));
        assert_eq!(flows.held(FLOW, at(0), end), Some(at(1)));
        flows.give_up(FLOW);
        // A probe has no more time than it has.
        assert_eq!(flows.held(FLOW, at(0), start), None);
    }
}
