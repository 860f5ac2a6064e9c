//! What is known about one connection: whether it is the client that we wait for, since when, and when a byte moved
//! last. Read by the loop that accepts, to find room, and by the connection's own task, to end it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

/// In place of a time: we work, and the client waits.
const WORKING: u64 = u64::MAX;
/// In place of a time: nothing waits to leave.
const FLOWING: u64 = u64::MAX;
/// How long a head takes at most that was sent at once, so that somebody who has only just come is not cut for it.
const FRESH: Duration = Duration::from_millis(250);

/// The state of one connection. All of it is hints for scheduling, so relaxed order will do.
pub(super) struct Seat {
    opened: Instant,
    /// When the last byte moved, in milliseconds since it opened.
    moved_ms: AtomicU64,
    /// Since when we wait for the client, in milliseconds since it opened, or [`WORKING`].
    waiting_ms: AtomicU64,
    /// Since when bytes wait until the client reads those before them, in milliseconds since it opened, or [`FLOWING`].
    unread_ms: AtomicU64,
    /// Fires when bytes begin to wait.
    unread: Notify,
    /// A request is being answered.
    in_exchange: AtomicBool,
    /// Bytes of a head have come that is not complete.
    head_begun: AtomicBool,
    /// The last answer has left, so that whatever is written now is not part of it.
    answer_flushed: AtomicBool,
    /// It sent a whole request once.
    proven: AtomicBool,
    /// It speaks another protocol now, such as WebSocket, and never waits for a head again.
    upgraded: AtomicBool,
    /// Fires when the connection has to make room, or when what became of it is cut.
    pub(super) cut: CancellationToken,
}

/// Who has to go first when there is no room: the standing, and among equals who is silent for longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Patience {
    standing: Standing,
    since: Instant,
}

/// In the order of going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Never sent a request, and had the time to.
    Stranger,
    /// Sent one before, and may well send another.
    Silent,
    /// Has only just come.
    Fresh,
}

/// A request that is being answered; ends when it is dropped.
pub(super) struct Exchange(Arc<Seat>);

impl Seat {
    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            moved_ms: AtomicU64::new(0),
            waiting_ms: AtomicU64::new(0),
            unread_ms: AtomicU64::new(FLOWING),
            unread: Notify::new(),
            in_exchange: AtomicBool::new(false),
            head_begun: AtomicBool::new(false),
            answer_flushed: AtomicBool::new(true),
            proven: AtomicBool::new(false),
            upgraded: AtomicBool::new(false),
            cut: CancellationToken::new(),
        }
    }

    /// Resolves once no byte has moved for `limit`.
    pub(super) async fn idle_for(&self, limit: Duration) {
        loop {
            let last = self.moved_ms.load(Ordering::Relaxed);
            tokio::time::sleep_until(self.opened + Duration::from_millis(last) + limit).await;
            if self.moved_ms.load(Ordering::Relaxed) == last {
                return;
            }
        }
    }

    /// Resolves once bytes have waited for `limit` to leave, and none could. An answer that is read slowly goes on with
    /// every part of it that is read, and one that has nothing to say yet does not wait.
    pub(super) async fn unread_for(&self, limit: Duration) {
        loop {
            let since = self.unread_ms.load(Ordering::Relaxed);
            if since == FLOWING {
                self.unread.notified().await;
                continue;
            }
            tokio::time::sleep_until(self.opened + Duration::from_millis(since) + limit).await;
            if self.unread_ms.load(Ordering::Relaxed) == since {
                return;
            }
        }
    }

    /// How long we have waited for the client; `None` while we work.
    pub(super) fn patience(&self) -> Option<Patience> {
        let since = self.waiting_ms.load(Ordering::Relaxed);
        if since == WORKING || self.is_upgraded() || self.cut.is_cancelled() {
            return None;
        }
        let standing = match self.proven.load(Ordering::Relaxed) {
            true => Standing::Silent,
            false if self.opened.elapsed() < FRESH => Standing::Fresh,
            false => Standing::Stranger,
        };
        Some(Patience { standing, since: self.opened + Duration::from_millis(since) })
    }

    /// A whole head is there and is being answered.
    pub(super) fn begin(self: &Arc<Self>) -> Exchange {
        self.in_exchange.store(true, Ordering::Relaxed);
        self.proven.store(true, Ordering::Relaxed);
        self.head_begun.store(false, Ordering::Relaxed);
        self.waiting_ms.store(WORKING, Ordering::Relaxed);
        Exchange(Arc::clone(self))
    }

    /// The client keeps us waiting within an exchange: for its body, or because it does not read.
    pub(super) fn stalls(&self) {
        if self.waiting_ms.load(Ordering::Relaxed) == WORKING {
            self.waiting_ms.store(self.now_ms(), Ordering::Relaxed);
        }
    }

    /// It went on.
    pub(super) fn goes_on(&self) {
        if self.in_exchange.load(Ordering::Relaxed) {
            self.waiting_ms.store(WORKING, Ordering::Relaxed);
        }
    }

    pub(super) fn read(&self, bytes: usize) {
        if bytes > 0 {
            self.moved_ms.store(self.now_ms(), Ordering::Relaxed);
            if !self.in_exchange.load(Ordering::Relaxed) {
                self.head_begun.store(true, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn wrote(&self, bytes: usize) {
        if bytes > 0 {
            self.moved_ms.store(self.now_ms(), Ordering::Relaxed);
            self.unread_ms.store(FLOWING, Ordering::Relaxed);
        }
    }

    /// The system takes no more bytes, because the client does not read those before them.
    pub(super) fn write_waits(&self) {
        if self.unread_ms.load(Ordering::Relaxed) == FLOWING {
            self.unread_ms.store(self.now_ms(), Ordering::Relaxed);
            self.unread.notify_one();
        }
    }

    pub(super) fn flushed(&self) {
        if !self.in_exchange.load(Ordering::Relaxed) {
            self.answer_flushed.store(true, Ordering::Relaxed);
        }
    }

    /// What is written now is no part of an answer of the router's: the HTTP library speaks for itself.
    pub(super) fn is_between_answers(&self) -> bool {
        !self.in_exchange.load(Ordering::Relaxed) && self.answer_flushed.load(Ordering::Relaxed)
    }

    pub(super) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Relaxed)
    }

    /// A part of a head has come, and not the rest.
    pub(super) fn has_begun_head(&self) -> bool {
        self.head_begun.load(Ordering::Relaxed)
    }

    fn now_ms(&self) -> u64 {
        self.opened.elapsed().as_millis() as u64
    }
}

impl Exchange {
    /// The answer is the last of HTTP on this connection.
    pub(super) fn goes_on_as_another_protocol(&self) {
        self.0.upgraded.store(true, Ordering::Relaxed);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.0.upgraded.load(Ordering::Relaxed) {
            return;
        }
        self.0.answer_flushed.store(false, Ordering::Relaxed);
        self.0.in_exchange.store(false, Ordering::Relaxed);
        self.0.waiting_ms.store(self.0.now_ms(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn strangers_go_first_and_who_has_only_just_come_goes_last() {
        let (silent, stranger, busy) = (Arc::new(Seat::new()), Arc::new(Seat::new()), Arc::new(Seat::new()));
        drop(silent.begin());
        let _working = busy.begin();
        tokio::time::advance(Duration::from_secs(5)).await;
        let newer = Arc::new(Seat::new());
        tokio::time::advance(FRESH).await;
        let fresh = Arc::new(Seat::new());
        assert_eq!(busy.patience(), None, "who waits for us is not to go");
        assert!(stranger.patience() < newer.patience(), "the older of two strangers goes first");
        assert!(newer.patience() < silent.patience(), "who asked before goes later");
        assert!(silent.patience() < fresh.patience(), "its request is on the way");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stalls_can_be_cut_until_it_goes_on() {
        let seat = Arc::new(Seat::new());
        let exchange = seat.begin();
        seat.stalls();
        assert!(seat.patience().is_some());
        seat.goes_on();
        assert!(seat.patience().is_none());
        drop(exchange);
        assert!(seat.patience().is_some());
        seat.goes_on();
        assert!(seat.patience().is_some(), "without an exchange there is nothing to go on with");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_reads_is_told_from_one_that_is_read_slowly_or_silent() {
        const LIMIT: Duration = Duration::from_secs(10);
        let seat = Arc::new(Seat::new());
        let watched = tokio::spawn({
            let seat = Arc::clone(&seat);
            async move { seat.unread_for(LIMIT).await }
        });
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert!(!watched.is_finished(), "a stream that is silent waits for nobody");
        for _ in 0..20 {
            seat.write_waits();
            tokio::time::sleep(Duration::from_secs(9)).await;
            // Woken and still full, which is no progress.
            seat.write_waits();
            assert!(!watched.is_finished());
            seat.wrote(1);
        }
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert!(!watched.is_finished(), "all of it has left");
        let stalled = Instant::now();
        seat.write_waits();
        tokio::time::sleep(Duration::from_secs(5)).await;
        seat.write_waits();
        watched.await.unwrap();
        assert!(stalled.elapsed() >= LIMIT && stalled.elapsed() < LIMIT + Duration::from_secs(1));
    }

    #[test]
    fn another_protocol_is_never_taken_for_silence() {
        let seat = Arc::new(Seat::new());
        let exchange = seat.begin();
        exchange.goes_on_as_another_protocol();
        drop(exchange);
        seat.flushed();
        assert!(seat.patience().is_none());
        assert!(!seat.is_between_answers());
    }

    #[test]
    fn what_is_written_before_the_flush_belongs_to_the_answer() {
        let seat = Arc::new(Seat::new());
        assert!(seat.is_between_answers());
        let exchange = seat.begin();
        seat.flushed();
        assert!(!seat.is_between_answers());
        drop(exchange);
        assert!(!seat.is_between_answers(), "the end of the answer is still to leave");
        seat.flushed();
        assert!(seat.is_between_answers());
    }
}
