//! A data directory of its own for each test, and the processes started on it.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
};

use serde_json::Value;

/// A data directory and a place for its vault's key.
pub(crate) struct World {
    root: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    /// Writes the node's `config.toml`.
    pub(crate) fn config(&self, text: &str) {
        fs::create_dir_all(self.data()).unwrap();
        fs::write(self.data().join("config.toml"), text).unwrap();
    }

    /// `flowork` with nothing of this machine's environment that could change what it does.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowork"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FLOWORK_") {
                command.env_remove(name);
            }
        }
        command.env("FLOWORK_DATA_DIR", self.data()).env("FLOWORK_VAULT", "file");
        command.env("FLOWORK_VAULT_KEY_DIR", self.root.path().join("keys"));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(arguments))
    }

    /// Runs a command that must succeed and reads its JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let outcome = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(outcome.code(), 0, "{arguments:?}: {}", outcome.stderr());
        serde_json::from_str(&outcome.stdout()).unwrap()
    }

    /// Starts the node and waits for it to be ready.
    pub(crate) fn serve(&self) -> Served {
        Served::start(self.command(&["serve", "--json", "--listen", "127.0.0.1:0"]))
    }
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Outcome(Output);

impl Outcome {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        Self(command.output().unwrap())
    }

    pub(crate) fn code(&self) -> i32 {
        self.0.status.code().unwrap()
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }
}

/// A process that prints JSON lines and runs until it is told to stop.
pub(crate) struct Served {
    child: Child,
    lines: BufReader<ChildStdout>,
    pub(crate) ready: Value,
}

impl Served {
    /// Starts it and waits for its first line.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut served = Self { child, lines, ready: Value::Null };
        served.ready = served.next_line().unwrap_or_else(|| panic!("it did not start: {}", served.rest_of_stderr()));
        assert_eq!(served.ready["event"], "ready");
        served
    }

    pub(crate) fn url(&self) -> &str {
        self.ready["url"].as_str().unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line it prints; `None` once it has ended.
    pub(crate) fn next_line(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        if line.is_empty() { None } else { Some(serde_json::from_str(&line).unwrap()) }
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    fn rest_of_stderr(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process of the test's own.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().unwrap();
    assert!(sent.success());
}
