//! What targets need around them: a real node, a runtime, folders that go away.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use flowork_api_types::auth::Role;
use flowork_node::{Config, Flags, Node, NodeHandle, access::TokenSigner};
use tokio::runtime::{Builder, Runtime};

/// Longer than a fuzzing run that anybody starts.
const TOKEN_LIFE: Duration = Duration::from_hours(24);

/// A node that serves until the process ends.
pub(crate) struct Fuzzed {
    /// `127.0.0.1:40001`
    pub(crate) address: String,
    /// A token of the owner.
    pub(crate) owner: String,
    _handle: NodeHandle,
}

/// The runtime of all targets.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads can be started")
    })
}

/// The node of all targets, started when the first one asks.
pub(crate) fn node() -> &'static Fuzzed {
    static NODE: OnceLock<Fuzzed> = OnceLock::new();
    static FOLDER: OnceLock<Scratch> = OnceLock::new();
    NODE.get_or_init(|| {
        let folder = FOLDER.get_or_init(|| Scratch::new("node"));
        let flags = Flags {
            data_dir: Some(folder.path().join("data").display().to_string()),
            listen: Some("127.0.0.1:0".to_owned()),
            workers: Some("1".to_owned()),
            ..Flags::default()
        };
        let settings = [
            ("FLOWORK_VAULT", "file".to_owned()),
            ("FLOWORK_VAULT_KEY_DIR", folder.path().join("keys").display().to_string()),
            ("FLOWORK_QUEUE_HARD_CAP", "1000".to_owned()),
            ("FLOWORK_LOG", "error".to_owned()),
        ];
        let settings: BTreeMap<_, _> = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let config = Config::load_with(&flags, &settings).expect("these settings are valid");
        let handle = runtime().block_on(Node::start(config.clone())).expect("a node starts here");
        let signer = TokenSigner::open(&config).expect("the node has made its key");
        let owner = signer.sign(Role::Owner, TOKEN_LIFE).expect("the life is within its bounds");
        let address = handle.url().trim_start_matches("http://").trim_end_matches('/').to_owned();
        Fuzzed { address, owner, _handle: handle }
    })
}

/// A folder for files of this process, removed when it is dropped, or else by a later process.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let all = std::env::temp_dir().join("flowork-fuzz");
        // A fuzzer ends without a goodbye, and what lives in a static is never dropped.
        for left in fs::read_dir(&all).into_iter().flatten().flatten() {
            let name = left.file_name();
            let pid = name.to_str().and_then(|name| name.split('-').next()?.parse::<u32>().ok());
            if pid.is_some_and(|pid| Path::new("/proc/self").exists() && !Path::new(&format!("/proc/{pid}")).exists()) {
                drop(fs::remove_dir_all(left.path()));
            }
        }
        let thread = format!("{:?}", std::thread::current().id());
        let thread: String = thread.chars().filter(char::is_ascii_digit).collect();
        let path = all.join(format!("{}-{name}-{thread}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder can be made");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            eprintln!("{}: {error}", self.0.display());
        }
    }
}
