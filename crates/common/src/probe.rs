//! The probe wing: what tcp-client and udp-client share.
//!
//! - [`target`]: what a client talks to; [`egress`]: by which way it leaves this machine, and
//!   [`dscp`]: marked with what; [`resolving`]: its name, on a thread; [`renewal`]: again, in a run;
//!   [`destination`]: the target's addresses; [`message`]: what is sent; [`input`]: standard input.
//! - [`persistence`]: the options `--wait` and `--deadline`; [`waiting`]: what `--wait` does;
//!   [`plan`]: the options of a run; [`guide`]: what `--help` says beside the options.
//! - [`run`]: the probes of a run, or a single exchange, for a client's loop;
//!   [`schedule`]: when probes are due; [`aim`] and [`race`]: which address they go to.
//! - [`outcome`]: what came of a probe: a verdict, and why; [`stray`]: a datagram that no
//!   probe was waiting for.
//! - [`examination`]: which probes are examined once they have ended; [`trace`]: how far they got,
//!   hop after hop; [`findings`]: what was found.
//! - [`ledger`]: what became of all the probes of a run, in figures.
//! - [`report`]: how outcomes and the ledger are printed, as text and as JSON; [`verbose`]:
//!   what `-v` adds.
//! - [`poller`]: how a client's loop waits; [`interrupt`]: signals;
//!   [`error_queue`]: the ICMP errors that the kernel holds for a socket; [`arrival`]: when
//!   something came, by the kernel's stamp; [`control`]: room for what the kernel says;
//!   [`extras`]: what the system may lack.

pub mod aim;
pub mod arrival;
pub mod control;
pub mod destination;
pub mod dscp;
pub mod egress;
pub mod error_queue;
pub mod examination;
pub mod extras;
pub mod findings;
pub mod guide;
pub mod input;
pub mod interrupt;
pub mod ledger;
pub mod measuring;
pub mod message;
pub mod outcome;
pub mod persistence;
pub mod plan;
pub mod poller;
pub mod race;
mod races;
pub mod renewal;
pub mod report;
pub mod resolving;
pub mod run;
pub mod schedule;
pub mod stray;
pub mod target;
pub mod trace;
pub mod verbose;
pub mod waiting;
