//! Starts a program with its own process group, and sees to it that the whole group ends.
//!
//! A process that leaves its group on purpose (`setsid`) is not found. `pid_file` lets a start end what a crash left
//! running.

#[cfg(unix)]
mod pid_file;

use std::{
    ffi::OsString,
    io,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

#[cfg(unix)]
use pid_file::PidFile;
#[cfg(unix)]
pub use pid_file::end_orphans;

/// Between the request to end and the end.
const TERMINATE_GRACE: Duration = Duration::from_secs(2);

/// Nothing to do: Windows ends the processes of jobs with their host.
#[cfg(not(unix))]
pub fn end_orphans(_: &Path) {}

/// What to start.
pub(crate) struct Start<'a> {
    pub(crate) program: &'a Path,
    /// What the program is told that it is called, on Unix; its path if `None`.
    pub(crate) called: Option<&'a Path>,
    pub(crate) args: &'a [String],
    pub(crate) folder: &'a Path,
    /// All of it: nothing is inherited.
    pub(crate) environment: Vec<(OsString, OsString)>,
}

/// A running program; dropping it kills it and its children.
pub(crate) struct Process {
    child: Box<dyn ChildWrapper>,
    ended: bool,
    /// Removed after the kill, as the drop of a field comes after that of its struct.
    #[cfg(unix)]
    pid_file: Option<PidFile>,
}

/// The three pipes of a program.
pub(crate) struct Pipes {
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
}

impl Process {
    /// Starts a program.
    pub(crate) fn start(start: Start<'_>) -> io::Result<(Self, Pipes)> {
        let mut command = CommandWrap::with_new(start.program, |command| {
            command
                .args(start.args)
                .current_dir(start.folder)
                .env_clear()
                .envs(start.environment)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            #[cfg(unix)]
            if let Some(called) = start.called {
                command.arg0(called);
            }
            #[cfg(not(unix))]
            let _ = start.called;
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
    pub(crate) fn record(&mut self, dir: &Path, job_id: &str) {
        self.pid_file = self.child.id().and_then(|pid| PidFile::write(dir, job_id, pid));
    }

    /// Bounds the memory that the program, and each program it starts, may have of its own; and no core dumps.
    ///
    /// It counts what a process may write and shares with nobody (`RLIMIT_DATA`), not the address space: many language
    /// runtimes reserve much more of that than they ever use. Set right after the start, before the program has
    /// loaded its libraries.
    ///
    /// # Errors
    /// The system refuses, for example for a program that runs as another user.
    #[cfg(target_os = "linux")]
    pub(crate) fn limit_memory(&self, bytes: u64) -> io::Result<()> {
        use rustix::process::{Pid, Resource, Rlimit, prlimit};
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        let Some(pid) = pid else { return Ok(()) };
        for (resource, most) in [(Resource::Data, bytes), (Resource::Core, 0)] {
            prlimit(Some(pid), resource, Rlimit { current: Some(most), maximum: Some(most) })?;
        }
        Ok(())
    }

    /// Waits for the program itself, then kills what it left behind.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        // Fails if nothing is left, which is the rule.
        self.child.start_kill().ok();
        self.ended = true;
        Ok(status)
    }

    /// Kills the program and its children.
    pub(crate) async fn kill(&mut self) {
        self.child.start_kill().ok();
        if let Err(error) = self.wait().await {
            tracing::warn!(%error, "a killed program can't be waited for");
        }
    }

    /// Asks the program to end, and kills it if it does not.
    pub(crate) async fn terminate(&mut self) {
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

/// The signal that ended a program.
#[cfg(unix)]
pub(crate) fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

/// None: there are no signals here.
#[cfg(not(unix))]
pub(crate) fn signal(_: ExitStatus) -> Option<i32> {
    None
}

/// How a program ended, for people.
pub(crate) fn describe(status: ExitStatus) -> String {
    match (status.code(), signal(status)) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown status".to_owned(),
    }
}
