//! The server: its listeners, and the event loops that serve them.

use std::sync::Arc;
use std::time::Instant;

use common::descriptors;
use common::exit::Failure;
use common::server::notify;
use common::server::shutdown::Shutdown;
use common::server::transcript::Transcript;
use common::server::workers::{self, Ended};
use mio::Waker;

use crate::cli::Options;
use crate::event_loop::EventLoop;
use crate::events;
use crate::listener::Listener;
use crate::shared::Shared;

/// The server: one or more event loops, and what they share.
#[derive(Debug)]
pub struct Server {
    loops: Vec<EventLoop>,
    shared: Arc<Shared>,
}

impl Server {
    /// Binds and listens on every address that the options name, and makes an event
    /// loop for each of `--workers`. The first one prints the totals of `--stats`.
    pub fn listen(options: &Options) -> Result<Self, Failure> {
        let service = &options.service;
        let listeners_by_loop: Vec<Vec<Listener>> = service.listen.bind(options.workers())?;
        let listeners = listeners_by_loop.iter().map(Vec::len).sum();
        let shared = Arc::new(Shared::new(options, listeners_by_loop.len(), listeners));
        let mut stats = service.stats(Instant::now());
        let rooms = shares(shared.most_connections, listeners_by_loop.len());
        let loops = listeners_by_loop
            .into_iter()
            .zip(rooms)
            .enumerate()
            .map(|(number, (listeners, room))| {
                EventLoop::new(number, Arc::clone(&shared), listeners, room, stats.take())
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { loops, shared })
    }

    /// What wakes each of the event loops from another thread.
    pub fn wakers(&self) -> Result<Vec<Waker>, Failure> {
        self.loops.iter().map(EventLoop::waker).collect()
    }

    /// Announces the server, and serves until `shutdown` is requested and what was under way is
    /// finished, or until an event loop fails.
    ///
    /// # Errors
    /// Some event loop cannot have a thread, or no connection a descriptor. Then nothing has
    /// been announced. Or the transcript cannot have a thread.
    pub fn serve(
        &mut self,
        shutdown: &Shutdown,
        transcript: &Transcript,
    ) -> Result<Ended, Failure> {
        descriptors::check_free()?;
        let announce = |first: &EventLoop| Self::announce(first, shutdown, transcript);
        let run = |event_loop: &mut EventLoop| event_loop.run(shutdown, transcript);
        workers::run(&mut self.loops, shutdown, announce, run)
    }

    /// Prints where the server listens and which options the system refused, and notifies the
    /// service manager.
    fn announce(
        first: &EventLoop,
        shutdown: &Shutdown,
        transcript: &Transcript,
    ) -> Result<(), Failure> {
        // All event loops have the same addresses.
        first.addresses().for_each(events::listening);
        transcript.start(shutdown.on_broken_pipe())?;
        notify::ready();
        first.refused().iter().for_each(|(option, why)| events::cannot_set(option, why));
        Ok(())
    }

    /// Prints what the server has done.
    pub fn print_totals(&self) {
        events::stopped(&self.shared.all_totals());
    }

    /// Whether `--count` and `--idle-exit` were satisfied when `shutdown` stopped the server.
    pub fn check_goal(&self, shutdown: &Shutdown) -> Result<(), Failure> {
        shutdown.check(&self.shared.goal)
    }
}

/// Splits `most` into `parts` shares, which differ by one at most.
fn shares(most: usize, parts: usize) -> impl Iterator<Item = usize> {
    (0..parts).map(move |n| most / parts + usize::from(n < most % parts))
}
