//! What leaves the log, and what never fills it.

use flowork_api_types::audit::AuditQuery;
use flowork_audit::{Actor, Audit, Entry, Export};
use serde_json::{Value, json};

use super::bench::*;

#[tokio::test]
async fn a_flood_of_refusals_is_written_as_a_count_when_the_log_closes() {
    let bench = Bench::new();
    let audit = bench.open().await;
    let refused =
        || Entry::new(Actor::nobody(), "session.verify").ip("192.0.2.1").answered(401, Some("SIGNATURE_INVALID"));
    let mut written = 0;
    for _ in 0..5_000 {
        written += i64::from(audit.record_or_count(refused()).await.unwrap().is_some());
    }
    assert_eq!(written, 20);
    audit.close().await;
    let audit = bench.open().await;
    let list = audit.list(AuditQuery { limit: Some(500), ..AuditQuery::default() }).await.unwrap();
    assert_eq!(list.items.len(), 21);
    let count = &list.items[0];
    assert_eq!((count.action.as_str(), count.ip.as_deref()), ("calls.counted", Some("192.0.2.1")));
    assert_eq!(
        count.detail.as_ref().unwrap()["calls"],
        json!([{"action": "session.verify", "outcome": "refused", "count": 4_980}])
    );
    audit.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_cloud_events_oldest_first_and_has_the_heads() {
    let bench = Bench::new();
    let audit = bench.open().await;
    audit
        .record_all((0..1_200).map(|number| entry("job.requeue").object(format!("o{number}"))).collect())
        .await
        .unwrap();
    bench.set_day(1);
    audit.record(entry("node.stop")).await.unwrap();
    audit.keep(owner());
    until_heads(&audit, 1).await;
    let events = export(&audit, AuditQuery::default()).await;
    assert_eq!(events.len(), 1_202);
    let source = format!("urn:flowork:audit:{}", audit.name());
    for (index, event) in events[..1_201].iter().enumerate() {
        assert_eq!((&event["specversion"], &event["source"]), (&json!("1.0"), &json!(source)));
        assert_eq!(event["id"], json!((index + 1).to_string()));
        assert_eq!(event["data"]["intact"], json!(true));
    }
    assert_eq!(events[0]["type"], "dev.flowork.audit.job.requeue");
    assert_eq!(events[0]["subject"], "o0");
    assert!(events[1_200].get("subject").is_none(), "CloudEvents have no null");
    let head = &events[1_201];
    assert_eq!((&head["type"], &head["subject"]), (&json!("dev.flowork.audit.head"), &json!("2026-01-01")));
    assert_eq!(head["data"]["hash"], events[1_199]["data"]["hash"], "what the owner signed is the day's last entry");

    let some = AuditQuery { object: Some("o77".to_owned()), ..AuditQuery::default() };
    assert_eq!(export(&audit, some).await.len(), 1, "a part of the entries comes without heads");
    audit.close().await;

    let mut text = Vec::new();
    let take = |piece: &[u8]| {
        text.extend_from_slice(piece);
        Ok(())
    };
    Export::new(AuditQuery::default()).of_file(&bench.path(), &key(), take).unwrap().unwrap();
    assert_eq!(lines(&text), events, "of a stopped node, too");
}

async fn export(audit: &Audit, query: AuditQuery) -> Vec<Value> {
    let mut export = Export::new(query);
    let mut text = Vec::new();
    while let Some(piece) = export.next_piece(audit).await.unwrap() {
        text.extend(piece);
    }
    lines(&text)
}

fn lines(text: &[u8]) -> Vec<Value> {
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}
