//! What waits to be told to the gateway: how attempts ended, and leases to give back.
//!
//! It is bounded in items and in bytes. When it is full, attempts that end keep their workers until there is room, and
//! nothing is claimed; so a gateway that is away costs this host no more memory than that.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use flowork_api_types::engine::{CLAIM_JOBS_MAX, Lease};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

/// Ends that wait, at most. More than any engine runs at once, so that the bytes are what fills first.
pub(super) const ITEMS_MAX: usize = 1_024;
/// Bytes of those that wait, at most: 64 results of the largest size there is.
pub(super) const BYTES_MAX: usize = 64 << 20;
/// One result of the largest size, with its error, lines and progress. Nothing is claimed without room for one more.
const ONE_BYTES_MAX: usize = 2 << 20;
/// A call stays below this, where the gateway takes 16 MiB.
const CALL_BYTES_MAX: usize = 8 << 20;

/// What waits for the gateway.
pub(super) struct Outbox {
    items: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    waiting: Mutex<VecDeque<Waiting>>,
    came: Notify,
}

struct Waiting {
    parcel: Parcel,
    settled: oneshot::Sender<Settled>,
    _room: Room,
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parcel {
    pub(super) lease: Lease,
    /// How the attempt ended: a `FinishItem` as JSON text. `None`: the lease is given back unused.
    pub(super) end: Option<Arc<str>>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// The gateway has it.
    Accepted,
    /// The lease is somebody else's, or was over.
    LeaseLost,
    /// The gateway does not take it, now or later.
    Refused,
}

/// Room for one item.
pub(super) struct Room {
    _item: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

/// How full it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fill {
    pub(super) items: usize,
    pub(super) bytes: usize,
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new(ITEMS_MAX, BYTES_MAX)
    }
}

impl Outbox {
    pub(super) fn new(items: usize, bytes: usize) -> Self {
        Self {
            items: Arc::new(Semaphore::new(items)),
            bytes: Arc::new(Semaphore::new(bytes)),
            waiting: Mutex::default(),
            came: Notify::new(),
        }
    }

    /// Waits for room.
    pub(super) async fn room(&self, parcel: &Parcel) -> Room {
        const OPEN: &str = "nobody closes it";
        let bytes = parcel.bytes().min(BYTES_MAX) as u32;
        let item = Arc::clone(&self.items).acquire_owned().await.expect(OPEN);
        Room { _item: item, _bytes: Arc::clone(&self.bytes).acquire_many_owned(bytes).await.expect(OPEN) }
    }

    /// Whether there is room for whatever one more job may give.
    pub(super) fn has_room(&self) -> bool {
        self.items.available_permits() > 0 && self.bytes.available_permits() >= ONE_BYTES_MAX
    }

    /// Adds something; the answer comes once that is settled.
    pub(super) fn put(&self, parcel: Parcel, room: Room) -> oneshot::Receiver<Settled> {
        let (settled, answer) = oneshot::channel();
        self.lock().push_back(Waiting { parcel, settled, _room: room });
        self.came.notify_one();
        answer
    }

    /// Resolves once something waits.
    pub(super) async fn any(&self) {
        while self.lock().is_empty() {
            self.came.notified().await;
        }
    }

    /// The first ones, as many as fit into one call; at least one of those there are.
    pub(super) fn batch(&self) -> Vec<Parcel> {
        let (mut bytes, mut batch) = (0, Vec::new());
        for Waiting { parcel, .. } in self.lock().iter().take(CLAIM_JOBS_MAX as usize) {
            bytes += parcel.bytes();
            if !batch.is_empty() && bytes > CALL_BYTES_MAX {
                break;
            }
            batch.push(parcel.clone());
        }
        batch
    }

    /// Whether a batch would not get larger by waiting.
    pub(super) fn has_full_batch(&self) -> bool {
        self.lock().len() >= CLAIM_JOBS_MAX as usize
    }

    /// Removes what is settled.
    pub(super) fn settle(&self, outcomes: impl IntoIterator<Item = (Lease, Settled)>) {
        let mut waiting = self.lock();
        for (lease, outcome) in outcomes {
            let Some(index) = waiting.iter().position(|waiting| waiting.parcel.lease == lease) else { continue };
            if let Some(Waiting { settled, .. }) = waiting.remove(index) {
                // Whoever waited may have been stopped.
                let _ = settled.send(outcome);
            }
        }
    }

    /// Everything that waits.
    pub(super) fn leases(&self) -> Vec<Lease> {
        self.lock().iter().map(|waiting| waiting.parcel.lease).collect()
    }

    pub(super) fn fill(&self) -> Fill {
        let waiting = self.lock();
        Fill { items: waiting.len(), bytes: waiting.iter().map(|waiting| waiting.parcel.bytes()).sum() }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parcel {
    fn bytes(&self) -> usize {
        self.end.as_ref().map_or(0, |end| end.len()) + size_of::<Waiting>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(number: u32, bytes: usize) -> Parcel {
        let id = "job_01930c5ea2f07a3c8000000000000000".parse().unwrap();
        Parcel { lease: Lease { id, epoch: number }, end: Some("x".repeat(bytes).into()) }
    }

    #[tokio::test]
    async fn bounds_in_items_and_bytes_hold_and_whoever_waits_comes_in_when_there_is_room() {
        let item = parcel(0, 1_000).bytes();
        for (items, bytes) in [(3, 1 << 20), (100, 3 * item + 7)] {
            let outbox = Outbox::new(items, bytes);
            for number in 0..3 {
                let parcel = parcel(number, 1_000);
                let room = outbox.room(&parcel).await;
                drop(outbox.put(parcel, room));
            }
            let fourth = parcel(3, 1_000);
            let mut waits = std::pin::pin!(outbox.room(&fourth));
            assert!(futures_util::poll!(waits.as_mut()).is_pending(), "it is full");
            assert!(!outbox.has_room());
            assert_eq!(outbox.fill(), Fill { items: 3, bytes: 3 * item });
            outbox.settle([(parcel(1, 0).lease, Settled::Accepted)]);
            let room = waits.await;
            drop(outbox.put(fourth.clone(), room));
            assert_eq!(outbox.fill().items, 3);
        }
    }

    #[tokio::test]
    async fn a_batch_is_what_fits_into_a_call() {
        let outbox = Outbox::default();
        for number in 0..70 {
            let parcel = parcel(number, 100);
            let room = outbox.room(&parcel).await;
            drop(outbox.put(parcel, room));
        }
        assert!(outbox.has_full_batch());
        let batch = outbox.batch();
        assert_eq!(batch.len(), 64);
        outbox.settle(batch.iter().map(|parcel| (parcel.lease, Settled::Accepted)));
        assert_eq!(outbox.batch().first(), Some(&parcel(64, 100)), "in their order");
        outbox.settle(outbox.leases().into_iter().map(|lease| (lease, Settled::Accepted)));
        for number in 0..3 {
            let parcel = parcel(number, 5 << 20);
            let room = outbox.room(&parcel).await;
            drop(outbox.put(parcel, room));
        }
        assert_eq!(outbox.batch().len(), 1, "two would be too large");
    }

    #[tokio::test]
    async fn who_put_something_hears_what_became_of_it() {
        let outbox = Outbox::default();
        let parcel = parcel(1, 10);
        let room = outbox.room(&parcel).await;
        let answer = outbox.put(parcel.clone(), room);
        outbox.settle([(parcel.lease, Settled::LeaseLost)]);
        assert_eq!(answer.await.unwrap(), Settled::LeaseLost);
        assert_eq!(outbox.fill(), Fill { items: 0, bytes: 0 });
    }
}
