//! Looking out for a node that somebody else starts on the same data: a service that is restarted, or `flowork serve` in a
//! terminal. Nothing is asked by the clock: the system tells when the lock's file changes.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use flowork_node::{Holder, InstanceLock};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher, event::AccessKind};
use tokio::{sync::mpsc, time::timeout};

/// A file that is closed for good is told of a moment before its lock ends, so there is a second look after this.
const SETTLES_WITHIN: Duration = Duration::from_millis(200);
/// What the lock's files begin with; which of them it is differs between systems.
const LOCK: &str = "instance.lock";

/// Who has the data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Nobody.
    Nobody {
        /// Whoever had it last stopped; otherwise it was ended by force.
        in_order: bool,
    },
    /// A node that does not serve yet, or does not any more.
    Busy,
    /// A node that serves.
    Serving(Holder),
}

/// Why nothing is told of the data directory.
#[derive(Debug, thiserror::Error)]
#[error("changes in {} are not noticed", .path.display())]
pub struct LookoutError {
    /// The directory.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: notify::Error,
}

/// Sees who has a data directory, until it is dropped.
#[derive(Debug)]
pub struct Lookout {
    data_dir: PathBuf,
    changes: mpsc::Receiver<()>,
    last: Option<Sight>,
    /// Something has changed since the last look but one.
    unsettled: bool,
    _watcher: RecommendedWatcher,
}

impl Lookout {
    /// Begins to look.
    ///
    /// # Errors
    /// The directory is not there, or the system watches no more directories.
    pub fn begin(data_dir: &Path) -> Result<Self, LookoutError> {
        let error = |source| LookoutError { path: data_dir.to_owned(), source };
        // One is enough: whoever takes it looks at how things are then.
        let (changed, changes) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.as_ref().map_or(true, concerns_the_lock) {
                // Full: somebody is about to look anyway.
                let _ = changed.try_send(());
            }
        })
        .map_err(error)?;
        watcher.watch(data_dir, RecursiveMode::NonRecursive).map_err(error)?;
        Ok(Self { data_dir: data_dir.to_owned(), changes, last: None, unsettled: false, _watcher: watcher })
    }

    /// What there is to see: the first time at once, then whenever it is something else.
    pub async fn next(&mut self) -> Sight {
        loop {
            let now = self.look();
            if self.last.as_ref() != Some(&now) {
                self.last = Some(now.clone());
                return now;
            }
            let change = self.changes.recv();
            let changed = if self.unsettled { timeout(SETTLES_WITHIN, change).await } else { Ok(change.await) };
            self.unsettled = changed.is_ok();
            // It ends with the watcher, which is this one's own.
            if matches!(changed, Ok(None)) {
                return std::future::pending().await;
            }
        }
    }

    fn look(&self) -> Sight {
        match InstanceLock::find(&self.data_dir) {
            Ok(None) => Sight::Nobody { in_order: InstanceLock::was_given_back(&self.data_dir) },
            Ok(Some(holder)) if holder.url.is_some() => Sight::Serving(holder),
            Ok(Some(_)) => Sight::Busy,
            Err(error) => {
                tracing::debug!(%error, "who has the data directory cannot be seen");
                Sight::Busy
            }
        }
    }
}

/// Whether an event is one of writing to the lock. Looking at it is an event, too; looking again for that would never end.
fn concerns_the_lock(event: &Event) -> bool {
    let looks = matches!(event.kind, EventKind::Access(kind) if !matches!(kind, AccessKind::Close(_)));
    let is_lock = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(LOCK));
    // An event without a path says that some were missed.
    !looks && (event.paths.is_empty() || event.paths.iter().any(is_lock))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use flowork_api_types::Timestamp;

    use super::*;

    /// Far longer than anything here takes; only a defect waits for it.
    const PATIENCE: Duration = Duration::from_mins(1);

    async fn next(lookout: &mut Lookout) -> Sight {
        timeout(PATIENCE, lookout.next()).await.expect("something is seen")
    }

    #[tokio::test]
    async fn node_is_seen_to_come_to_serve_and_to_go_as_often_as_it_does() {
        let dir = tempfile::tempdir().unwrap();
        let mut lookout = Lookout::begin(dir.path()).unwrap();
        assert_eq!(next(&mut lookout).await, Sight::Nobody { in_order: true }, "nobody has been here yet");
        for port in [7001, 7002] {
            let mut lock = InstanceLock::take(dir.path(), Timestamp(0)).unwrap();
            assert_eq!(next(&mut lookout).await, Sight::Busy, "it does not serve yet");
            let url = format!("http://127.0.0.1:{port}");
            lock.set_url(&url).unwrap();
            let Sight::Serving(holder) = next(&mut lookout).await else { panic!("it serves") };
            assert_eq!((holder.pid, holder.url), (std::process::id(), Some(url)));
            drop(lock);
            assert_eq!(next(&mut lookout).await, Sight::Nobody { in_order: true });
        }
    }

    #[tokio::test]
    async fn node_that_was_ended_by_force_is_told_from_one_that_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let mut lock = InstanceLock::take(dir.path(), Timestamp(0)).unwrap();
        lock.set_url("http://127.0.0.1:1").unwrap();
        let said = fs::read(dir.path().join(LOCK)).unwrap();
        drop(lock);
        fs::write(dir.path().join(LOCK), said).unwrap();
        let mut lookout = Lookout::begin(dir.path()).unwrap();
        assert_eq!(next(&mut lookout).await, Sight::Nobody { in_order: false });
    }

    #[tokio::test]
    async fn directory_that_is_not_there_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = Lookout::begin(&dir.path().join("nowhere")).expect_err("there is nothing to watch");
        assert!(error.to_string().contains("nowhere"), "{error}");
    }

    #[test]
    fn only_writing_to_the_lock_is_worth_a_look() {
        use notify::event::{AccessMode, CreateKind, ModifyKind};
        let check = |kind: EventKind, name: &str, expected: bool| {
            let event = Event::new(kind).add_path(PathBuf::from("/data").join(name));
            assert_eq!(concerns_the_lock(&event), expected, "{event:?}");
        };
        check(EventKind::Modify(ModifyKind::Any), "instance.lock", true);
        check(EventKind::Create(CreateKind::File), "instance.lock.held", true);
        check(EventKind::Access(AccessKind::Close(AccessMode::Write)), "instance.lock", true);
        check(EventKind::Access(AccessKind::Open(AccessMode::Any)), "instance.lock", false);
        check(EventKind::Modify(ModifyKind::Any), "control.db-wal", false);
        assert!(concerns_the_lock(&Event::new(EventKind::Other)), "some were missed");
    }
}
