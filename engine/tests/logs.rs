//! What jobs write down.

use std::time::Duration;

use flowork_api_types::{
    JobId, Timestamp,
    engine::{FinishItem, NewLogLine, RenewItem, RenewRequest},
    event::Event,
    job::LogLevel,
};
use flowork_engine::Engines;
use serde_json::json;

use crate::support::{Home, START_MS, claim_one, enqueue, failed, finish, owner, pass, within};

/// Lines a job keeps, the one that says so among them.
const KEPT: u64 = 20_000;

fn lines(count: usize) -> Vec<NewLogLine> {
    let line = NewLogLine { at: Timestamp(START_MS), level: LogLevel::Info, message: "a line".to_owned() };
    vec![line; count]
}

async fn write(engines: &Engines, home: &Home, id: JobId, epoch: u32, count: usize) {
    let item = RenewItem { id, epoch, progress: None, logs: lines(count) };
    engines.renew(home.spec.id, RenewRequest { jobs: vec![item] }).await.unwrap();
}

#[tokio::test]
async fn a_job_keeps_a_bounded_number_of_lines_and_says_once_that_more_are_dropped() {
    let home = Home::external(1);
    let engines = home.open().await;
    let body = json!({"kind": "x", "backoff": {"initial_ms": 0, "jitter": false}});
    let id = enqueue(&engines, "a", body).await.summary.id;
    let first = claim_one(&engines, home.spec.id).await;
    for _ in 0..19 {
        write(&engines, &home, id, first.epoch, 1_000).await;
    }
    write(&engines, &home, id, first.epoch, 999).await;
    let last = engines.logs(&owner(), id, KEPT - 2, 10).await.unwrap().items;
    assert_eq!(last.iter().map(|line| (line.seq, line.message.as_str())).collect::<Vec<_>>(), [(KEPT - 1, "a line")]);

    let mut feed = engines.events().subscribe(None);
    write(&engines, &home, id, first.epoch, 5).await;
    let told = loop {
        if let Event::JobLog { lines, .. } = within(feed.next()).await.unwrap().1.event {
            break lines;
        }
    };
    // A renewal, the end of an attempt, another attempt: all of it is past the bound now.
    write(&engines, &home, id, first.epoch, 5).await;
    let end = FinishItem { logs: lines(5), ..failed(id, first.epoch, true) };
    finish(&engines, home.spec.id, end).await;
    pass(&home, &engines, Duration::from_millis(1)).await;
    let second = claim_one(&engines, home.spec.id).await;
    write(&engines, &home, id, second.epoch, 5).await;
    let all = engines.logs(&owner(), id, KEPT - 2, 10).await.unwrap().items;
    let [_, full] = &all[..] else { panic!("{all:?}") };
    assert_eq!((full.seq, full.level, full.attempt), (KEPT, LogLevel::Warn, 1));
    assert!(full.message.starts_with("the log is full"), "{full:?}");
    assert_eq!(told, std::slice::from_ref(full), "who listens hears what is stored");
    within(engines.shutdown()).await;
}
