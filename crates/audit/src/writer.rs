//! The writer's side: one thread that knows the tip, so that nobody can make it go on from another one.
//!
//! The tip in memory is the truth while the log is open. It is written with each batch, over whatever the file has.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use blake3::Hash;
use flowork_sqlite::{Applied, Store, StoreError};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::{
    chain::AuditKey,
    entry::Entry,
    head::HeadRow,
    row,
    seen_time::SeenTime,
    tip::{Cut, Tip},
};

/// The number of what was written last.
type Done = Result<i64, StoreError>;

/// Something to write, and whom to tell.
pub(crate) struct Request {
    pub(crate) change: Change,
    pub(crate) answer: oneshot::Sender<Done>,
}

pub(crate) enum Change {
    /// Adds entries; answers with the number of the last.
    Append(Vec<Entry>),
    /// Adds the head of a day.
    Head(HeadRow),
    /// Deletes entries up to this one, whose hash that is.
    Cut { seq: i64, hash: Hash, cut: Cut },
    /// Keeps what is believed of the clock.
    SeenTime(SeenTime),
}

pub(crate) struct Writer {
    key: Arc<AuditKey>,
    /// With what the open batch does.
    tip: Tip,
    /// As of the last commit.
    committed: Arc<Mutex<Tip>>,
    answers: Vec<(oneshot::Sender<Done>, Done)>,
}

impl Writer {
    pub(crate) fn new(key: Arc<AuditKey>, committed: Arc<Mutex<Tip>>) -> Self {
        let tip = lock(&committed).clone();
        Self { key, tip, committed, answers: Vec::new() }
    }

    fn change(&mut self, connection: &Connection, change: Change) -> rusqlite::Result<i64> {
        match change {
            Change::Append(entries) => {
                for entry in &entries {
                    let seq = self.tip.seq + 1;
                    self.tip.hash = row::insert(connection, &self.key, &self.tip.hash, seq, entry)?;
                    self.tip.seq = seq;
                    self.tip.count += 1;
                }
                Ok(self.tip.seq)
            }
            Change::Head(head) => {
                let mac = self.key.head_hash(&self.tip.head_mac, &head);
                head.insert(connection, &mac)?;
                self.tip.heads = head.number;
                self.tip.head_seq = head.last_seq;
                self.tip.head_mac = mac;
                Ok(head.number)
            }
            Change::Cut { seq, hash, cut } => {
                self.tip.count = self.tip.seq - seq;
                self.tip.cut_seq = seq;
                self.tip.cut_hash = hash;
                self.tip.cut = Some(cut);
                // Before the deletion: only what the tip says is cut can be deleted.
                self.tip.write(connection, &self.key)?;
                let deleted = connection.prepare_cached("DELETE FROM entries WHERE seq <= ?1")?.execute([seq])?;
                connection.prepare_cached("PRAGMA incremental_vacuum(64)")?.query([])?.next()?;
                Ok(deleted as i64)
            }
            Change::SeenTime(seen) => seen.write(connection, &self.key).map(|()| 0),
        }
    }
}

impl Store for Writer {
    type Request = Request;

    fn apply(&mut self, connection: &Connection, request: Request) -> Applied {
        let before = self.tip.clone();
        let done = self.change(connection, request.change).map_err(StoreError::from);
        let applied = match &done {
            Ok(_) => Applied::Keep,
            Err(error) => {
                self.tip = before;
                Applied::Undo(error.clone())
            }
        };
        self.answers.push((request.answer, done));
        applied
    }

    fn decline(request: Request, error: StoreError) {
        // Whoever asked may have gone.
        let _ = request.answer.send(Err(error));
    }

    fn settle(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.tip.write(connection, &self.key)
    }

    fn committed(&mut self, _: &Connection, outcome: Result<(), StoreError>) {
        match &outcome {
            Ok(()) => lock(&self.committed).clone_from(&self.tip),
            Err(_) => self.tip = lock(&self.committed).clone(),
        }
        for (answer, done) in self.answers.drain(..) {
            let _ = answer.send(done.and_then(|number| outcome.clone().map(|()| number)));
        }
    }

    fn due_in(&self) -> Option<Duration> {
        None
    }
}

pub(crate) fn lock(tip: &Mutex<Tip>) -> std::sync::MutexGuard<'_, Tip> {
    tip.lock().unwrap_or_else(PoisonError::into_inner)
}
