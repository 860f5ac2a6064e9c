//! A file whose tables were made anew, without the rules of ours.

use std::ops::ControlFlow;

use flowork_api_types::audit::{AuditQuery, AuditReport};
use flowork_audit::{PersonalSignatures, list_file, verify_file};
use rusqlite::Connection;

use crate::bench::*;

/// Checks a log of three entries after this was done to its table.
async fn report_after(sql: &str) -> AuditReport {
    let bench = Bench::new();
    let audit = bench.open().await;
    audit.record_all(vec![entry("a"), entry("b"), entry("c")]).await.unwrap();
    audit.close().await;
    let connection = Connection::open(bench.path()).unwrap();
    let loose = "CREATE TABLE loose AS SELECT * FROM entries; DROP TABLE entries; ALTER TABLE loose RENAME TO entries";
    connection.execute_batch(loose).unwrap();
    connection.execute_batch(sql).unwrap();
    drop(connection);
    // Whatever it says: it comes to an end.
    drop(list_file(&bench.path(), &key(), &AuditQuery::default()));
    verify_file(&bench.path(), &key(), &PersonalSignatures, &mut |_| ControlFlow::Continue(())).unwrap()
}

#[tokio::test]
async fn a_table_without_our_rules_is_no_problem_by_itself() {
    let report = report_after("").await;
    assert!(report.ok && report.entries == 3, "{report:?}");
}

#[tokio::test]
async fn more_rows_without_a_number_than_a_page_has_are_not_read_for_ever() {
    let report = report_after(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
         INSERT INTO entries (seq, at_ms, actor_kind, action, outcome, hash)
         SELECT 2 + i / 10000.0, 1, 'node', 'x', 'done', randomblob(32) FROM n",
    )
    .await;
    assert!(!report.ok && report.entries == 1_000, "{report:?}");
}

#[tokio::test]
async fn numbers_at_the_end_of_all_numbers_and_values_of_other_types_are_reported() {
    for sql in [
        "UPDATE entries SET seq = 9223372036854775807 WHERE seq > 1",
        "UPDATE entries SET seq = -9223372036854775807 - 1 WHERE seq = 1",
        "UPDATE entries SET seq = 'three' WHERE seq = 3",
        "UPDATE entries SET seq = x'03' WHERE seq = 3",
        "UPDATE entries SET seq = NULL WHERE seq = 3",
        "UPDATE entries SET hash = 'none' WHERE seq = 3",
        "UPDATE entries SET action = x'ff' WHERE seq = 3",
        "UPDATE entries SET at_ms = at_ms + 0.5 WHERE seq = 3",
    ] {
        let report = report_after(sql).await;
        assert!(!report.ok && !report.problems.is_empty(), "{sql}: {report:?}");
    }
}
