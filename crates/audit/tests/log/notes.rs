//! What commands did beside the node, by the notes that they leave.

use flowork_api_types::{
    Timestamp,
    audit::{ActorKind, AuditOutcome, AuditQuery},
};
use flowork_audit::{Export, leave_note};
use serde_json::json;

use crate::bench::*;

async fn actions(audit: &flowork_audit::Audit) -> Vec<String> {
    let list = audit.list(AuditQuery::default()).await.unwrap();
    list.items.into_iter().map(|entry| entry.action).collect()
}

#[tokio::test]
async fn what_was_done_while_the_node_was_stopped_is_written_at_its_start() {
    let bench = Bench::new();
    leave_note(&bench.path(), "key.export", &json!({"address": "0xab"}), Timestamp(NOON - 5)).unwrap();
    leave_note(&bench.path(), "vault.passwd", &json!({}), Timestamp(NOON - 4)).unwrap();
    let audit = bench.open().await;
    let list = audit.list(AuditQuery::default()).await.unwrap();
    assert_eq!(list.items.iter().map(|entry| &*entry.action).collect::<Vec<_>>(), ["vault.passwd", "key.export"]);
    let export = &list.items[1];
    assert_eq!((export.actor.kind, export.outcome), (ActorKind::Machine, AuditOutcome::Done));
    assert_eq!(
        export.detail,
        Some(json!({"done_at": Timestamp(NOON - 5), "detail": {"address": "0xab"}})),
        "when it was done, which is before it was written"
    );
    assert!(verify(&audit).await.ok);
    audit.close().await;
    let audit = bench.open().await;
    assert_eq!(actions(&audit).await.len(), 2, "written once");
    audit.close().await;
}

#[tokio::test]
async fn what_is_done_while_the_node_runs_is_there_for_whoever_reads_the_log() {
    let bench = Bench::new();
    let audit = bench.open().await;
    let note = |action: &str| leave_note(&bench.path(), action, &json!({}), Timestamp(NOON)).unwrap();
    note("token.create");
    assert_eq!(actions(&audit).await, ["token.create"]);
    note("key.export");
    assert_eq!(verify(&audit).await.entries, 2);
    note("provider.set_key");
    let piece = Export::new(AuditQuery::default()).next_piece(&audit).await.unwrap().unwrap();
    assert_eq!(String::from_utf8(piece).unwrap().lines().count(), 3);
    note("provider.delete_key");
    audit.close().await;
    assert_eq!(rows_in(&bench.path()), 4, "and at the end at the latest");
}

#[tokio::test]
async fn a_note_that_could_not_be_written_down_stays_and_one_that_says_nothing_is_told() {
    let bench = Bench::new();
    let audit = bench.open().await;
    let reader = audit.clone();
    audit.close().await;
    leave_note(&bench.path(), "key.export", &json!({}), Timestamp(NOON)).unwrap();
    // The log is closed, so nothing can be written; reading it is no error for that.
    assert!(actions(&reader).await.is_empty());
    let directory = bench.path().with_extension("owed");
    std::fs::write(directory.join("zzz.note"), "no note").unwrap();
    // As it is left by an end in the middle of writing it down.
    std::fs::write(directory.join("zzzz.taken"), r#"{"at":"2026-01-01T00:00:00Z","action":"b","detail":{}}"#).unwrap();
    std::fs::write(directory.join("half"), "").unwrap();

    let audit = bench.open().await;
    assert_eq!(actions(&audit).await, ["b", "note.unreadable", "key.export"]);
    let left: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["half"]);
    audit.close().await;
}
