//! How flows use their source ports, and which free port is a flow's next.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use common::probe::plan::Plan;
use common::probe::target::Target;

/// How long a port rests after its probe was answered, if its flow may take another port. A
/// network that doubles a datagram delivers the second one within this time: it is then known
/// as a duplicate, and not taken for the reply to a later probe.
pub const REST: Duration = Duration::from_millis(100);

/// How many of a flow's ports rest at most: at 160 probes a second, each for all of its time.
/// Each port is one more way through the network, and has a line in the report.
pub const MOST_IN_TURN: usize = 16;

/// How ports may be used.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How many ports may be open at once.
    pub most: usize,
    /// How long a port is quiet at least: as long as one exchange may take.
    pub quiet: Duration,
    /// How a flow uses its ports.
    pub usage: Usage,
}

/// How a flow uses its ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// The flow has only one port (`--source-port`).
    Only,
    /// The flow keeps to one port, and has others only while that is not free.
    Keep,
    /// The flow's ports take turns.
    Turns,
}

impl Policy {
    /// The policy for probes of `target`, in a run as planned or one by one, with at most
    /// `most` open ports.
    pub fn of(target: &Target, plan: Option<&Plan>, most: usize) -> Self {
        // Who asks for flows wants to compare them. In a closed loop, a port that is used again
        // at once would take a duplicate for a reply.
        let takes_turns = |plan: &Plan| !plan.has_flows || plan.interval.is_zero();
        let usage = match plan {
            _ if target.has_source_port() => Usage::Only,
            Some(plan) if takes_turns(plan) => Usage::Turns,
            _ => Usage::Keep,
        };
        Self { most, quiet: target.timeout(), usage }
    }
}

/// The ports of each flow that are free.
#[derive(Debug, Default)]
pub struct Flows(Vec<Vec<Lane>>);

/// The free ports of a flow that go to the same address.
#[derive(Debug)]
pub struct Lane {
    address: SocketAddr,
    /// With their ranks, the lowest first: it is next. They are few, and mostly come to the end.
    free: VecDeque<(u64, usize)>,
}

impl Flows {
    /// The ports of `flow` that go to `address`, if there were any.
    pub fn lane(&self, flow: u32, address: SocketAddr) -> Option<&Lane> {
        self.0.get(flow as usize)?.iter().find(|lane| lane.address == address)
    }

    /// The ports of `flow` that go to `address`.
    pub fn lane_mut(&mut self, flow: u32, address: SocketAddr) -> &mut Lane {
        let flow = flow as usize;
        if self.0.len() <= flow {
            self.0.resize_with(flow + 1, Vec::new);
        }
        let lanes = &mut self.0[flow];
        let found = lanes.iter().position(|lane| lane.address == address);
        let at = found.unwrap_or_else(|| {
            // A target may have other addresses again and again.
            lanes.retain(|lane| !lane.free.is_empty());
            lanes.push(Lane { address, free: VecDeque::new() });
            lanes.len() - 1
        });
        &mut lanes[at]
    }

    /// The next port of each lane that has a free one.
    pub fn next_of_all(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().flatten().filter_map(Lane::next)
    }
}

impl Lane {
    /// The key of the next port, if one is free.
    pub fn next(&self) -> Option<usize> {
        self.free.front().map(|(_, key)| *key)
    }

    /// How many ports are free, and so can rest.
    pub fn resting(&self) -> usize {
        self.free.len()
    }

    /// Adds a port that is free, with this rank.
    pub fn enter(&mut self, key: usize, rank: u64) {
        let later = self.free.iter().rev().take_while(|(other, _)| *other > rank);
        self.free.insert(self.free.len() - later.count(), (rank, key));
    }

    /// Takes off a port that was added so.
    pub fn leave(&mut self, key: usize, rank: u64) {
        if let Some(place) = self.free.iter().position(|free| *free == (rank, key)) {
            self.free.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_without_a_free_port_do_not_add_up() {
        let mut flows = Flows::default();
        for port in 1..1000 {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            flows.lane_mut(0, address).enter(0, 0);
            flows.lane_mut(0, address).leave(0, 0);
        }
        assert_eq!(flows.0[0].len(), 1);
    }
}
