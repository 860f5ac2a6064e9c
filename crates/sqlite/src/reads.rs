//! The reads that run on one file, so that one that takes for ever can be ended.
//!
//! A reader keeps the write-ahead log from starting over, so a read without end would let it grow without bound.

use std::{
    collections::HashMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::{Connection, InterruptHandle};

/// The longest that a new read is made to wait while the log starts over.
const PAUSE_MAX: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Reads {
    running: Mutex<Running>,
    changed: Condvar,
}

#[derive(Default)]
struct Running {
    last: u64,
    /// New reads wait.
    paused: bool,
    reads: HashMap<u64, (Instant, InterruptHandle)>,
}

/// One read that runs; over when dropped.
pub(crate) struct Read<'a> {
    reads: &'a Reads,
    number: u64,
}

impl Reads {
    pub(crate) fn begin(&self, connection: &Connection) -> Read<'_> {
        let running = self.lock();
        let waited = self.changed.wait_timeout_while(running, PAUSE_MAX, |running| running.paused);
        let (mut running, _) = waited.unwrap_or_else(PoisonError::into_inner);
        running.last += 1;
        let number = running.last;
        running.reads.insert(number, (Instant::now(), connection.get_interrupt_handle()));
        Read { reads: self, number }
    }

    /// Ends reads that have run for longer than `age`; answers how many.
    pub(crate) fn end_older_than(&self, age: Duration) -> usize {
        let running = self.lock();
        let old = running.reads.values().filter(|(since, _)| since.elapsed() > age);
        old.map(|(_, handle)| handle.interrupt()).count()
    }

    /// Runs `work` while nothing is read: new reads wait, and those that run get `patience` to end. `None` if they do
    /// not end in time.
    pub(crate) fn paused<T>(&self, patience: Duration, work: impl FnOnce() -> T) -> Option<T> {
        let mut running = self.lock();
        running.paused = true;
        let waited = self.changed.wait_timeout_while(running, patience, |running| !running.reads.is_empty());
        let (running, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(running);
        let done = (!timeout.timed_out()).then(work);
        self.lock().paused = false;
        self.changed.notify_all();
        done
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Read<'_> {
    fn drop(&mut self) {
        self.reads.lock().reads.remove(&self.number);
        self.reads.changed.notify_all();
    }
}
