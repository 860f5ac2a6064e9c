//! What is done without being asked: heads of days that are over, the cut of what is too old, counts of calls.
//!
//! Nothing is polled: the task sleeps until midnight UTC, or until the window of a count is over, or until the first
//! entry of a day wakes it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use blake3::Hash;
use flowork_sqlite::StoreError;
use tokio_util::sync::CancellationToken;

use crate::{
    Audit, HeadSigner, SignError, Trouble,
    head::{HeadRow, day_of, day_text, next_midnight_ms},
    list::rows_after,
    seen_time::SeenTime,
    tip::{Cut, Tip},
    writer::Change,
};

/// Entries that are deleted in one transaction: a few milliseconds, which others wait.
const CUT_ENTRIES: usize = 500;
/// Entries that are read at once.
const PAGE_ENTRIES: usize = 1_000;
/// After a failure, this is tried again.
const TRY_AGAIN: Duration = Duration::from_mins(10);
/// A wall clock that jumps can't make the task sleep for longer.
const SLEEP_MAX: Duration = Duration::from_hours(25);

pub(crate) struct Keeper {
    audit: Audit,
    signer: Arc<dyn HeadSigner>,
    stop: CancellationToken,
    /// Where the log is known to be damaged; told once.
    damaged_at: Option<i64>,
    /// What is believed of the wall clock; read at the first look.
    seen: Option<SeenTime>,
    /// For how long the node had run at the last look.
    looked_at: Duration,
}

/// Why a head or a cut was not made.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("the audit log can't be read or written")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error("the audit log is damaged at entry {seq}")]
    Damaged { seq: i64 },
    #[error("signing was ended")]
    Ended,
}

impl Keeper {
    pub(crate) fn new(audit: Audit, signer: Arc<dyn HeadSigner>, stop: CancellationToken) -> Self {
        let looked_at = (audit.inner.options.uptime)();
        Self { audit, signer, stop, damaged_at: None, seen: None, looked_at }
    }

    pub(crate) async fn run(mut self) {
        self.keep_on().await;
        // So that the hours of a node that runs for a few each day add up.
        if let Err(error) = self.look_at_time().await {
            tracing::warn!(error = ?error, "for how long the node ran is not known to the next start");
        }
    }

    /// Until the log closes.
    async fn keep_on(&mut self) {
        loop {
            let until_next = match self.keep().await {
                Ok(()) => self.until_midnight(),
                Err(KeepError::Damaged { seq }) => {
                    self.tell_damage(seq);
                    self.until_midnight()
                }
                Err(KeepError::Store(StoreError::Closed) | KeepError::Ended) => return,
                Err(error) => {
                    tracing::error!(error = ?error, "the audit log's daily work failed; it is tried again");
                    TRY_AGAIN
                }
            };
            let wake_at = Instant::now() + until_next.min(SLEEP_MAX);
            if self.sleep_until(wake_at).await.is_none() {
                return;
            }
        }
    }

    /// Sleeps, but for counts of calls and the first entry of a day; `None` when the log closes.
    async fn sleep_until(&self, wake_at: Instant) -> Option<()> {
        loop {
            let due = self.audit.inner.flood.due_at();
            let until = due.map_or(wake_at, |due| due.min(wake_at));
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = self.audit.inner.new_day.notified() => return Some(()),
                () = self.audit.inner.counting.notified() => {}
                () = tokio::time::sleep_until(until.into()) => {}
            }
            self.write_counts().await;
            if Instant::now() >= wake_at {
                return Some(());
            }
        }
    }

    async fn write_counts(&self) {
        let counts = self.audit.inner.flood.take_due(Instant::now());
        if !counts.is_empty()
            && let Err(error) = self.audit.record_all(counts).await
        {
            tracing::error!(error = ?error, "calls that were counted could not be written");
        }
    }

    fn until_midnight(&self) -> Duration {
        let now_ms = self.now_ms();
        Duration::from_millis(next_midnight_ms(now_ms).saturating_sub(now_ms).max(1) as u64)
    }

    fn now_ms(&self) -> i64 {
        (self.audit.inner.options.now)().as_millis()
    }

    fn tell_damage(&mut self, seq: i64) {
        if self.damaged_at.replace(seq) != Some(seq) {
            tracing::error!(seq, "the audit log is not what was written; `flowork audit verify` says more");
            (self.audit.inner.options.tell)(Trouble::Damaged { seq });
        }
    }

    async fn keep(&mut self) -> Result<(), KeepError> {
        self.look_at_time().await?;
        self.audit.collect_notes().await;
        self.sign_days().await?;
        self.cut_old().await
    }

    /// Notes what the clock shows, and for how long the node has run since it showed something else.
    async fn look_at_time(&mut self) -> Result<(), KeepError> {
        let uptime = (self.audit.inner.options.uptime)();
        let ran = uptime.saturating_sub(std::mem::replace(&mut self.looked_at, uptime));
        let before = match self.seen {
            Some(seen) => Some(seen),
            None => {
                let key = self.audit.inner.options.key.clone();
                self.audit.inner.readers.read(move |connection| SeenTime::read(connection, &key)).await?
            }
        };
        let now_ms = self.now_ms();
        let seen = before.map_or_else(|| SeenTime::first(now_ms), |seen| seen.again(now_ms, ran));
        self.seen = Some(seen);
        if before != Some(seen) {
            self.audit.change(Change::SeenTime(seen)).await?;
        }
        Ok(())
    }

    /// Signs the head of each day that is over and has none, after a look at each of its entries. A day begins where
    /// the day of the entries changes, also to an earlier one, as it does when a clock is set back.
    async fn sign_days(&self) -> Result<(), KeepError> {
        let tip = self.audit.tip();
        let mut previous = self.hash_of(tip.head_seq).await?;
        let (mut after, mut run) = (tip.head_seq, None::<Run>);
        loop {
            let rows = rows_after(&self.audit.inner.readers, after, PAGE_ENTRIES).await?;
            let full = rows.len() == PAGE_ENTRIES;
            for row in rows {
                if row.seq != after + 1 || !row.follows(&self.audit.inner.options.key, &previous) {
                    return Err(KeepError::Damaged { seq: after + 1 });
                }
                (after, previous) = (row.seq, row.stored_hash().unwrap_or(previous));
                let day = day_of(row.at_ms);
                if let Some(over) = run.take_if(|run| run.day != day) {
                    self.sign_head(&over).await?;
                }
                let count = run.map_or(0, |run| run.count) + 1;
                run = Some(Run { day, last_seq: after, count, hash: previous });
            }
            if self.stop.is_cancelled() {
                return Err(KeepError::Ended);
            }
            if !full {
                break;
            }
        }
        match run {
            Some(run) if run.day < day_of(self.now_ms()) => self.sign_head(&run).await,
            _ => Ok(()),
        }
    }

    async fn sign_head(&self, run: &Run) -> Result<(), KeepError> {
        let mut head = HeadRow {
            number: self.audit.tip().heads + 1,
            day: day_text(run.day),
            last_seq: run.last_seq,
            count: run.count,
            hash: run.hash,
            signer: self.signer.address(),
            signature: Vec::new(),
        };
        head.signature = self.signer.sign(&head.statement())?;
        self.audit.change(Change::Head(head)).await?;
        Ok(())
    }

    /// Deletes what is older than it is kept, in small steps, each with a signed checkpoint. Only entries that a head
    /// covers, and only while the chain is sound: a log that was changed is evidence. What is too old is told by the
    /// time that is [believed](crate::seen_time).
    async fn cut_old(&self) -> Result<(), KeepError> {
        let Some(believed_ms) = self.seen.and_then(|seen| seen.believed_ms) else { return Ok(()) };
        loop {
            let (tip, now_ms) = (self.audit.tip(), self.now_ms());
            let retention_ms = i64::try_from(self.audit.inner.options.retention.as_millis()).unwrap_or(i64::MAX);
            let keep_from_ms = believed_ms.min(now_ms).saturating_sub(retention_ms);
            let rows = rows_after(&self.audit.inner.readers, tip.cut_seq, CUT_ENTRIES).await?;
            let (mut after, mut previous) = (tip.cut_seq, tip.cut_hash);
            let mut old = None;
            // An entry from the future was written while the clock was wrong; it goes with those around it.
            let is_old = |at_ms: i64| at_ms < keep_from_ms || at_ms > now_ms;
            for row in rows.iter().take_while(|row| row.seq <= tip.head_seq && is_old(row.at_ms)) {
                if row.seq != after + 1 || !row.follows(&self.audit.inner.options.key, &previous) {
                    return Err(KeepError::Damaged { seq: after + 1 });
                }
                (after, previous) = (row.seq, row.stored_hash().unwrap_or(previous));
                if row.at_ms < keep_from_ms {
                    old = Some((after, previous));
                }
            }
            let Some((seq, hash)) = old else { return Ok(()) };
            let signature = self.signer.sign(&Tip::cut_statement(seq, &hash, now_ms))?;
            let cut = Cut { at_ms: now_ms, signer: self.signer.address(), signature };
            self.audit.change(Change::Cut { seq, hash, cut }).await?;
            if self.stop.is_cancelled() {
                return Err(KeepError::Ended);
            }
        }
    }

    /// What the entry after `seq` builds on.
    async fn hash_of(&self, seq: i64) -> Result<Hash, KeepError> {
        let tip = self.audit.tip();
        if seq == tip.cut_seq {
            return Ok(tip.cut_hash);
        }
        let row = rows_after(&self.audit.inner.readers, seq - 1, 1).await?.pop();
        let hash = row.filter(|row| row.seq == seq).and_then(|row| row.stored_hash());
        hash.ok_or(KeepError::Damaged { seq })
    }
}

/// Entries of one day, one after the other.
#[derive(Clone, Copy, Debug)]
struct Run {
    day: i64,
    last_seq: i64,
    count: i64,
    hash: Hash,
}
