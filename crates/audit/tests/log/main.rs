//! The log as the node uses it: on real files, with a clock that the test sets.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod bench;
mod clock;
mod export;
mod notes;
mod odd_rows;

use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex},
};

use flowork_api_types::{
    Timestamp,
    audit::{ActorKind, AuditOutcome, AuditProblemKind, AuditQuery},
};
use flowork_audit::{Actor, Entry, ListError, Trouble, VerifyError};
use rusqlite::Connection;
use serde_json::json;

use bench::*;

#[tokio::test]
async fn entries_are_there_after_a_restart_and_the_chain_goes_on() {
    let bench = Bench::new();
    let audit = bench.open().await;
    let first = entry("member.create")
        .route("POST", "/v1/members")
        .ip("192.0.2.7")
        .object("m_1")
        .answered(201, None)
        .trace_id("0af7651916cd43dd8448eb211c80319c")
        .detail(&json!({"name": "ada", "token": "fle_secret"}));
    assert_eq!(audit.record(first).await.unwrap(), 1);
    audit.close().await;
    let audit = bench.open().await;
    assert_eq!(audit.record(entry("node.start")).await.unwrap(), 2);

    let list = audit.list(AuditQuery::default()).await.unwrap();
    assert!(list.items.iter().all(|entry| entry.intact));
    let found = &list.items[1];
    assert_eq!((found.seq, found.at, found.action.as_str()), (1, Timestamp(NOON), "member.create"));
    assert_eq!((found.actor.kind, found.actor.subject.as_deref()), (ActorKind::Person, Some("owner")));
    assert_eq!((found.ip.as_deref(), found.object.as_deref()), (Some("192.0.2.7"), Some("m_1")));
    assert_eq!((found.method.as_deref(), found.route.as_deref()), (Some("POST"), Some("/v1/members")));
    assert_eq!((found.status, found.outcome), (Some(201), AuditOutcome::Done));
    assert_eq!(found.detail, Some(json!({"name": "ada", "token": "[left out]"})));
    let report = verify(&audit).await;
    assert!(report.ok && report.entries == 2, "{report:?}");
    assert!(bench.told().is_empty());
    audit.close().await;
}

#[tokio::test]
async fn pages_and_filters_find_what_is_asked_for() {
    let bench = Bench::new();
    let audit = bench.open().await;
    for number in 1..=25_i64 {
        bench.set_day(number);
        let action = if number % 5 == 0 { "member.delete" } else { "members" };
        let subject = if number % 2 == 0 { "owner" } else { "m_1" };
        let outcome = if number % 3 == 0 { AuditOutcome::Refused } else { AuditOutcome::Done };
        let entry = Entry::new(Actor::named(ActorKind::Person, subject), action)
            .ip(format!("192.0.2.{}", number % 4))
            .object(format!("o{}", number % 7))
            .outcome(outcome);
        audit.record(entry).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut query = AuditQuery { limit: Some(10), ..AuditQuery::default() };
    loop {
        let page = audit.list(query.clone()).await.unwrap();
        seen.extend(page.items.iter().map(|entry| entry.seq));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, (1..=25).rev().collect::<Vec<_>>());

    let base = AuditQuery { limit: Some(100), ..AuditQuery::default() };
    let by = |query: AuditQuery| sequence(&audit, query);
    let expect = |keep: fn(i64) -> bool| (1..=25).rev().filter(|number| keep(*number)).collect::<Vec<_>>();
    assert_eq!(by(AuditQuery { actor: Some("owner".into()), ..base.clone() }).await, expect(|n| n % 2 == 0));
    assert_eq!(by(AuditQuery { action: Some("member".into()), ..base.clone() }).await, expect(|n| n % 5 == 0));
    assert_eq!(by(AuditQuery { action: Some("members".into()), ..base.clone() }).await, expect(|n| n % 5 != 0));
    assert_eq!(by(AuditQuery { outcome: Some(AuditOutcome::Refused), ..base.clone() }).await, expect(|n| n % 3 == 0));
    assert_eq!(by(AuditQuery { ip: Some("192.0.2.1".into()), ..base.clone() }).await, expect(|n| n % 4 == 1));
    assert_eq!(by(AuditQuery { object: Some("o2".into()), ..base.clone() }).await, expect(|n| n % 7 == 2));
    let times =
        AuditQuery { from: Some(Timestamp(NOON + 5 * DAY_MS)), to: Some(Timestamp(NOON + 8 * DAY_MS)), ..base.clone() };
    assert_eq!(by(times).await, [7, 6, 5]);

    for cursor in ["x", "0", "-1", "1.5"] {
        let query = AuditQuery { cursor: Some(cursor.to_owned()), ..base.clone() };
        assert!(matches!(audit.list(query).await, Err(ListError::Cursor(_))), "{cursor}");
    }
    let none = AuditQuery { limit: Some(0), ..AuditQuery::default() };
    assert!(matches!(audit.list(none).await, Err(ListError::Limit)));
    audit.close().await;
}

#[tokio::test]
async fn a_batch_is_written_in_its_order_or_not_at_all() {
    let bench = Bench::new();
    let audit = bench.open().await;
    let batch = |count: i64| (0..count).map(|number| entry(&format!("session.{number}"))).collect::<Vec<_>>();
    assert_eq!(audit.record_all(batch(300)).await.unwrap(), 300);
    // Somebody put an entry where ours would be: the batch can't be written, and nothing of it is.
    bench.tamper(
        "INSERT INTO entries (seq, at_ms, actor_kind, action, outcome, hash)
         VALUES (302, 1, 'node', 'x', 'done', randomblob(32))",
    );
    audit.record_all(batch(3)).await.unwrap_err();
    let newest = audit.list(AuditQuery { limit: Some(3), ..AuditQuery::default() }).await.unwrap();
    let numbers: Vec<_> = newest.items.iter().map(|entry| (entry.seq, entry.intact)).collect();
    assert_eq!(numbers, [(302, false), (300, true), (299, true)]);
    assert_eq!(newest.items[1].action, "session.299");
    let report = verify(&audit).await;
    assert_eq!(report.problems[0].kind, AuditProblemKind::EntriesMissing, "{report:?}");
    assert_eq!(report.problems[1].kind, AuditProblemKind::EntryInserted, "{report:?}");
    audit.close().await;
}

#[tokio::test]
async fn our_own_code_can_not_change_or_delete_entries() {
    let bench = Bench::new();
    let audit = bench.open().await;
    audit.record(entry("a")).await.unwrap();
    audit.close().await;
    let connection = Connection::open(bench.path()).unwrap();
    for sql in
        ["UPDATE entries SET action = 'b'", "DELETE FROM entries", "DELETE FROM tip", "INSERT INTO tip (id) VALUES (2)"]
    {
        assert!(connection.execute_batch(sql).is_err(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_of_missed_days_are_signed_at_the_start_and_the_present_day_waits() {
    let bench = Bench::new();
    let audit = bench.open().await;
    for day in [0, 0, 1, 4, 3, 9] {
        bench.set_day(day);
        audit.record(entry("a")).await.unwrap();
    }
    assert_eq!(verify(&audit).await.heads, 0);
    audit.keep(owner());
    let report = until_heads(&audit, 4).await;
    assert!(report.ok, "{report:?}");
    assert_eq!(report.heads, 4, "days 0, 1, 4 and 3; the clock was set back once, and day 9 is not over");
    let head = report.last_head.unwrap();
    assert_eq!((head.day.as_str(), head.last_seq, head.count), ("2026-01-04", 5, 1));
    assert_eq!(report.signers, [owner().address()]);

    // The first entry of a day wakes the keeper, also when its timer slept through midnight.
    bench.set_day(10);
    audit.record(entry("a")).await.unwrap();
    let report = until_heads(&audit, 5).await;
    assert!(report.ok, "{report:?}");
    assert_eq!(report.last_head.unwrap().day, "2026-01-10");
    audit.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_head_of_a_day_is_signed_at_midnight_though_nothing_happens() {
    let bench = Bench::new();
    let audit = bench.open().await;
    audit.record(entry("a")).await.unwrap();
    // A quarter of a second before midnight by a clock that runs.
    bench.run_from(NOON + DAY_MS / 2 - 250);
    audit.keep(owner());
    let report = until_heads(&audit, 1).await;
    assert!(report.ok, "{report:?}");
    assert_eq!(report.last_head.unwrap().day, "2026-01-01");
    audit.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_old_is_cut_at_a_signed_checkpoint_and_the_rest_is_sound() {
    let bench = Bench::new();
    let audit = bench.open().await;
    for day in [0, 5] {
        bench.set_day(day);
        // More than one step of the cut.
        audit.record_all((0..700).map(|_| entry("old")).collect()).await.unwrap();
    }
    bench.set_day(50);
    audit.record_all((0..3).map(|_| entry("young")).collect()).await.unwrap();
    bench.set_day(120);
    audit.record(entry("now")).await.unwrap();
    audit.keep(owner());
    until_heads(&audit, 3).await;
    bench.run_hours(24);
    audit.look_at_clock();
    loop {
        let report = verify(&audit).await;
        assert!(report.ok, "while it is being cut, too: {report:?}");
        if report.cut_seq == 1_400 {
            break;
        }
        tokio::task::yield_now().await;
    }
    // A check that went on while the cut did has counted some of what is gone by now.
    let report = verify(&audit).await;
    assert!(report.ok, "{report:?}");
    assert_eq!((report.first_seq, report.last_seq, report.entries, report.heads), (Some(1_401), Some(1_404), 4, 3));
    assert_eq!(sequence(&audit, AuditQuery::default()).await, [1_404, 1_403, 1_402, 1_401]);
    let intact = audit.list(AuditQuery::default()).await.unwrap();
    assert!(intact.items.iter().all(|entry| entry.intact), "also the first after the checkpoint");
    audit.close().await;

    let audit = bench.open().await;
    assert_eq!(audit.record(entry("later")).await.unwrap(), 1_405);
    assert!(verify(&audit).await.ok);
    audit.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_changed_is_neither_signed_nor_cut() {
    let bench = Bench::new();
    let audit = bench.open().await;
    audit.record_all((0..10).map(|_| entry("old")).collect()).await.unwrap();
    bench.tamper("UPDATE entries SET action = 'new' WHERE seq = 4");
    bench.set_day(200);
    audit.keep(owner());
    while bench.told().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.told(), [Trouble::Damaged { seq: 4 }]);
    let report = verify(&audit).await;
    assert_eq!((report.heads, report.cut_seq, report.problems[0].seq), (0, 0, 4), "{report:?}");
    audit.close().await;
}

#[tokio::test]
async fn a_log_that_was_changed_while_the_node_was_down_is_kept_and_a_new_one_says_so() {
    let cut_tail = "DELETE FROM entries WHERE seq = 3";
    let change_last = "UPDATE entries SET hash = randomblob(32) WHERE seq = 3";
    let change_tip = "UPDATE tip SET count = 2";
    let drop_tip = "DROP TRIGGER tip_stays; DELETE FROM tip";
    for change in [cut_tail, change_last, change_tip, drop_tip] {
        let bench = Bench::new();
        let audit = bench.open().await;
        audit.record_all(vec![entry("a"), entry("b"), entry("c")]).await.unwrap();
        audit.close().await;
        bench.tamper(change);

        let audit = bench.open().await;
        let told = bench.told();
        let [Trouble::BeganAnew { kept: Some(kept), .. }] = &told[..] else { panic!("{change}: {told:?}") };
        assert!(rows_in(kept) >= 2, "the evidence is kept");
        audit.record(entry("d")).await.unwrap();
        let list = audit.list(AuditQuery::default()).await.unwrap();
        let actions: Vec<_> = list.items.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, ["d", "audit.began_anew"]);
        let report = verify(&audit).await;
        assert_eq!((report.problems.len(), report.problems[0].kind), (1, AuditProblemKind::PutAside), "{report:?}");
        audit.close().await;
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_kept_and_a_new_one_is_begun() {
    let bench = Bench::new();
    std::fs::write(bench.path(), "this is not a database, whatever its name says. ".repeat(100)).unwrap();
    let audit = bench.open().await;
    assert!(matches!(&bench.told()[..], [Trouble::BeganAnew { kept: Some(_), .. }]));
    audit.record(entry("a")).await.unwrap();
    audit.close().await;
}

#[tokio::test]
async fn a_log_that_is_gone_while_its_key_is_there_is_noticed() {
    let mut bench = Bench::new();
    let audit = bench.open().await;
    audit.record(entry("a")).await.unwrap();
    audit.close().await;
    std::fs::remove_file(bench.path()).unwrap();
    bench.expected = true;
    let audit = bench.open().await;
    assert!(matches!(&bench.told()[..], [Trouble::BeganAnew { kept: None, .. }]), "{:?}", bench.told());
    assert!(!verify(&audit).await.ok);
    audit.close().await;
    let audit = bench.open().await;
    assert_eq!(bench.told().len(), 1, "said once");
    audit.close().await;
}

#[tokio::test]
async fn an_older_copy_of_the_tip_under_a_running_node_is_found() {
    let bench = Bench::new();
    let audit = bench.open().await;
    audit.record_all(vec![entry("a"), entry("b")]).await.unwrap();
    let connection = Connection::open(bench.path()).unwrap();
    connection.execute_batch("CREATE TABLE kept AS SELECT * FROM tip").unwrap();
    audit.record(entry("c")).await.unwrap();
    drop(connection);
    bench.tamper(
        "DELETE FROM entries WHERE seq = 3;
         UPDATE tip SET (seq, hash, count, mac) = (SELECT seq, hash, count, mac FROM kept);",
    );
    let report = verify(&audit).await;
    assert_eq!((report.problems[0].seq, report.problems[0].kind), (3, AuditProblemKind::TailCut), "{report:?}");
    audit.record(entry("d")).await.unwrap();
    let report = verify(&audit).await;
    assert_eq!((report.problems[0].seq, report.problems[0].kind), (3, AuditProblemKind::EntriesMissing), "{report:?}");
    audit.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_tells_how_far_it_is_and_can_be_ended_and_runs_alone() {
    let bench = Bench::new();
    let audit = bench.open().await;
    audit.record_all((0..2_500).map(|_| entry("a")).collect()).await.unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&seen);
    let whole = audit.verify(move |progress| {
        heard.lock().unwrap().push((progress.checked, progress.total));
        ControlFlow::Continue(())
    });
    assert!(whole.await.unwrap().ok);
    assert_eq!(*seen.lock().unwrap(), [(1_000, 2_500), (2_000, 2_500), (2_500, 2_500)]);
    assert!(matches!(audit.verify(|_| ControlFlow::Break(())).await, Err(VerifyError::Ended)));

    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (began, begun) = tokio::sync::oneshot::channel();
    let mut began = Some(began);
    let first = audit.clone();
    let first = tokio::spawn(async move {
        let held = move |_| {
            began.take().into_iter().for_each(|began| began.send(()).unwrap());
            let _ = wait.recv();
            ControlFlow::Continue(())
        };
        first.verify(held).await
    });
    begun.await.unwrap();
    assert!(matches!(audit.verify(|_| ControlFlow::Continue(())).await, Err(VerifyError::Busy)));
    audit.record(entry("b")).await.unwrap();
    drop(go);
    assert!(first.await.unwrap().unwrap().ok, "what is written meanwhile is no damage");
    audit.close().await;
}
