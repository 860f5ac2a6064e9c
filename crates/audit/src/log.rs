//! The log of one node: opening it, writing into it, closing it.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use flowork_api_types::{
    Timestamp,
    audit::{AuditOutcome, AuditProgress, AuditReport},
};
use flowork_sqlite::{GroupWriter, Readers, Requests, StoreError, open_writer};
use rusqlite::Connection;
use serde_json::json;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    chain::AuditKey,
    entry::{Actor, Entry},
    flood::{Flood, Verdict},
    head::day_of,
    keeper::Keeper,
    owed,
    row::{COLUMNS, RawRow},
    schema::SCHEMA,
    signer::{HeadSigner, SignatureCheck},
    tip::{FoundTip, Tip},
    verify::{self, Progress, VerifyError},
    writer::{Change, Request, Writer, lock},
};

/// How a log is kept.
#[derive(Clone)]
pub struct AuditOptions {
    /// The file; made if it is not there.
    pub path: PathBuf,
    /// From the vault.
    pub key: AuditKey,
    /// Entries were written with this key before, so there must be a log.
    pub expected: bool,
    /// How long entries are kept.
    pub retention: Duration,
    /// The wall clock.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// For how long the node runs, by a clock that nobody sets.
    pub uptime: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// Checks the signatures of heads.
    pub signatures: Arc<dyn SignatureCheck>,
    /// Hears when the log turns out to be damaged.
    pub tell: Arc<dyn Fn(Trouble) + Send + Sync>,
}

/// The log is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It was so at the start, so a new one was begun.
    BeganAnew {
        /// The file as it was found; `None` if it was gone.
        kept: Option<PathBuf>,
        /// What is wrong with it.
        reason: String,
    },
    /// It became so while the node ran, so no head of the day was signed and nothing was cut.
    Damaged {
        /// The entry where it shows.
        seq: i64,
    },
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file can't be opened.
    #[error("can't open the audit log")]
    File(#[from] flowork_sqlite::OpenError),
    /// It can't be read.
    #[error("can't read the audit log")]
    Read(#[source] rusqlite::Error),
    /// A damaged file could not be put aside.
    #[error("can't rename the damaged audit log {}", .path.display())]
    PutAside {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The first entry could not be written.
    #[error("can't write the audit log")]
    Write(#[source] StoreError),
}

/// The audit log. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Audit {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) options: AuditOptions,
    requests: Requests<Request>,
    writer: Mutex<Option<GroupWriter<Request>>>,
    pub(crate) readers: Readers,
    /// As of the last commit.
    pub(crate) tip: Arc<Mutex<Tip>>,
    pub(crate) flood: Flood,
    /// The first entry of a day was written.
    pub(crate) new_day: Notify,
    /// Calls are counted, and their count has to be written when its window is over.
    pub(crate) counting: Notify,
    /// The day, UTC, of the last entry.
    last_day: Mutex<i64>,
    stop: CancellationToken,
    keeper: Mutex<Option<tokio::task::JoinHandle<()>>>,
    /// Checks read the whole file; one at a time is enough.
    pub(crate) checking: tokio::sync::Semaphore,
    /// Held while notes are written down.
    pub(crate) collecting: tokio::sync::Mutex<()>,
}

impl Audit {
    /// Opens the log, or begins one. A file that is not what was written is put aside, and a new one says so in its
    /// first entry: a node must start and go on to write down what happens, and the evidence must stay.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(options: AuditOptions) -> Result<Self, OpenError> {
        let opening = options.clone();
        let opened = tokio::task::spawn_blocking(move || {
            owed::prepare(&opening.path);
            open(&opening)
        })
        .await;
        let (connection, tip, trouble) =
            opened.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
        let day = day_of((options.now)().as_millis());
        let tip = Arc::new(Mutex::new(tip));
        let store = Writer::new(Arc::new(options.key.clone()), Arc::clone(&tip));
        let writer = GroupWriter::start(&options.path, connection, store)?;
        let inner = Inner {
            requests: writer.requests(),
            writer: Mutex::new(Some(writer)),
            readers: Readers::new(options.path.clone()),
            tip,
            flood: Flood::default(),
            new_day: Notify::new(),
            counting: Notify::new(),
            last_day: Mutex::new(day),
            stop: CancellationToken::new(),
            keeper: Mutex::default(),
            checking: tokio::sync::Semaphore::new(1),
            collecting: tokio::sync::Mutex::default(),
            options,
        };
        let audit = Self { inner: Arc::new(inner) };
        if let Some(trouble) = trouble {
            audit.begin_anew(&trouble).await.map_err(OpenError::Write)?;
            (audit.inner.options.tell)(trouble);
        }
        audit.collect_notes().await;
        Ok(audit)
    }

    async fn begin_anew(&self, trouble: &Trouble) -> Result<(), StoreError> {
        let Trouble::BeganAnew { kept, reason } = trouble else { return Ok(()) };
        let detail = json!({"kept": kept.as_ref().map(|kept| kept.to_string_lossy()), "reason": reason});
        let entry = Entry::new(Actor::node(), verify::BEGAN_ANEW).outcome(AuditOutcome::Failed).detail(&detail);
        self.record(entry).await.map(|_| ())
    }

    /// Starts the task that signs the head of each day at midnight UTC, those of days that were missed at once, and
    /// cuts what is older than it is kept. It ends with [`close`](Self::close).
    pub fn keep(&self, signer: Arc<dyn HeadSigner>) {
        let keeper = Keeper::new(self.clone(), signer, self.inner.stop.clone());
        let task = tokio::spawn(keeper.run());
        let mut place = self.inner.keeper.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(old) = place.replace(task) {
            old.abort();
        }
    }

    /// Makes the task that [keeps](Self::keep) the log look at the clock, after the machine has slept.
    pub fn look_at_clock(&self) {
        self.inner.new_day.notify_one();
    }

    /// Writes an entry and answers once it is on disk, with its number.
    ///
    /// # Errors
    /// It is not there.
    pub async fn record(&self, entry: Entry) -> Result<i64, StoreError> {
        self.record_all(vec![entry]).await
    }

    /// Writes entries in this order, in one transaction, and answers once they are on disk, with the number of the last.
    ///
    /// # Errors
    /// None of them is there.
    pub async fn record_all(&self, mut entries: Vec<Entry>) -> Result<i64, StoreError> {
        let now = (self.inner.options.now)();
        for entry in &mut entries {
            entry.at = now;
        }
        let number = self.change(Change::Append(entries)).await?;
        self.noticed_day(day_of(now.as_millis()));
        Ok(number)
    }

    /// Writes what anybody can do or try, such as a sign-in that failed. Of too many from one address, or in all, only a
    /// count is kept, written when its window is over; then the answer is `None`.
    ///
    /// # Errors
    /// It is not there.
    pub async fn record_or_count(&self, entry: Entry) -> Result<Option<i64>, StoreError> {
        let now = std::time::Instant::now();
        let verdict = self.inner.flood.take(entry.ip.as_deref(), &entry.action, entry.outcome, now);
        self.record_by(verdict, entry).await
    }

    /// Writes what a known caller did. Of too many of one caller only a count is kept, which names the caller and is
    /// written when its window is over; then the answer is `None`.
    ///
    /// # Errors
    /// It is not there.
    pub async fn record_or_count_of_actor(&self, entry: Entry) -> Result<Option<i64>, StoreError> {
        let now = std::time::Instant::now();
        let verdict = self.inner.flood.take_of(&entry.actor, &entry.action, entry.outcome, now);
        self.record_by(verdict, entry).await
    }

    async fn record_by(&self, verdict: Verdict, entry: Entry) -> Result<Option<i64>, StoreError> {
        match verdict {
            Verdict::Write => self.record(entry).await.map(Some),
            Verdict::Counted { first } => {
                if first {
                    self.inner.counting.notify_one();
                }
                Ok(None)
            }
        }
    }

    /// Checks the whole log. `progress` hears how far it is, and ends it by answering `Break`.
    ///
    /// # Errors
    /// It was ended, another check runs, or the file can't be opened.
    pub async fn verify(
        &self,
        mut progress: impl FnMut(AuditProgress) -> std::ops::ControlFlow<()> + Send + 'static,
    ) -> Result<AuditReport, VerifyError> {
        let Ok(_permit) = self.inner.checking.try_acquire() else { return Err(VerifyError::Busy) };
        self.collect_notes().await;
        let inner = Arc::clone(&self.inner);
        let check = move || {
            let at_least = lock(&inner.tip).clone();
            let progress: Progress<'_> = &mut progress;
            verify::verify(
                &inner.options.path,
                &inner.options.key,
                &*inner.options.signatures,
                Some(&at_least),
                progress,
            )
        };
        tokio::task::spawn_blocking(check).await.map_err(|_| VerifyError::Ended)?
    }

    /// Names the log to the outside: the same for as long as its key is.
    pub fn name(&self) -> String {
        self.inner.options.key.log_name()
    }

    /// Ends the keeper, writes what was only counted, and closes the file.
    pub async fn close(self) {
        self.inner.stop.cancel();
        let keeper = self.inner.keeper.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(keeper) = keeper
            && let Err(error) = keeper.await
        {
            tracing::error!(%error, "the keeper of the audit log crashed");
        }
        self.collect_notes().await;
        let counted = self.inner.flood.take_all();
        if !counted.is_empty()
            && let Err(error) = self.record_all(counted).await
        {
            tracing::error!(error = ?error, "calls that were counted could not be written");
        }
        let writer = self.inner.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // Joining blocks; the runtime must not.
            let _ = tokio::task::spawn_blocking(move || writer.close()).await;
        }
    }

    pub(crate) async fn change(&self, change: Change) -> Result<i64, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.inner.requests.send(Request { change, answer })?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    pub(crate) fn tip(&self) -> Tip {
        lock(&self.inner.tip).clone()
    }

    /// The timer that waits for midnight stands still while the machine sleeps; the first entry of a day tells too.
    fn noticed_day(&self, day: i64) {
        let mut last = self.inner.last_day.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *last != day {
            *last = day;
            self.inner.new_day.notify_one();
        }
    }
}

fn open(options: &AuditOptions) -> Result<(Connection, Tip, Option<Trouble>), OpenError> {
    let path = &options.path;
    let reason = match try_open(options) {
        Ok(Found::Sound(connection, tip)) => {
            let gone = options.expected && *tip == Tip::genesis(&options.key);
            let reason = "the log is gone, though it had entries".to_owned();
            return Ok((connection, *tip, gone.then_some(Trouble::BeganAnew { kept: None, reason })));
        }
        Ok(Found::Damaged(reason)) => reason,
        Err(
            OpenError::Read(source)
            | OpenError::File(
                flowork_sqlite::OpenError::Sqlite { source, .. } | flowork_sqlite::OpenError::Migrate { source, .. },
            ),
        ) if is_damage(&source) => source.to_string(),
        Err(error) => return Err(error),
    };
    let kept = put_aside(path, (options.now)())?;
    tracing::error!(reason, kept = %kept.display(), "the audit log is not what was written; it is put aside");
    let tip = Tip::genesis(&options.key);
    Ok((open_writer(path, &SCHEMA)?, tip, Some(Trouble::BeganAnew { kept: Some(kept), reason })))
}

enum Found {
    Sound(Connection, Box<Tip>),
    Damaged(String),
}

fn try_open(options: &AuditOptions) -> Result<Found, OpenError> {
    let connection = open_writer(&options.path, &SCHEMA)?;
    let found = FoundTip::read(&connection, &options.key).map_err(OpenError::Read)?;
    let last = last_row(&connection).map_err(OpenError::Read)?;
    let last_seq = last.as_ref().map(|row| row.seq);
    let tip = match found {
        FoundTip::Fresh if last.is_none() => Tip::genesis(&options.key),
        FoundTip::Sound(tip) => tip,
        FoundTip::Fresh | FoundTip::Changed => {
            return Ok(Found::Damaged("the tip of the chain was changed, or its key is another one".to_owned()));
        }
    };
    let expected = Some(tip.seq).filter(|_| tip.count > 0);
    if last_seq != expected {
        let reason = format!("the last entry is {last_seq:?}, and {expected:?} was written last");
        return Ok(Found::Damaged(reason));
    }
    if last.is_some_and(|row| row.stored_hash() != Some(tip.hash)) {
        return Ok(Found::Damaged(format!("entry {} was changed", tip.seq)));
    }
    Ok(Found::Sound(connection, Box::new(tip)))
}

fn last_row(connection: &Connection) -> rusqlite::Result<Option<RawRow>> {
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM entries ORDER BY seq DESC LIMIT 1"))?;
    let mut rows = statement.query([])?;
    rows.next()?.map(RawRow::read).transpose()
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

/// Renames the file with its log to a name that tells when.
fn put_aside(path: &Path, now: Timestamp) -> Result<PathBuf, OpenError> {
    let with = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let mark = (0..).map(|turn| format!(".damaged-{}-{turn}", now.as_millis()));
    let mark = mark.into_iter().find(|mark| !with(mark).exists()).unwrap_or_default();
    let failed = |source| OpenError::PutAside { path: path.to_owned(), source };
    for part in ["-wal", "-shm"] {
        match std::fs::rename(with(part), with(&format!("{mark}{part}"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    let kept = with(&mark);
    std::fs::rename(path, &kept).map_err(failed)?;
    Ok(kept)
}
