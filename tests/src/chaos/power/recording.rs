//! A run of a node as the kernel saw it: reads what `strace` wrote down.

use std::{collections::HashMap, path::Path};

use anyhow::{Context, bail, ensure};

/// Words before `flowork` that have its calls written to `log`.
pub(super) fn wrapper(log: &str) -> Vec<&str> {
    const CALLS: &str = "trace=openat,pwrite64,write,writev,sendto,sendmsg,ftruncate,fsync,fdatasync,unlink,rename";
    // Longer than any answer or page, so that nothing is cut short.
    const LONGEST: &str = "200000";
    let tracer = ["strace", "-D", "-f", "-qq", "-y", "--seccomp-bpf", "-e", CALLS, "-e", "signal=none"];
    [&tracer[..], &["-s", LONGEST, "-o", log]].concat()
}

/// One step of a run, in order. Files are named as in their directory.
#[derive(Debug)]
pub(super) enum Event {
    Created {
        file: String,
    },
    Removed {
        file: String,
    },
    Wrote {
        file: String,
        offset: u64,
        bytes: Vec<u8>,
    },
    Truncated {
        file: String,
        length: u64,
    },
    /// A file was synced: everything that was written before `since` is on the disk.
    Synced {
        file: String,
        since: usize,
    },
    /// The directory was synced.
    SyncedNames,
    /// Something went out on a socket.
    Sent(Vec<u8>),
}

/// A run, in order.
pub(super) struct Recording {
    pub(super) events: Vec<Event>,
    /// Writes that the end of the node cut off: the kernel may have done them, in part too, and told nobody.
    pub(super) cut_off: Vec<Event>,
}

impl Recording {
    /// Reads a trace, keeping what concerns the files in the engines' directories under `shards`.
    pub(super) fn read(trace: &[u8], shards: &Path) -> anyhow::Result<Self> {
        let shards = format!("{}/", shards.to_str().context("a temporary path is text")?);
        let mut reader = Reader { shards, events: Vec::new(), begun: HashMap::new(), cut_off: Vec::new() };
        for line in trace.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            reader.line(line).with_context(|| format!("in {:.300}", String::from_utf8_lossy(line)))?;
        }
        for (_, call) in std::mem::take(&mut reader.begun).into_values() {
            reader.cut_off(&call)?;
        }
        Ok(Self { events: reader.events, cut_off: reader.cut_off })
    }

    /// How often a file whose name ends so was synced.
    pub(super) fn syncs_of(&self, ending: &str) -> usize {
        let synced = |event: &&Event| matches!(event, Event::Synced { file, .. } if file.ends_with(ending));
        self.events.iter().filter(synced).count()
    }
}

struct Reader {
    shards: String,
    events: Vec<Event>,
    /// Calls of a thread that were not over when another thread's line came, with the number of events before them.
    begun: HashMap<Vec<u8>, (usize, Vec<u8>)>,
    cut_off: Vec<Event>,
}

impl Reader {
    fn line(&mut self, line: &[u8]) -> anyhow::Result<()> {
        const UNFINISHED: &[u8] = b" <unfinished ...>";
        const DETACHED: &[u8] = b" <detached ...>";
        const NO_RESULT: &[u8] = b" = ?";
        let space = line.iter().position(|byte| *byte == b' ').context("no thread")?;
        let (thread, call) = (line[..space].to_vec(), line[space..].trim_ascii());
        if let Some(start) = call.strip_suffix(UNFINISHED) {
            // What goes out has gone out when the call begins.
            if !self.sent(start)? {
                self.begun.insert(thread, (self.events.len(), start.to_vec()));
            }
            return Ok(());
        }
        let ended = call.strip_suffix(DETACHED).or_else(|| call.strip_suffix(NO_RESULT));
        if call.starts_with(b"<... ") {
            let Some((since, mut whole)) = self.begun.remove(&thread) else { return Ok(()) };
            if ended.is_some() {
                return self.cut_off(&whole);
            }
            let end = call.iter().position(|byte| *byte == b'>').context("no end of the name")?;
            whole.extend_from_slice(&call[end + 1..]);
            return self.call(&whole, since);
        }
        if self.sent(call)? {
            return Ok(());
        }
        if let Some(start) = ended {
            let start = start.trim_ascii_end();
            let start = start.strip_suffix(b")").unwrap_or(start);
            return self.cut_off(start.strip_suffix(UNFINISHED).unwrap_or(start));
        }
        self.call(call, self.events.len())
    }

    /// Notes a call without a result, if it would have changed a file. Its arguments are there: they were written down
    /// before it began.
    fn cut_off(&mut self, call: &[u8]) -> anyhow::Result<()> {
        let Some((name, arguments)) = split_at(call, b"(") else { return Ok(()) };
        self.cut_off.extend(self.change(name, arguments, usize::MAX)?);
        Ok(())
    }

    /// What a call does to the contents of a shard's file; of a write, as many bytes as were `written`.
    fn change(&self, name: &[u8], arguments: &[u8], written: usize) -> anyhow::Result<Option<Event>> {
        if name != b"pwrite64" && name != b"ftruncate" {
            return Ok(None);
        }
        let (_, path, rest) = descriptor(arguments)?;
        let Some(file) = self.shard_file(&path) else { return Ok(None) };
        if name == b"ftruncate" {
            let length = *numbers(rest).first().context("no length")?;
            return Ok(Some(Event::Truncated { file, length }));
        }
        let quote = rest.iter().position(|byte| *byte == b'"').context("no bytes")?;
        let (mut bytes, after) = quoted(&rest[quote..])?;
        bytes.truncate(written);
        let offset = *numbers(after).get(1).context("no offset")?;
        Ok(Some(Event::Wrote { file, offset, bytes }))
    }

    /// Notes bytes that leave the node; anything else is not one of these calls.
    fn sent(&mut self, call: &[u8]) -> anyhow::Result<bool> {
        let Some((name, arguments)) = split_at(call, b"(") else { return Ok(false) };
        if !["write", "writev", "sendto", "sendmsg"].iter().any(|known| known.as_bytes() == name) {
            return Ok(false);
        }
        let (_, file, rest) = descriptor(arguments)?;
        if file.starts_with("socket:") {
            let mut bytes = Vec::new();
            let mut rest = rest;
            while let Some(quote) = rest.iter().position(|byte| *byte == b'"') {
                let (part, after) = quoted(&rest[quote..])?;
                bytes.extend(part);
                rest = after;
            }
            self.events.push(Event::Sent(bytes));
        }
        Ok(true)
    }

    fn call(&mut self, call: &[u8], since: usize) -> anyhow::Result<()> {
        let Some((name, arguments)) = split_at(call, b"(") else { return Ok(()) };
        // A call that failed changed nothing.
        let Some(result) = result(arguments).filter(|result| *result >= 0) else { return Ok(()) };
        match name {
            b"openat" => {
                let quote = arguments.iter().position(|byte| *byte == b'"').context("no path")?;
                let (path, flags) = quoted(&arguments[quote..])?;
                let creates = flags.windows(7).any(|window| window == b"O_CREAT");
                if let Some(file) = self.shard_file(&String::from_utf8(path)?).filter(|_| creates) {
                    self.events.push(Event::Created { file });
                }
            }
            b"unlink" => {
                let (path, _) = quoted(arguments)?;
                if let Some(file) = self.shard_file(&String::from_utf8(path)?) {
                    self.events.push(Event::Removed { file });
                }
            }
            b"rename" => {
                let (path, _) = quoted(arguments)?;
                ensure!(self.shard_file(&String::from_utf8(path)?).is_none(), "a shard's file was renamed");
            }
            b"pwrite64" | b"ftruncate" => {
                let change = self.change(name, arguments, result as usize)?;
                self.events.extend(change);
            }
            b"fsync" | b"fdatasync" => {
                let (_, path, _) = descriptor(arguments)?;
                if let Some(file) = self.shard_file(&path) {
                    self.events.push(Event::Synced { file, since });
                } else if path.starts_with(&self.shards) && !path.contains(".db") {
                    self.events.push(Event::SyncedNames);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The name of a file that survives a power cut: the shared memory beside it is made anew by whoever opens it.
    fn shard_file(&self, path: &str) -> Option<String> {
        let path = path.strip_prefix(&self.shards)?;
        let name = path.rsplit_once('/')?.1;
        (name.contains(".db") && !name.ends_with("-shm")).then(|| name.to_owned())
    }
}

fn split_at<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    Some((&text[..at], &text[at + mark.len()..]))
}

/// `23</path>, …`: the number, what it stands for, and what follows.
fn descriptor(arguments: &[u8]) -> anyhow::Result<(u32, String, &[u8])> {
    let (number, rest) = split_at(arguments, b"<").context("no descriptor")?;
    let (path, rest) = split_at(rest, b">").context("no end of the descriptor")?;
    let number = std::str::from_utf8(number)?.trim().parse().context("no number of a descriptor")?;
    Ok((number, std::str::from_utf8(path)?.to_owned(), rest))
}

/// What a call returned, if it did. The closing parenthesis may be padded.
fn result(arguments: &[u8]) -> Option<i64> {
    let at = arguments.windows(3).rposition(|window| window == b" = ")?;
    let text = &arguments[at + 3..];
    let end = text.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'-').unwrap_or(text.len());
    std::str::from_utf8(&text[..end]).ok()?.parse().ok()
}

/// The whole numbers between commas, up to the closing parenthesis.
fn numbers(text: &[u8]) -> Vec<u64> {
    let end = text.iter().position(|byte| *byte == b')').unwrap_or(text.len());
    let parts = text[..end].split(|byte| *byte == b',');
    parts.filter_map(|part| std::str::from_utf8(part.trim_ascii()).ok()?.parse().ok()).collect()
}

/// A string as `strace` writes it, at the start of `text`, and what follows it.
fn quoted(text: &[u8]) -> anyhow::Result<(Vec<u8>, &[u8])> {
    ensure!(text.first() == Some(&b'"'), "no string");
    let mut bytes = Vec::new();
    let mut at = 1;
    loop {
        match *text.get(at).context("a string without an end")? {
            b'"' => break,
            b'\\' => {
                let (byte, length) = escaped(&text[at + 1..])?;
                bytes.push(byte);
                at += 1 + length;
            }
            byte => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    ensure!(!text[at + 1..].starts_with(b"..."), "a string was cut short");
    Ok((bytes, &text[at + 1..]))
}

/// What an escape stands for, and how many letters it has.
fn escaped(text: &[u8]) -> anyhow::Result<(u8, usize)> {
    let digits = text.iter().take(3).take_while(|byte| (b'0'..=b'7').contains(*byte)).count();
    if digits > 0 {
        let value = text[..digits].iter().fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
        return Ok((u8::try_from(value)?, digits));
    }
    let byte = match *text.first().context("an escape without a letter")? {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'v' => 0x0b,
        b'f' => 0x0c,
        byte @ (b'"' | b'\\') => byte,
        other => bail!("an unknown escape: {}", char::from(other)),
    };
    Ok((byte, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &[u8] =
        br#"7 openat(AT_FDCWD</tmp>, "/d/shards/e/0.db-wal", O_RDWR|O_CREAT, 0644) = 5</d/shards/e/0.db-wal>
7 pwrite64(5</d/shards/e/0.db-wal>, "a\0\1\"\\\n1\200", 8, 32) = 8
7 fsync(5</d/shards/e/0.db-wal> <unfinished ...>
8 writev(9<socket:[77]>, [{iov_base="HTTP/1.1 202", iov_len=12}, {iov_base="{}", iov_len=2}], 2 <unfinished ...>
7 <... fsync resumed>)           = 0
8 <... writev resumed>) = 14
7 fsync(6</d/shards/e>) = 0
7 pwrite64(5</d/shards/e/0.db-shm>, "a", 1, 0) = 1
7 pwrite64(5</d/shards/e/0.db>, "a", 1, 0) = -1 EIO (Input/output error)
"#;

    #[test]
    fn a_trace_becomes_events_in_order() {
        let events = Recording::read(TRACE, Path::new("/d/shards")).unwrap().events;
        assert_eq!(events.len(), 5, "{events:?}");
        assert!(matches!(&events[0], Event::Created { file } if file == "0.db-wal"));
        let expected = [b'a', 0, 1, b'"', b'\\', b'\n', b'1', 0o200];
        assert!(matches!(&events[1], Event::Wrote { offset: 32, bytes, .. } if *bytes == expected), "{:?}", events[1]);
        assert!(matches!(&events[2], Event::Sent(bytes) if bytes == b"HTTP/1.1 202{}"), "sent when the call began");
        assert!(matches!(&events[3], Event::Synced { since: 2, .. }), "covers what was written before it began");
        assert!(matches!(&events[4], Event::SyncedNames));
    }

    #[test]
    fn writes_that_the_end_of_the_node_cut_off_are_kept_apart() {
        const TRACE: &[u8] = br#"1 pwrite64(5</d/shards/e/0.db>, "a", 1, 1 <unfinished ...>
2 pwrite64(5</d/shards/e/0.db>, "a", 1, 2 <unfinished ...>
3 pwrite64(5</d/shards/e/0.db>, "a", 1, 3 <unfinished ...>) = ?
4 pwrite64(5</d/shards/e/0.db>, "a", 1, 4)         = ?
5 pwrite64(5</d/shards/e/0.db>, "a", 1, 5 <detached ...>
1 <... pwrite64 resumed> <unfinished ...>) = ?
6 fsync(5</d/shards/e/0.db> <unfinished ...>
7 ftruncate(5</d/shards/e/0.db>, 6 <unfinished ...>
"#;
        let recording = Recording::read(TRACE, Path::new("/d/shards")).unwrap();
        assert!(recording.events.is_empty(), "{:?}", recording.events);
        let mut places: Vec<u64> = recording.cut_off.iter().map(place).collect();
        places.sort_unstable();
        assert_eq!(places, [1, 2, 3, 4, 5, 6]);
    }

    fn place(event: &Event) -> u64 {
        match event {
            Event::Wrote { offset, bytes, .. } if bytes == b"a" => *offset,
            Event::Truncated { length, .. } => *length,
            other => panic!("{other:?}"),
        }
    }
}
