//! What an answer is worth: counted with `strace` while one client enqueues a few jobs, and one worker runs a few, one
//! after another.

use std::{
    fmt,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{contender::Contender, memory};

/// Jobs while it is counted.
const JOBS: u64 = 100;
/// What makes writes durable.
const SYNCS: &[&str] = &["fdatasync(", "fsync(", "sync_file_range(", "msync("];
/// What hands writes to the kernel, from where they survive the process but not the power.
const WRITES: &[&str] = &["write(", "pwrite64(", "writev(", "pwritev("];

/// What is true of a job once the queue has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// It is on the disk.
    Synced,
    /// The kernel has it.
    Crash,
    /// The process has it.
    Buffered,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Synced => "answered after fsync",
            Self::Crash => "safe against a process crash only",
            Self::Buffered => "buffered",
        })
    }
}

/// System calls on a contender's files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calls {
    jobs: u64,
    syncs: u64,
    writes: u64,
}

impl Calls {
    /// With one client that waits for each answer nothing can be shared: fewer calls than jobs are jobs answered
    /// before theirs. The same goes for one worker and the ends of its jobs.
    pub(super) fn durability(self) -> Durability {
        if self.syncs >= self.jobs {
            Durability::Synced
        } else if self.writes >= self.jobs {
            Durability::Crash
        } else {
            Durability::Buffered
        }
    }
}

impl fmt::Display for Calls {
    /// For a hundred jobs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each_hundred = |count: u64| count * 100 / self.jobs.max(1);
        write!(f, "{} fsyncs, {} writes", each_hundred(self.syncs), each_hundred(self.writes))
    }
}

/// What was counted for each side of a queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) enqueue: Calls,
    pub(super) finish: Calls,
}

/// Counts what `contender` does for a few jobs. It leaves some of them queued.
pub(super) fn count(contender: &mut Contender) -> anyhow::Result<Counted> {
    // Let it open what it opens once.
    contender.ask(&json!({"op": "enqueue", "clients": 1, "jobs": 3, "seconds": 10}), super::LINE_MAX)?;
    let enqueue = traced(contender, &json!({"op": "enqueue", "clients": 1, "jobs": JOBS, "seconds": 60}))?;
    contender.ask(&json!({"op": "fill", "jobs": JOBS, "seconds": 60}), super::LINE_MAX)?;
    let finish = traced(contender, &json!({"op": "work", "workers": 1, "jobs": JOBS, "seconds": 60}))?;
    Ok(Counted { enqueue, finish })
}

/// Asks, and counts the calls until the answer.
fn traced(contender: &mut Contender, request: &Value) -> anyhow::Result<Calls> {
    let trace = tempfile::NamedTempFile::new()?;
    let tracer = attach(&memory::with_children(&contender.process_ids()), trace.path())?;
    let asked = contender.ask(request, super::LINE_MAX);
    detach(tracer)?;
    let jobs = asked?.jobs;
    let trace = std::fs::read_to_string(trace.path())?;
    let files = contender.files();
    let on_files = |calls: &[&str]| {
        let files = files.to_string_lossy();
        trace.lines().filter(|line| calls.iter().any(|call| is_call(line, call)) && line.contains(&*files)).count()
    };
    Ok(Calls { jobs, syncs: on_files(SYNCS) as u64, writes: on_files(WRITES) as u64 })
}

/// Whether a line, behind the thread it is of, begins with this call.
fn is_call(line: &str, call: &str) -> bool {
    line.split_once(' ').is_some_and(|(_, rest)| rest.trim_start().starts_with(call))
}

fn attach(processes: &[u32], output: &Path) -> anyhow::Result<Child> {
    let traced = SYNCS.iter().chain(WRITES).map(|call| call.trim_end_matches('(')).collect::<Vec<_>>().join(",");
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", "0", "-e", &format!("trace={traced}"), "-o"]).arg(output);
    for process in processes {
        command.args(["-p", &process.to_string()]);
    }
    let mut tracer = command.stderr(Stdio::piped()).stdin(Stdio::null()).spawn().context("starting strace")?;
    let mut said = BufReader::new(tracer.stderr.take().context("no stderr")?).lines();
    let mut attached = 0;
    while attached < processes.len() {
        let line = said.next().context("strace ended before it was attached")??;
        ensure!(!line.contains("Operation not permitted"), "{line}");
        attached += usize::from(line.contains(" attached"));
    }
    // Somebody must read it on, or it would wait for that.
    std::thread::spawn(move || said.for_each(drop));
    Ok(tracer)
}

fn detach(mut tracer: Child) -> anyhow::Result<()> {
    Command::new("kill").args(["-INT", &tracer.id().to_string()]).status()?;
    tracer.wait()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_for_each_job_tell_what_an_answer_is_worth() {
        let calls = |syncs, writes| Calls { jobs: 100, syncs, writes }.durability();
        assert_eq!(calls(100, 300), Durability::Synced);
        assert_eq!(calls(3, 300), Durability::Crash, "some answers came before any fsync");
        assert_eq!(calls(0, 10), Durability::Buffered);
    }

    #[test]
    fn call_is_told_from_a_longer_name_and_from_its_second_half() {
        assert!(is_call("12 fdatasync(7</a/b.db-wal>) = 0", "fdatasync("));
        assert!(is_call("12    write(7</a/b.db-wal>, \"\", 4096 <unfinished ...>", "write("));
        assert!(!is_call("12 <... fdatasync resumed>) = 0", "fdatasync("));
        assert!(!is_call("12 fdatasync(7</a/b.db-wal>) = 0", "sync("));
    }
}
