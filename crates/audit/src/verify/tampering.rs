//! A thousand ways to change a log, each through a connection of its own on a real file, and whether the check finds it.

use std::{
    collections::HashMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use flowork_api_types::{
    Timestamp,
    audit::{AuditProblemKind, AuditReport},
};
use flowork_identity::OwnerKey;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rusqlite::{Connection, params};
use serde_json::json;

use super::verify_file;
use crate::{
    Actor, Audit, AuditKey, AuditOptions, Entry, HeadSigner, PersonalSignatures, SignatureCheck,
    chain::KEY_BYTES,
    head::HeadRow,
    list::raw_rows_after,
    tip::{FoundTip, Tip},
};

const DAY_MS: i64 = 86_400_000;
const CASES: u64 = 1_000;
/// Entries of the first day, which are cut in the log that the cases change.
const CUT: i64 = 8;

/// Remembers what it found: the cases check the same few signatures a thousand times.
#[derive(Default)]
struct Remembered(Mutex<HashMap<Asked, bool>>);

/// An address, a text and a signature.
type Asked = (String, Vec<u8>, Vec<u8>);

impl SignatureCheck for Remembered {
    fn is_signed_by(&self, address: &str, text: &[u8], signature: &[u8]) -> bool {
        let known = (address.to_owned(), text.to_vec(), signature.to_vec());
        let mut found = self.0.lock().unwrap();
        *found.entry(known).or_insert_with(|| PersonalSignatures.is_signed_by(address, text, signature))
    }
}

fn key(byte: u8) -> AuditKey {
    AuditKey::from_secret(&[byte; KEY_BYTES]).unwrap()
}

fn owner(byte: u8) -> OwnerKey {
    OwnerKey::from_secret(&[byte; 32]).unwrap()
}

/// Writes a log of four days, the first of which was cut, with entries after the last head; closes it. Its keeper finds
/// each look at the clock a day after the one before, so that it believes what the clock shows.
async fn write_log(path: &Path, key: &AuditKey) {
    let now = Arc::new(AtomicI64::new(1_767_225_600_000));
    let (clock, hours) = (Arc::clone(&now), AtomicU64::new(0));
    let options = AuditOptions {
        path: path.to_owned(),
        key: key.clone(),
        expected: false,
        retention: Duration::from_hours(24 * 90),
        now: Arc::new(move || Timestamp(clock.load(Ordering::Relaxed))),
        uptime: Arc::new(move || Duration::from_hours(hours.fetch_add(24, Ordering::Relaxed))),
        signatures: Arc::new(PersonalSignatures),
        tell: Arc::new(|trouble| panic!("{trouble:?}")),
    };
    let audit = Audit::open(options).await.unwrap();
    for (day, entries) in [(0, CUT), (40, 10), (60, 10), (91, 9)] {
        now.store(1_767_225_600_000 + day * DAY_MS, Ordering::Relaxed);
        for number in 0..entries {
            let entry = Entry::new(Actor::named(flowork_api_types::audit::ActorKind::Person, "owner"), "member.create")
                .route("POST", "/v1/members")
                .ip(format!("192.0.2.{number}"))
                .object(format!("m_{day}_{number}"))
                .answered(201, None)
                .trace_id("0af7651916cd43dd8448eb211c80319c")
                .detail(&json!({"name": format!("ada {number}"), "day": day}));
            audit.record(entry).await.unwrap();
        }
    }
    audit.keep(Arc::new(owner(1)));
    while audit.tip().cut_seq < CUT {
        audit.look_at_clock();
        tokio::task::yield_now().await;
    }
    assert_eq!((audit.tip().heads, audit.tip().head_seq), (3, CUT + 20));
    audit.close().await;
}

struct Case<'a> {
    connection: Connection,
    random: StdRng,
    first: i64,
    last: i64,
    other: &'a Path,
}

impl Case<'_> {
    fn entry(&mut self) -> i64 {
        self.random.random_range(self.first..=self.last)
    }

    fn two(&mut self) -> (i64, i64) {
        let one = self.random.random_range(self.first..self.last);
        (one, self.random.random_range(one + 1..=self.last))
    }

    fn run(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap();
    }

    /// Gives the entries numbers anew, `by` further on.
    fn shift(&self, from: i64, by: i64) {
        self.connection.execute("UPDATE entries SET seq = -(seq + ?2) WHERE seq >= ?1", [from, by]).unwrap();
        self.run("UPDATE entries SET seq = -seq WHERE seq < 0");
    }

    fn swap(&self, one: i64, two: i64, columns: &str) {
        self.run(&format!(
            "CREATE TEMP TABLE kept AS SELECT seq AS old, {columns} FROM entries WHERE seq IN ({one}, {two});
             UPDATE entries SET ({columns}) = (SELECT {columns} FROM kept WHERE old = {two}) WHERE seq = {one};
             UPDATE entries SET ({columns}) = (SELECT {columns} FROM kept WHERE old = {one}) WHERE seq = {two};"
        ));
    }
}

const CONTENT: &str = "at_ms, status, actor_kind, actor_subject, ip, method, route, action, object, outcome, code, \
                       trace_id, detail";
const ALL: &str = "at_ms, status, actor_kind, actor_subject, ip, method, route, action, object, outcome, code, \
                   trace_id, detail, hash";

type Tampering = fn(&mut Case<'_>) -> Option<i64>;

/// Each changes the file, and says at which entry the check must see it first, where that is one place.
const TAMPERINGS: &[(&str, Tampering)] = &[
    ("a field of an entry is changed", |case| {
        let columns: Vec<_> = CONTENT.split(", ").filter(|column| !["at_ms", "status"].contains(column)).collect();
        let column = columns[case.random.random_range(0..columns.len())];
        let entry = case.entry();
        case.run(&format!("UPDATE entries SET {column} = coalesce({column}, '') || 'x' WHERE seq = {entry}"));
        Some(entry)
    }),
    ("a number of an entry is changed", |case| {
        let column = ["at_ms", "status"][case.random.random_range(0..2)];
        let (entry, by) = (case.entry(), case.random.random_range(1..9_999));
        case.run(&format!("UPDATE entries SET {column} = {column} + {by} WHERE seq = {entry}"));
        Some(entry)
    }),
    ("a field of an entry is emptied", |case| {
        let column = ["ip", "object", "detail", "trace_id", "status"][case.random.random_range(0..5)];
        let entry = case.entry();
        case.run(&format!("UPDATE entries SET {column} = NULL WHERE seq = {entry}"));
        Some(entry)
    }),
    ("entries are deleted", |case| {
        let (from, to) = case.two();
        case.run(&format!("DELETE FROM entries WHERE seq BETWEEN {from} AND {to}"));
        Some(from)
    }),
    ("entries are deleted and the others close up", |case| {
        let (from, to) = case.two();
        case.run(&format!("DELETE FROM entries WHERE seq BETWEEN {from} AND {to}"));
        case.shift(to + 1, from - to - 1);
        Some(from)
    }),
    ("the first entries are deleted", |case| {
        let to = case.entry();
        case.run(&format!("DELETE FROM entries WHERE seq <= {to}"));
        Some(case.first)
    }),
    ("the tail is cut", |case| {
        let from = case.entry();
        case.run(&format!("DELETE FROM entries WHERE seq >= {from}"));
        Some(from)
    }),
    ("the tail is cut and the tip says so", |case| {
        let from = case.random.random_range(case.first + 1..=case.last);
        case.run(&format!(
            "DELETE FROM entries WHERE seq >= {from};
             UPDATE tip SET seq = {from} - 1, count = {from} - 1 - cut_seq,
                 hash = (SELECT hash FROM entries WHERE seq = {from} - 1);"
        ));
        None
    }),
    ("an entry is added at the end", |case| {
        let (entry, end) = (case.entry(), case.last + case.random.random_range(1..3));
        case.run(&format!("INSERT INTO entries SELECT {end}, {ALL} FROM entries WHERE seq = {entry}"));
        None
    }),
    ("an entry is put in", |case| {
        let (entry, at) = (case.entry(), case.entry());
        case.run(&format!("CREATE TEMP TABLE kept AS SELECT {ALL} FROM entries WHERE seq = {entry}"));
        case.shift(at, 1);
        case.run(&format!("INSERT INTO entries SELECT {at}, {ALL} FROM kept"));
        None
    }),
    ("an entry is put in before the checkpoint", |case| {
        let (entry, at) = (case.entry(), case.random.random_range(1..case.first));
        case.run(&format!("INSERT INTO entries SELECT {at}, {ALL} FROM entries WHERE seq = {entry}"));
        Some(at)
    }),
    ("two entries change places, their hashes stay", |case| {
        let (one, two) = case.two();
        case.swap(one, two, CONTENT);
        Some(one)
    }),
    ("two entries change places with their hashes", |case| {
        let (one, two) = case.two();
        case.swap(one, two, ALL);
        Some(one)
    }),
    ("an entry is a copy of another", |case| {
        let (one, two) = case.two();
        case.run(&format!(
            "UPDATE entries SET ({CONTENT}) = (SELECT {CONTENT} FROM entries WHERE seq = {two}) WHERE seq = {one}"
        ));
        Some(one)
    }),
    ("a hash is changed", |case| {
        let entry = case.entry();
        case.run(&format!("UPDATE entries SET hash = randomblob(32) WHERE seq = {entry}"));
        Some(entry)
    }),
    ("an entry is changed and all hashes are made anew with another key", |case| {
        let entry = case.entry();
        case.run(&format!("UPDATE entries SET actor_subject = 'somebody else' WHERE seq = {entry}"));
        rehash(&case.connection, &key(9), entry);
        Some(entry)
    }),
    ("the tip is changed", |case| {
        let column = ["seq", "count", "heads", "head_seq", "cut_seq", "cut_at_ms"][case.random.random_range(0..6)];
        let by = [-3, -1, 1, 4][case.random.random_range(0..4)];
        case.run(&format!("UPDATE tip SET {column} = {column} + {by}"));
        None
    }),
    ("a hash of the tip is changed", |case| {
        let column = ["hash", "head_mac", "cut_hash", "mac"][case.random.random_range(0..4)];
        case.run(&format!("UPDATE tip SET {column} = randomblob(32)"));
        None
    }),
    ("the tip is deleted", |case| {
        case.run("DELETE FROM tip");
        None
    }),
    ("a head is deleted", |case| {
        let head = case.random.random_range(1..=3);
        case.run(&format!("DELETE FROM heads WHERE number = {head}"));
        None
    }),
    ("all heads are deleted and the tip says so", |case| {
        case.run("DELETE FROM heads; UPDATE tip SET heads = 0, head_seq = 0");
        None
    }),
    ("two heads change places", |case| {
        let (one, two) = [(1, 2), (1, 3), (2, 3)][case.random.random_range(0..3)];
        case.run(&format!(
            "UPDATE heads SET number = 90 WHERE number = {one};
             UPDATE heads SET number = {one} WHERE number = {two};
             UPDATE heads SET number = {two} WHERE number = 90;"
        ));
        None
    }),
    ("a head is changed", |case| {
        let head = case.random.random_range(1..=3);
        let change = [
            "day = '2026-01-07'",
            "last_seq = last_seq - 1",
            "count = count + 1",
            "hash = randomblob(32)",
            "signer = '0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf'",
            "signature = randomblob(65)",
            "mac = randomblob(32)",
        ][case.random.random_range(0..7)];
        case.run(&format!("UPDATE heads SET {change} WHERE number = {head}"));
        None
    }),
    ("a head is signed by somebody else", |case| {
        let number = case.random.random_range(1..=3);
        let found = HeadRow::read_after(&case.connection, number - 1, 1).unwrap().pop();
        let (mut head, _) = found.and_then(|(_, head)| head).unwrap();
        let thief = owner(7);
        head.signer = HeadSigner::address(&thief);
        head.signature = thief.sign(&head.statement()).unwrap();
        case.connection
            .execute(
                "UPDATE heads SET signer = ?2, signature = ?3 WHERE number = ?1",
                params![number, head.signer, head.signature],
            )
            .unwrap();
        None
    }),
    ("entries are cut at a checkpoint signed by somebody else", |case| {
        let cut = case.entry();
        let row = raw_rows_after(&case.connection, cut - 1, 1).unwrap().pop().unwrap();
        let (hash, thief) = (row.stored_hash().unwrap(), owner(7));
        let signature = thief.sign(&Tip::cut_statement(cut, &hash, 5)).unwrap();
        case.connection
            .execute(
                "UPDATE tip SET cut_seq = ?1, cut_hash = ?2, cut_at_ms = 5, cut_signer = ?3, cut_signature = ?4,
                     count = seq - ?1",
                params![cut, hash.as_bytes(), HeadSigner::address(&thief), signature],
            )
            .unwrap();
        case.run(&format!("DELETE FROM entries WHERE seq <= {cut}"));
        None
    }),
    ("everything is deleted", |case| {
        case.run("DELETE FROM entries; DELETE FROM heads; DELETE FROM tip");
        None
    }),
    ("it is the log of another node", |case| {
        let other = case.other.display();
        case.run(&format!(
            "ATTACH '{other}' AS other;
             DELETE FROM entries; DELETE FROM heads; DELETE FROM tip;
             INSERT INTO entries SELECT * FROM other.entries;
             INSERT INTO heads SELECT * FROM other.heads;
             INSERT INTO tip SELECT * FROM other.tip;
             DETACH other;"
        ));
        None
    }),
    ("an entry is taken from the log of another node", |case| {
        let (entry, other) = (case.entry(), case.other.display());
        case.run(&format!(
            "ATTACH '{other}' AS other;
             UPDATE entries SET hash = (SELECT hash FROM other.entries AS o WHERE o.seq = {entry}) WHERE seq = {entry};
             DETACH other;"
        ));
        Some(entry)
    }),
    ("a table is dropped", |case| {
        let table = ["entries", "heads", "tip"][case.random.random_range(0..3)];
        case.run(&format!("DROP TABLE {table}"));
        None
    }),
];

/// What somebody does who knows how the hashes are made: all of them anew from `from` on, and the tip.
fn rehash(connection: &Connection, key: &AuditKey, from: i64) {
    let FoundTip::Sound(mut tip) = FoundTip::read(connection, &self::key(5)).unwrap() else { panic!("no tip") };
    let before = raw_rows_after(connection, from - 2, 1).unwrap().pop().filter(|row| row.seq == from - 1);
    let mut previous = before.map_or(tip.cut_hash, |row| row.stored_hash().unwrap());
    for row in raw_rows_after(connection, from - 1, i64::MAX).unwrap() {
        previous = row.hash_after(key, &previous);
        connection
            .execute("UPDATE entries SET hash = ?2 WHERE seq = ?1", params![row.seq, previous.as_bytes()])
            .unwrap();
    }
    tip.hash = previous;
    tip.write(connection, key).unwrap();
}

fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "PRAGMA synchronous = OFF;
             PRAGMA ignore_check_constraints = ON;
             DROP TRIGGER entries_never_change;
             DROP TRIGGER entries_stay;
             DROP TRIGGER heads_never_change;
             DROP TRIGGER heads_stay;
             DROP TRIGGER tip_stays;",
        )
        .unwrap();
    connection
}

fn check(path: &Path, signatures: &Remembered) -> AuditReport {
    verify_file(path, &key(5), signatures, &mut |_| ControlFlow::Continue(())).unwrap()
}

/// A sound log, and one of another key.
async fn logs(directory: &Path) -> (PathBuf, PathBuf) {
    let (path, other) = (directory.join("audit.db"), directory.join("other.db"));
    write_log(&path, &key(5)).await;
    write_log(&other, &key(6)).await;
    (path, other)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_is_found_and_a_log_that_nobody_touched_is_sound() {
    let directory = tempfile::tempdir().unwrap();
    let (path, other) = logs(directory.path()).await;
    let signatures = Remembered::default();
    let untouched = check(&path, &signatures);
    assert!(untouched.ok, "{untouched:?}");
    assert_eq!((untouched.entries, untouched.heads, untouched.cut_seq), (29, 3, CUT));
    assert_eq!((untouched.first_seq, untouched.last_seq), (Some(CUT + 1), Some(CUT + 29)));

    let changed = directory.path().join("changed.db");
    let (first, last) = (CUT + 1, CUT + 29);
    for seed in 0..CASES {
        let (name, tamper) = TAMPERINGS[seed as usize % TAMPERINGS.len()];
        // Nobody has the file open.
        std::fs::copy(&path, &changed).unwrap();
        let (connection, random) = (open(&changed), StdRng::seed_from_u64(seed));
        let mut case = Case { connection, random, first, last, other: &other };
        let at = tamper(&mut case);
        drop(case);
        let report = check(&changed, &signatures);
        assert!(!report.ok, "seed {seed}: {name}: not found");
        if let Some(at) = at {
            assert_eq!(report.problems[0].seq, at, "seed {seed}: {name}: {:?}", report.problems);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_key_tells_a_clever_change_from_the_truth_and_only_a_head_tells_it_from_the_keys_holder() {
    let directory = tempfile::tempdir().unwrap();
    let (path, _) = logs(directory.path()).await;
    let signatures = Remembered::default();
    let changed = directory.path().join("changed.db");
    let change = |entry: i64, with: &AuditKey| {
        std::fs::copy(&path, &changed).unwrap();
        let connection = open(&changed);
        connection.execute("UPDATE entries SET actor_subject = 'mallory' WHERE seq = ?1", [entry]).unwrap();
        rehash(&connection, with, entry);
        drop(connection);
        check(&changed, &signatures)
    };
    let (after_the_head, under_the_head) = (CUT + 25, CUT + 12);
    assert!(!change(after_the_head, &key(4)).ok, "without the key");
    // The control: were the hashes not keyed, everybody could do what this one with the key does.
    assert!(change(after_the_head, &key(5)).ok, "with the key, and before a head was signed");
    let report = change(under_the_head, &key(5));
    assert_eq!(report.problems[0].kind, AuditProblemKind::EntryChanged, "{report:?}");
    assert!(report.problems[0].message.contains("signed"), "with the key, and after: {report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_another_key_is_told_from_a_changed_one() {
    let directory = tempfile::tempdir().unwrap();
    let (path, _) = logs(directory.path()).await;
    let report = verify_file(&path, &key(7), &Remembered::default(), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(report.problems.len(), 1, "{report:?}");
    assert_eq!(report.problems[0].kind, AuditProblemKind::WrongKey);
}
