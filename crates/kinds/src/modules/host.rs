//! Keeps the registered kinds in step with the modules directory.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use flowork_api_types::kind::BrokenModule;
use flowork_engine::KindRegistry;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use super::{
    ModuleOptions,
    manifest::{Manifest, ManifestError, kind_name},
    run::Module,
};

/// After the last of a burst of changes: an editor that saves, or a copy of a folder, makes many.
const QUIET: Duration = Duration::from_millis(200);
/// A directory that never gets quiet is read all the same.
const QUIET_MAX: Duration = Duration::from_secs(2);
/// Modules of one node.
const MODULES_MAX: usize = 256;

/// Something a person should know that stops nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Stable, in `UPPER_SNAKE`.
    pub code: &'static str,
    /// What is the matter.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

/// Why the modules directory can't be used.
#[derive(Debug, thiserror::Error)]
#[error("can't use the modules directory {path}")]
pub struct ModuleHostError {
    /// The directory.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Registers the modules of a directory and follows its changes until it is stopped or dropped.
#[derive(Debug)]
pub struct ModuleHost {
    watch: Option<JoinHandle<()>>,
    notice: Option<Notice>,
}

impl ModuleHost {
    /// Makes the directory if need be, registers what is in it, and watches it. Call it within a tokio runtime.
    ///
    /// Where the system can't watch, the modules are there and [`Self::notice`] says that changes need a restart.
    ///
    /// # Errors
    /// The directory can't be made or read.
    pub fn start(dir: &Path, registry: KindRegistry, options: ModuleOptions) -> Result<Self, ModuleHostError> {
        let fail = |source| ModuleHostError { path: dir.to_owned(), source };
        std::fs::create_dir_all(dir).map_err(fail)?;
        let mut modules =
            Modules { dir: dir.to_owned(), registry, options, loaded: BTreeMap::new(), broken: Vec::new() };
        // One event is enough to know that something happened; more wait for nothing.
        let (changed, changes) = mpsc::channel(1);
        // Watched before the first look, so that nothing falls between the two.
        let watched = watcher(changed).and_then(|mut watcher| {
            watcher.watch(dir, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        let (watch, notice) = match watched {
            Ok(watcher) => {
                let mut watch = Watch { modules, watcher, folders: BTreeSet::new(), changes };
                watch.watch_folders();
                watch.modules.reload().map_err(fail)?;
                (Some(tokio::spawn(watch.run())), None)
            }
            Err(error) => {
                modules.reload().map_err(fail)?;
                (None, Some(not_watched(dir, &error)))
            }
        };
        Ok(Self { watch, notice })
    }

    /// What a person should know.
    pub fn notice(&self) -> Option<&Notice> {
        self.notice.as_ref()
    }

    /// Ends the watch; the kinds stay registered.
    pub async fn stop(mut self) {
        if let Some(watch) = self.watch.take() {
            watch.abort();
            // Aborted on purpose: the only error is that.
            watch.await.ok();
        }
    }
}

impl Drop for ModuleHost {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
    }
}

fn watcher(changed: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading a manifest is an event too; acting on it would never end.
        if event.is_ok_and(|event| event.kind.is_access()) {
            return;
        }
        // Full: somebody is on the way already.
        changed.try_send(()).ok();
    })
}

fn not_watched(dir: &Path, error: &notify::Error) -> Notice {
    Notice {
        code: "MODULES_NOT_WATCHED",
        message: format!("changes in {} are not noticed while running: {error}", dir.display()),
        hint: match error.kind {
            notify::ErrorKind::MaxFilesWatch => {
                "raise the limit (sysctl fs.inotify.max_user_watches=524288) and restart".to_owned()
            }
            _ => "restart the node after changing a module".to_owned(),
        },
    }
}

/// Follows the directory.
struct Watch {
    modules: Modules,
    watcher: RecommendedWatcher,
    /// Folders of modules that are watched.
    folders: BTreeSet<PathBuf>,
    changes: mpsc::Receiver<()>,
}

impl Watch {
    async fn run(mut self) {
        loop {
            if self.changes.recv().await.is_none() {
                return;
            }
            let latest = Instant::now() + QUIET_MAX;
            while let Ok(Some(())) = timeout_at(latest.min(Instant::now() + QUIET), self.changes.recv()).await {}
            self.watch_folders();
            let mut modules = self.modules;
            let reloaded = tokio::task::spawn_blocking(move || {
                if let Err(error) = modules.reload() {
                    tracing::warn!(dir = %modules.dir.display(), %error, "the modules directory can't be read");
                }
                modules
            });
            let Ok(modules) = reloaded.await else { return };
            self.modules = modules;
        }
    }

    /// Watches the folder of each module. Only one level: a module may hold thousands of files that do not matter.
    fn watch_folders(&mut self) {
        let present: BTreeSet<_> = folders(&self.modules.dir).unwrap_or_default().into_iter().collect();
        for gone in self.folders.difference(&present) {
            self.watcher.unwatch(gone).ok();
        }
        let mut watched = BTreeSet::new();
        for folder in present {
            // Again even if watched: a folder that was replaced under its name is another one.
            match self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    watched.insert(folder);
                }
                Err(error) => tracing::warn!(folder = %folder.display(), %error, "a module is not watched"),
            }
        }
        self.folders = watched;
    }
}

/// What is registered.
struct Modules {
    dir: PathBuf,
    registry: KindRegistry,
    options: ModuleOptions,
    loaded: BTreeMap<String, Manifest>,
    broken: Vec<BrokenModule>,
}

impl Modules {
    /// Reads the directory and registers what changed.
    fn reload(&mut self) -> io::Result<()> {
        let mut good = BTreeMap::new();
        let mut broken = Vec::new();
        for (index, folder) in folders(&self.dir)?.into_iter().enumerate() {
            let id = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let manifest = if index < MODULES_MAX { Manifest::load(&folder) } else { Err(too_many()) };
            match manifest {
                Ok(manifest) => {
                    good.insert(id, (manifest, folder));
                }
                Err(ManifestError { reason, hint }) => broken.push(BrokenModule { id, reason, hint }),
            }
        }
        for gone in self.loaded.keys().filter(|id| !good.contains_key(*id)) {
            self.registry.unregister(&kind_name(gone));
        }
        let mut loaded = BTreeMap::new();
        for (id, (manifest, folder)) in good {
            if self.loaded.get(&id) != Some(&manifest) {
                let module = Module::new(manifest.clone(), folder, self.options.clone());
                if let Err(error) = self.registry.register(Arc::new(module)) {
                    self.registry.unregister(&kind_name(&id));
                    broken.push(BrokenModule { id, reason: error.to_string(), hint: None });
                    continue;
                }
            }
            loaded.insert(id, manifest);
        }
        self.loaded = loaded;
        if self.broken != broken {
            self.broken.clone_from(&broken);
            self.registry.set_broken_modules(broken);
        }
        Ok(())
    }
}

fn too_many() -> ManifestError {
    ManifestError {
        reason: format!("there are more than {MODULES_MAX} modules"),
        hint: Some("remove those that are not needed".to_owned()),
    }
}

/// The folders of modules by name. Hidden ones are not modules: they are being written, or belong to an editor.
fn folders(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !is_hidden && path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}
