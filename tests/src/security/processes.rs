//! The arguments of every process of this machine, read again and again while something else goes on: commands and the
//! programs of modules are gone by its end.

use std::{
    collections::HashMap,
    fs,
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::sync::watch;

/// From the end of one look to the begin of the next; a command takes some hundred milliseconds.
const PAUSE: Duration = Duration::from_millis(10);

/// Each command line that was seen, with the process that had it first.
pub(super) type Seen = HashMap<Vec<u8>, String>;

/// Looks from when it is made until it is ended.
pub(super) struct Lookout {
    thread: JoinHandle<anyhow::Result<Seen>>,
    end: Sender<()>,
    /// How many looks are over.
    looks: watch::Receiver<u64>,
}

impl Lookout {
    pub(super) fn begin() -> Self {
        let (end, ended) = channel();
        let (told, looks) = watch::channel(0);
        let thread = std::thread::spawn(move || {
            let mut seen = Seen::new();
            loop {
                look(&mut seen)?;
                told.send_modify(|looks| *looks += 1);
                if ended.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
                    return Ok(seen);
                }
            }
        });
        Self { thread, end, looks }
    }

    /// Waits until every process has been looked at that runs now.
    pub(super) async fn has_looked(&self) -> anyhow::Result<()> {
        let mut looks = self.looks.clone();
        // The look that is going on may have passed by already.
        let wanted = *looks.borrow_and_update() + 2;
        looks.wait_for(|looks| *looks >= wanted).await.context("nobody looks any more")?;
        Ok(())
    }

    /// All that was seen.
    pub(super) fn end(self) -> anyhow::Result<Seen> {
        // Where nobody listens, it has ended with an error, which comes now.
        let _ = self.end.send(());
        let looked = self.thread.join().map_err(|_| anyhow::anyhow!("the lookout panicked"))?;
        let seen = looked?;
        ensure!(!seen.is_empty(), "no process has a command line");
        Ok(seen)
    }
}

fn look(seen: &mut Seen) -> anyhow::Result<()> {
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        // A process may end while it is looked at, and the kernel's own have no command line.
        match fs::read(path.join("cmdline")) {
            Ok(line) if !line.is_empty() => drop(seen.entry(line).or_insert_with(|| path.display().to_string())),
            _ => {}
        }
    }
    Ok(())
}
