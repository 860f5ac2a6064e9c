//! Remembers on disk which processes run for jobs, so that the next start can end those whose host was killed.
//!
//! A pid alone names nobody for long: systems give it out again. Each process is recorded with its start time, and
//! nothing is killed unless both match. Several hosts may share a directory; what a living one started is not touched.
//!
//! For Unix. On Windows the system itself ends the processes of a job with their host.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use serde::{Deserialize, Serialize};

/// The record of one running program; dropping it removes it.
#[derive(Debug)]
pub(super) struct PidFile(PathBuf);

/// What is in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    job_id: String,
    /// The program, which leads the process group of the same number.
    leader: Process,
    /// What started it.
    host: Process,
}

/// A process that can be told from a later one of its number.
#[derive(Debug, Serialize, Deserialize)]
struct Process {
    pid: i32,
    started: String,
}

/// What became of a recorded process group.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// Its host lives and looks after it.
    Hosted,
    Killed,
    /// It lives and can't be killed, or can't be told from another of its number.
    Left(String),
    Gone,
}

impl PidFile {
    /// Records the group that `pid` leads. A program that can't be recorded runs all the same.
    pub(super) fn write(dir: &Path, job_id: &str, pid: u32) -> Option<Self> {
        let record = Record { job_id: job_id.to_owned(), leader: Process::find(pid)?, host: Process::this()? };
        // By pid: the attempt before may not have ended when the job is claimed again.
        let path = dir.join(format!("{pid}.json"));
        let partial = dir.join(format!(".{pid}.new"));
        let written = serde_json::to_vec(&record)
            .map_err(io::Error::from)
            .and_then(|bytes| fs::write(&partial, bytes))
            // Another host that looks at this moment sees the whole record or none.
            .and_then(|()| fs::rename(&partial, &path));
        match written {
            Ok(()) => Some(Self(path)),
            Err(error) => {
                tracing::warn!(job_id, pid, %error, "a program is not recorded; it would outlive a crash of its host");
                None
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "the record of a program can't be removed");
        }
    }
}

/// Kills the programs of jobs recorded in `dir` whose host has died, with their children, and removes their records. Blocks,
/// briefly.
///
/// A program that has ended and left children behind is not to be told from a later one of its number: they are left
/// alone, and the log says so.
pub fn end_orphans(dir: &Path) {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            tracing::warn!(dir = %dir.display(), %error, "the records of modules can't be read");
            return;
        }
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "json") {
            end_orphan(&path);
        }
    }
}

fn end_orphan(path: &Path) {
    match fs::read(path).and_then(|bytes| Ok(serde_json::from_slice::<Record>(&bytes)?)) {
        Ok(Record { job_id, leader, host }) => match leader.end(&host) {
            Fate::Hosted => return,
            Fate::Gone => {}
            Fate::Killed => {
                tracing::warn!(job_id, pid = leader.pid, "killed a program that had outlived its host");
            }
            Fate::Left(reason) => {
                tracing::warn!(job_id, pid = leader.pid, reason, "processes of a job may still run and are left alone");
            }
        },
        // Its host ended in order a moment ago.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => tracing::warn!(path = %path.display(), %error, "the record of a program can't be read"),
    }
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "the record of a program can't be removed");
    }
}

impl Process {
    fn this() -> Option<Self> {
        Self::find(std::process::id())
    }

    fn find(pid: u32) -> Option<Self> {
        let pid = i32::try_from(pid).ok()?;
        Some(Self { pid, started: started(pid)? })
    }

    fn is_alive(&self) -> bool {
        started(self.pid).as_ref() == Some(&self.started)
    }

    /// Kills the group of this leader if nobody looks after it.
    fn end(&self, host: &Self) -> Fate {
        if host.is_alive() {
            return Fate::Hosted;
        }
        // As a group, 1 and less are everybody.
        let Some(group) = (self.pid > 1).then(|| Pid::from_raw(self.pid)).flatten() else { return Fate::Gone };
        match started(self.pid) {
            Some(started) if started == self.started => match kill_process_group(group, Signal::KILL) {
                // Not waited for: none of them runs a line of its own code any more.
                Ok(()) => Fate::Killed,
                Err(rustix::io::Errno::SRCH) => Fate::Gone,
                Err(error) => Fate::Left(error.to_string()),
            },
            None if test_kill_process_group(group).is_ok() => Fate::Left("their leader has ended".to_owned()),
            // Or another has the number now, which is not given out again while its group has members.
            None | Some(_) => Fate::Gone,
        }
    }
}

/// When a process was started, as text to compare; `None` if there is none.
///
/// Exact: the clock ticks since this boot. Field 22 of `stat`, counted behind the name of the program, which may hold
/// anything.
#[cfg(target_os = "linux")]
fn started(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_ascii_whitespace().nth(19)?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{}/{ticks}", boot.trim()))
}

/// When a process was started, as text to compare; `None` if there is none. To the second.
#[cfg(not(target_os = "linux"))]
fn started(pid: i32) -> Option<String> {
    let pid = sysinfo::Pid::from_u32(u32::try_from(pid).ok()?);
    let mut system = sysinfo::System::new().ok()?;
    let what = sysinfo::ProcessRefreshKind::nothing();
    system.refresh_processes_specifics(sysinfo::ProcessesToUpdate::Some(&[pid]), true, what);
    system.process(pid).map(|process| process.start_time().to_string())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Read},
        os::unix::process::{CommandExt, ExitStatusExt},
        process::{Child, Command, Stdio},
    };

    use super::*;

    /// A leader with a child; both hold the pipe.
    fn group(script: &str) -> (Child, BufReader<std::process::ChildStdout>) {
        let mut command = Command::new("sh");
        let mut leader = command.args(["-c", script]).process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let mut pipe = BufReader::new(leader.stdout.take().unwrap());
        let mut line = String::new();
        pipe.read_line(&mut line).unwrap();
        assert_eq!(line, "started\n");
        (leader, pipe)
    }

    const FAMILY: &str = "sleep 600 & echo started; sleep 600";

    fn gone() -> Process {
        Process { pid: i32::try_from(std::process::id()).unwrap(), started: "another time".to_owned() }
    }

    fn record(dir: &Path, leader: Process, host: Process) -> PathBuf {
        let path = dir.join(format!("{}.json", leader.pid));
        let record = Record { job_id: "job_1".to_owned(), leader, host };
        fs::write(&path, serde_json::to_vec(&record).unwrap()).unwrap();
        path
    }

    #[test]
    fn an_orphan_is_killed_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let (mut leader, mut pipe) = group(FAMILY);
        let path = record(dir.path(), Process::find(leader.id()).unwrap(), gone());
        end_orphans(dir.path());
        assert_eq!(leader.wait().unwrap().signal(), Some(9));
        // At its end only once nobody holds the other one.
        assert_eq!(pipe.read_to_end(&mut Vec::new()).unwrap(), 0);
        assert!(!path.exists());
    }

    #[test]
    fn a_process_of_the_same_number_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (mut leader, _pipe) = group(FAMILY);
        let pid = i32::try_from(leader.id()).unwrap();
        let path = record(dir.path(), Process { pid, started: "another time".to_owned() }, gone());
        end_orphans(dir.path());
        assert!(leader.try_wait().unwrap().is_none() && !path.exists());
        kill_process_group(Pid::from_child(&leader), Signal::KILL).unwrap();
        leader.wait().unwrap();
    }

    #[test]
    fn what_a_living_host_started_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (mut leader, _pipe) = group(FAMILY);
        let file = PidFile::write(dir.path(), "job_1", leader.id()).unwrap();
        end_orphans(dir.path());
        assert!(leader.try_wait().unwrap().is_none() && file.0.exists());
        kill_process_group(Pid::from_child(&leader), Signal::KILL).unwrap();
        leader.wait().unwrap();
        drop(file);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn children_whose_leader_has_ended_are_left_alone() {
        let (mut leader, mut pipe) = group("sleep 600 & echo started");
        let group = Pid::from_child(&leader);
        let process = Process::find(leader.id()).unwrap();
        leader.wait().unwrap();
        assert!(matches!(process.end(&gone()), Fate::Left(_)));
        kill_process_group(group, Signal::KILL).unwrap();
        assert_eq!(pipe.read_to_end(&mut Vec::new()).unwrap(), 0);
    }

    #[test]
    fn a_group_that_is_everybody_is_never_killed() {
        for pid in [-1, 0, 1] {
            let leader = Process { pid, started: started(pid).unwrap_or_default() };
            assert_eq!(leader.end(&gone()), Fate::Gone);
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("7.json"), "{ this is not JSON").unwrap();
        end_orphans(dir.path());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        end_orphans(&dir.path().join("not there"));
    }
}
