//! Starts a program with its own process group, and sees to it that the whole group ends.
//!
//! A process that leaves its group on purpose (`setsid`) is not found.

use std::{
    io,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

#[cfg(unix)]
use super::pid_file::PidFile;

/// Between the request to end and the end.
const TERMINATE_GRACE: Duration = Duration::from_secs(2);

/// Variables a module gets. Not the others: they hold what was meant for the node alone.
const ENVIRONMENT: [&str; 18] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    // Windows programs do not start without these.
    "SystemRoot",
    "SystemDrive",
    "windir",
    "TEMP",
    "TMP",
    "PATHEXT",
    "COMSPEC",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "ProgramFiles",
];

/// A running program; dropping it kills it and its children.
pub(super) struct Process {
    child: Box<dyn ChildWrapper>,
    ended: bool,
    /// Removed after the kill, as the drop of a field comes after that of its struct.
    #[cfg(unix)]
    pid_file: Option<PidFile>,
}

/// The three pipes of a program.
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

impl Process {
    /// Starts `program` in `folder`.
    pub(super) fn start(program: &Path, args: &[String], folder: &Path) -> io::Result<(Self, Pipes)> {
        let mut command = CommandWrap::with_new(program, |command| {
            command
                .args(args)
                .current_dir(folder)
                .env_clear()
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            for (name, value) in std::env::vars_os() {
                let is_allowed = name.to_str().is_some_and(|name| {
                    name.starts_with("LC_") || ENVIRONMENT.iter().any(|allowed| name.eq_ignore_ascii_case(allowed))
                });
                if is_allowed {
                    command.env(name, value);
                }
            }
        });
        command.wrap(KillOnDrop);
        #[cfg(unix)]
        command.wrap(process_wrap::tokio::ProcessGroup::leader());
        #[cfg(windows)]
        command.wrap(process_wrap::tokio::JobObject);
        let mut child = command.spawn()?;
        let (stdin, stdout, stderr) = (child.stdin().take(), child.stdout().take(), child.stderr().take());
        let process = Self {
            child,
            ended: false,
            #[cfg(unix)]
            pid_file: None,
        };
        match (stdin, stdout, stderr) {
            (Some(stdin), Some(stdout), Some(stderr)) => Ok((process, Pipes { stdin, stdout, stderr })),
            _ => Err(io::Error::other("the program has no pipes")),
        }
    }

    /// Keeps a record of the process in `dir` for as long as it is held here.
    #[cfg(unix)]
    pub(super) fn record(&mut self, dir: &Path, job_id: &str) {
        self.pid_file = self.child.id().and_then(|pid| PidFile::write(dir, job_id, pid));
    }

    /// Waits for the program itself, then kills what it left behind.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        // Fails if nothing is left, which is the rule.
        self.child.start_kill().ok();
        self.ended = true;
        Ok(status)
    }

    /// Kills the program and its children.
    pub(super) async fn kill(&mut self) {
        self.child.start_kill().ok();
        if let Err(error) = self.wait().await {
            tracing::warn!(%error, "a killed module can't be waited for");
        }
    }

    /// Asks the program to end, and kills it if it does not.
    pub(super) async fn terminate(&mut self) {
        #[cfg(unix)]
        {
            const SIGTERM: i32 = 15;
            self.child.signal(SIGTERM).ok();
            if tokio::time::timeout(TERMINATE_GRACE, self.wait()).await.is_ok() {
                return;
            }
        }
        self.kill().await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.ended {
            self.child.start_kill().ok();
        }
    }
}
