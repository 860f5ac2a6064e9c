//! What is held back costs nothing.

use std::time::{Duration, Instant};

use flowork_api_types::limit::LimitTarget;

use super::*;

/// Ready with one lane each behind so many full concurrency keys, and one that waits for time.
fn behind_full_keys(connection: &Connection, keys: i64) -> (Ready, Arc<Gate>) {
    let (gate, shard) = (Arc::new(Gate::new(u64::MAX)), ShardNumber::new(0, 0).unwrap());
    gate.throttle(LimitTarget::Queue("later".to_owned()), 500, 0);
    let mut ready = Ready::new(shard, Arc::clone(&gate));
    let mut add = |queue: &str, key: i64, job: i64| {
        let lane = LaneKey {
            priority: 100,
            owner: "owner".into(),
            queue: queue.into(),
            kind: "x".into(),
            concurrency: Some((key.to_string().into(), 1)),
            targets: Vec::new(),
        };
        ready.add(&lane, Timestamp(job), job);
    };
    for key in 0..keys {
        // One runs, and one more waits for its end.
        add("now", key, 2 * key);
        add("now", key, 2 * key + 1);
    }
    add("later", keys, 2 * keys);
    let mut picked = 0;
    while ready.next(connection, &ClaimKinds::All, 0).unwrap().is_some() {
        picked += 1;
    }
    assert_eq!((picked, ready.held.len() as i64), (keys, keys + 1));
    (ready, gate)
}

/// What every commit does, as often as it takes to tell it from nothing; the fastest of some tries.
fn time_of_commits(ready: &mut Ready) -> Duration {
    let commits = |ready: &mut Ready| {
        let began = Instant::now();
        for _ in 0..2_000 {
            ready.open_due(499);
            assert_eq!(ready.opens_at(), Some(500));
        }
        began.elapsed()
    };
    (0..20).map(|_| commits(ready)).min().unwrap()
}

#[test]
fn a_commit_costs_no_more_however_many_keys_are_full() {
    let connection = Connection::open_in_memory().unwrap();
    let (mut few, _few) = behind_full_keys(&connection, 10);
    let (mut many, _many) = behind_full_keys(&connection, 20_000);
    let (few, many) = (time_of_commits(&mut few), time_of_commits(&mut many));
    // Looking at each of them would cost two thousand times as much.
    assert!(many < few * 100, "{few:?} with ten, {many:?} with twenty thousand");
}

#[test]
fn a_scope_that_time_opens_opens_then_and_is_forgotten() {
    let connection = Connection::open_in_memory().unwrap();
    let (mut ready, gate) = behind_full_keys(&connection, 3);
    ready.open_due(499);
    assert!(ready.next(&connection, &ClaimKinds::All, 499).unwrap().is_none());
    // Meanwhile it was asked for more patience.
    gate.throttle(LimitTarget::Queue("later".to_owned()), 700, 499);
    ready.open_due(500);
    assert!(ready.next(&connection, &ClaimKinds::All, 500).unwrap().is_none());
    assert_eq!((ready.opens_at(), ready.timed.len()), (Some(700), 1));
    ready.open_due(700);
    assert_eq!(ready.next(&connection, &ClaimKinds::All, 700).unwrap().unwrap().key, 6);
    assert_eq!((ready.opens_at(), ready.timed.len(), ready.held.len()), (None, 0, 3));
}
