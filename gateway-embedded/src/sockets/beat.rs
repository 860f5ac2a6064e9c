//! The one timer of all sockets: it tells each of them, once in a while, to look whether its client is still there.
//!
//! Sockets are spread over groups, so that ten thousand of them don't speak at once. Without sockets it sleeps.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// Groups that are told one after the other. With more of them each is smaller, and the timer fires more often.
const GROUPS: usize = 50;

/// Tells sockets when to look after their clients.
pub(super) struct Beat {
    /// How often each socket is told.
    every: Duration,
    groups: [watch::Sender<()>; GROUPS],
    next: AtomicUsize,
    /// How many listen.
    listeners: AtomicUsize,
    first: Notify,
}

/// One socket's ear.
pub(super) struct Beats {
    beat: Arc<Beat>,
    receiver: watch::Receiver<()>,
}

impl Beat {
    pub(super) fn new(every: Duration) -> Self {
        Self {
            every,
            groups: std::array::from_fn(|_| watch::Sender::new(())),
            next: AtomicUsize::new(0),
            listeners: AtomicUsize::new(0),
            first: Notify::new(),
        }
    }

    /// Beats until it is stopped, while somebody listens.
    pub(super) async fn run(self: Arc<Self>, stopping: CancellationToken) {
        let beating = async {
            loop {
                if self.listeners.load(Ordering::Acquire) == 0 {
                    self.first.notified().await;
                }
                for group in &self.groups {
                    tokio::time::sleep(self.every / GROUPS as u32).await;
                    group.send_replace(());
                }
            }
        };
        tokio::select! {
            () = stopping.cancelled() => {}
            () = beating => {}
        }
    }

    /// Listens from now on.
    pub(super) fn listen(self: &Arc<Self>) -> Beats {
        let group = self.next.fetch_add(1, Ordering::Relaxed) % GROUPS;
        if self.listeners.fetch_add(1, Ordering::AcqRel) == 0 {
            self.first.notify_one();
        }
        Beats { beat: Arc::clone(self), receiver: self.groups[group].subscribe() }
    }
}

impl Beats {
    /// Resolves with the next beat. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) {
        if self.receiver.changed().await.is_err() {
            // The beat lives as long as its listeners.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Beats {
    fn drop(&mut self) {
        self.beat.listeners.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const EVERY: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn every_socket_is_told_each_five_seconds_and_not_all_at_once() {
        let beat = Arc::new(Beat::new(EVERY));
        let stopping = CancellationToken::new();
        let task = tokio::spawn(Arc::clone(&beat).run(stopping.clone()));
        let (mut one, mut other) = (beat.listen(), beat.listen());
        one.next().await;
        let first = Instant::now();
        other.next().await;
        assert!(first.elapsed() < EVERY && !first.elapsed().is_zero());
        one.next().await;
        assert_eq!(first.elapsed(), EVERY);
        stopping.cancel();
        task.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn without_sockets_it_sleeps() {
        let beat = Arc::new(Beat::new(EVERY));
        let stopping = CancellationToken::new();
        let task = tokio::spawn(Arc::clone(&beat).run(stopping.clone()));
        drop(beat.listen());
        tokio::time::sleep(EVERY * 3).await;
        let mut silent = beat.groups[0].subscribe();
        tokio::time::sleep(EVERY * 3).await;
        assert!(!silent.has_changed().unwrap(), "nobody is told");
        let mut late = beat.listen();
        late.next().await;
        silent.changed().await.unwrap();
        stopping.cancel();
        task.await.unwrap();
    }
}
