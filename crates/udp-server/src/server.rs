//! The server: its sockets, and the event loops that serve them.

use std::sync::Arc;
use std::time::Instant;

use common::exit::Failure;
use common::server::notify;
use common::server::shutdown::Shutdown;
use common::server::transcript::Transcript;
use common::server::workers::{self, Ended};
use mio::Waker;

use crate::cli::Options;
use crate::event_loop::EventLoop;
use crate::events;
use crate::limits::HEADERS;
use crate::shared::Shared;
use crate::socket::ServerSocket;

/// The server: one or more event loops, and what they share.
#[derive(Debug)]
pub struct Server {
    loops: Vec<EventLoop>,
    shared: Arc<Shared>,
}

impl Server {
    /// Binds every address that the options name, and makes an event loop for each of
    /// `--workers`. The first one prints the totals of `--stats`.
    pub fn bind(options: &Options) -> Result<Self, Failure> {
        let service = &options.service;
        let mut sockets_by_loop: Vec<Vec<ServerSocket>> = service.listen.bind(service.workers())?;
        if service.witness {
            sockets_by_loop.iter_mut().flatten().for_each(ServerSocket::hear_dscp);
        }
        let shared = Arc::new(Shared::new(options, sockets_by_loop.len()));
        let mut stats = service.stats(Instant::now());
        let loops = sockets_by_loop
            .into_iter()
            .enumerate()
            .map(|(number, sockets)| {
                EventLoop::new(number, Arc::clone(&shared), sockets, stats.take())
            })
            .collect::<Result<Vec<_>, _>>()?;
        let watched = shared.totals.kernel.watch(loops.iter().flat_map(EventLoop::sockets));
        watched.map_err(|error| Failure::cannot_poll(&error))?;
        Ok(Self { loops, shared })
    }

    /// What wakes each of the event loops from another thread.
    pub fn wakers(&self) -> Result<Vec<Waker>, Failure> {
        self.loops.iter().map(EventLoop::waker).collect()
    }

    /// Announces the server, and serves until `shutdown` is requested or an event loop fails.
    ///
    /// # Errors
    /// Some event loop cannot have a thread. Then nothing has been announced. Or the transcript
    /// cannot have one.
    pub fn serve(
        &mut self,
        shutdown: &Shutdown,
        transcript: &Transcript,
    ) -> Result<Ended, Failure> {
        let shared = Arc::clone(&self.shared);
        let announce = |first: &EventLoop| Self::announce(first, &shared, shutdown, transcript);
        let run = |event_loop: &mut EventLoop| event_loop.run(shutdown, transcript);
        workers::run(&mut self.loops, shutdown, announce, run)
    }

    /// Prints where the server listens and which options the system refused, and notifies the
    /// service manager. Also warns if others can reach the server and forged requests could make
    /// it send a third party much more than they cost.
    fn announce(
        first: &EventLoop,
        shared: &Shared,
        shutdown: &Shutdown,
        transcript: &Transcript,
    ) -> Result<(), Failure> {
        // All event loops have the same addresses.
        first.addresses().for_each(events::listening);
        transcript.start(shutdown.on_broken_pipe())?;
        notify::ready();
        first.refused().iter().for_each(|(option, why)| events::cannot_set(option, why));
        let is_local = first.addresses().all(|address| address.ip().to_canonical().is_loopback());
        if let Some(reply) = shared.amplifying_reply().filter(|_| !is_local) {
            events::may_amplify(HEADERS, HEADERS + reply);
        }
        Ok(())
    }

    /// Prints what the server has done.
    pub fn print_totals(&self) {
        events::stopped(&self.shared.totals);
    }

    /// Whether `--count` and `--idle-exit` were satisfied when `shutdown` stopped the server.
    pub fn check_goal(&self, shutdown: &Shutdown) -> Result<(), Failure> {
        shutdown.check(&self.shared.goal)
    }
}
