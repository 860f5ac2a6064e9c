//! A log on a real file, with a clock that the test sets.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use flowork_api_types::{
    Timestamp,
    audit::{ActorKind, AuditQuery, AuditReport},
};
use flowork_audit::{Actor, Audit, AuditKey, AuditOptions, Entry, HeadSigner, KEY_BYTES, PersonalSignatures, Trouble};
use flowork_identity::OwnerKey;
use rusqlite::Connection;

pub(crate) const DAY_MS: i64 = 86_400_000;
/// 2026-01-01, noon.
pub(crate) const NOON: i64 = 1_767_268_800_000;

/// A log in a directory of its own, its clock, and what it told.
pub(crate) struct Bench {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) now: Arc<AtomicI64>,
    pub(crate) told: Arc<Mutex<Vec<Trouble>>>,
    pub(crate) expected: bool,
    /// For how many hours the node has run.
    pub(crate) ran_h: Arc<AtomicU64>,
    /// Since when the clock runs.
    pub(crate) running: Arc<Mutex<Option<Instant>>>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            now: Arc::new(AtomicI64::new(NOON)),
            told: Arc::default(),
            expected: false,
            ran_h: Arc::default(),
            running: Arc::default(),
        }
    }

    pub(crate) fn run_from(&self, at_ms: i64) {
        self.now.store(at_ms, Ordering::Relaxed);
        *self.running.lock().unwrap() = Some(Instant::now());
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("audit.db")
    }

    pub(crate) fn set_day(&self, day: i64) {
        self.now.store(NOON + day * DAY_MS, Ordering::Relaxed);
    }

    /// Lets the node run for so long, whatever its clock shows.
    pub(crate) fn run_hours(&self, hours: u64) {
        self.ran_h.fetch_add(hours, Ordering::Relaxed);
    }

    pub(crate) async fn open(&self) -> Audit {
        let ran_h = Arc::clone(&self.ran_h);
        let (now, told, running) = (Arc::clone(&self.now), Arc::clone(&self.told), Arc::clone(&self.running));
        let options = AuditOptions {
            path: self.path(),
            key: key(),
            expected: self.expected,
            retention: Duration::from_hours(24 * 90),
            now: Arc::new(move || {
                let since = running.lock().unwrap().map_or(0, |since| since.elapsed().as_millis() as i64);
                Timestamp(now.load(Ordering::Relaxed) + since)
            }),
            uptime: Arc::new(move || Duration::from_hours(ran_h.load(Ordering::Relaxed))),
            signatures: Arc::new(PersonalSignatures),
            tell: Arc::new(move |trouble| told.lock().unwrap().push(trouble)),
        };
        Audit::open(options).await.unwrap()
    }

    pub(crate) fn told(&self) -> Vec<Trouble> {
        self.told.lock().unwrap().clone()
    }

    /// Changes the file behind the back of the node.
    pub(crate) fn tamper(&self, sql: &str) {
        let connection = Connection::open(self.path()).unwrap();
        connection.execute_batch("DROP TRIGGER entries_never_change; DROP TRIGGER entries_stay").unwrap();
        connection.execute_batch(sql).unwrap();
    }
}

pub(crate) fn key() -> AuditKey {
    AuditKey::from_secret(&[3; KEY_BYTES]).unwrap()
}

pub(crate) fn owner() -> Arc<dyn HeadSigner> {
    Arc::new(OwnerKey::from_secret(&[1; 32]).unwrap())
}

pub(crate) fn entry(action: &str) -> Entry {
    Entry::new(Actor::named(ActorKind::Person, "owner"), action)
}

pub(crate) async fn verify(audit: &Audit) -> AuditReport {
    audit.verify(|_| ControlFlow::Continue(())).await.unwrap()
}

pub(crate) async fn sequence(audit: &Audit, query: AuditQuery) -> Vec<i64> {
    audit.list(query).await.unwrap().items.iter().map(|entry| entry.seq).collect()
}

/// Waits for the keeper, whose work is done in tasks of its own.
pub(crate) async fn until_heads(audit: &Audit, heads: u64) -> AuditReport {
    loop {
        let report = verify(audit).await;
        if report.heads >= heads || !report.ok {
            return report;
        }
        tokio::task::yield_now().await;
    }
}

pub(crate) fn rows_in(path: &Path) -> i64 {
    let connection = Connection::open(path).unwrap();
    connection.query_row("SELECT count(*) FROM entries", [], |row| row.get(0)).unwrap()
}
