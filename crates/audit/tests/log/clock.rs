//! A wall clock that jumps, and what is kept all the same.

use flowork_audit::Audit;
use rusqlite::{Connection, OptionalExtension};

use crate::bench::*;

/// The day that is believed, the day that was seen, and the hours of running since.
type Seen = (Option<i64>, i64, i64);

fn seen(bench: &Bench) -> Option<Seen> {
    let connection = Connection::open(bench.path()).unwrap();
    let row = connection.query_row("SELECT believed_ms, seen_ms, ran_ms FROM seen_time", [], |row| {
        let day = |at_ms: i64| (at_ms - NOON) / DAY_MS;
        Ok((row.get::<_, Option<i64>>(0)?.map(day), day(row.get(1)?), row.get::<_, i64>(2)? / 3_600_000))
    });
    row.optional().unwrap()
}

async fn until_seen(bench: &Bench, expected: Seen) {
    while seen(bench) != Some(expected) {
        tokio::task::yield_now().await;
    }
}

/// Lets the clock show this day after so many hours of running, and the keeper look at it.
async fn look(bench: &Bench, audit: &Audit, day: i64, hours: u64, expected: Seen) {
    bench.set_day(day);
    bench.run_hours(hours);
    audit.look_at_clock();
    until_seen(bench, expected).await;
}

async fn until_cut(audit: &Audit, seq: i64) {
    while verify(audit).await.cut_seq < seq {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_ahead_cuts_nothing_until_it_held_for_a_day_of_running() {
    let bench = Bench::new();
    let audit = bench.open().await;
    audit.record_all(vec![entry("a"), entry("b"), entry("c")]).await.unwrap();
    bench.set_day(1);
    audit.keep(owner());
    until_seen(&bench, (None, 1, 0)).await;
    assert!(until_heads(&audit, 1).await.ok, "all of them may be cut once they are old");
    look(&bench, &audit, 2, 24, (Some(1), 2, 0)).await;
    look(&bench, &audit, 3, 24, (Some(2), 3, 0)).await;

    // Half a year ahead, and set right less than a day later.
    look(&bench, &audit, 183, 1, (Some(2), 3, 1)).await;
    look(&bench, &audit, 184, 20, (Some(2), 3, 21)).await;
    look(&bench, &audit, 4, 1, (Some(2), 3, 22)).await;
    look(&bench, &audit, 5, 24, (Some(3), 5, 0)).await;
    let report = verify(&audit).await;
    assert_eq!((report.ok, report.cut_seq, report.entries), (true, 0, 3), "everything is there");

    // Ahead again, and so it stays: it is the time now.
    look(&bench, &audit, 184, 1, (Some(3), 5, 1)).await;
    look(&bench, &audit, 185, 23, (Some(5), 185, 0)).await;
    assert_eq!(verify(&audit).await.cut_seq, 0);
    look(&bench, &audit, 186, 24, (Some(185), 186, 0)).await;
    until_cut(&audit, 3).await;
    audit.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hours_of_several_runs_add_up_and_time_off_counts_for_nothing() {
    let bench = Bench::new();
    let audit = bench.open().await;
    audit.record(entry("a")).await.unwrap();
    audit.close().await;

    // Off for half a year, or so the clock says; then eight hours a day.
    for (day, after) in [(180, (None, 180, 8)), (181, (None, 180, 16)), (182, (Some(180), 182, 0))] {
        bench.set_day(day);
        let audit = bench.open().await;
        audit.keep(owner());
        assert!(until_heads(&audit, 1).await.ok);
        bench.run_hours(8);
        audit.close().await;
        assert_eq!(seen(&bench), Some(after));
        if after.0.is_none() {
            assert_eq!(rows_in(&bench.path()), 1, "on day {day}");
        }
    }
    bench.set_day(183);
    let audit = bench.open().await;
    audit.keep(owner());
    until_cut(&audit, 1).await;
    audit.close().await;
}
