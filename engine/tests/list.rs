//! Lists against a plain model of what they should show.

use std::time::Duration;

use flowork_api_types::{
    Timestamp,
    job::{JobState, JobSummary, ListJobsQuery},
};
use flowork_engine::{
    Engines,
    jobs::{Caller, query::ListError},
};
use futures_util::future::join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::json;

use crate::support::{
    Home, START_MS, claim, completed, enqueue, failed, finish, job, member, owner, pass, request, seed, trace, within,
};

/// Every page of a query, one after the other.
async fn all(engines: &Engines, caller: &Caller, query: &ListJobsQuery) -> Vec<JobSummary> {
    let mut query = query.clone();
    let mut items = Vec::new();
    loop {
        let page = engines.list_jobs(caller, query.clone()).await.unwrap();
        items.extend(page.items);
        match page.next_cursor {
            Some(cursor) => {
                assert_ne!(query.cursor.as_ref(), Some(&cursor), "a page must lead on");
                query.cursor = Some(cursor);
            }
            None => return items,
        }
    }
}

/// Jobs in every state, of two owners, with many made in one millisecond so that keys of different shards are equal.
async fn populate(home: &Home, engines: &Engines, chance: &mut StdRng) -> Vec<JobSummary> {
    let mut ids = Vec::new();
    for n in 0..160 {
        let (kind, queue) = (*["x", "y"].choose(chance).unwrap(), *["default", "mail"].choose(chance).unwrap());
        let tag = *["red", "blue"].choose(chance).unwrap();
        let mut body = json!({"kind": kind, "queue": queue, "tags": [tag]});
        if chance.random_bool(0.2) {
            body["delay_ms"] = json!(3_600_000);
        }
        if chance.random_bool(0.1) {
            body["expires_at"] = json!(Timestamp(home.clock.now().as_millis() + 1));
        }
        let caller = member(["ann", "bob"].choose(chance).unwrap());
        ids.push(engines.enqueue(&caller, &format!("k{n}"), request(body), trace()).await.unwrap().job.summary.id);
        if chance.random_bool(0.1) {
            pass(home, engines, Duration::from_millis(chance.random_range(1..4))).await;
        }
    }
    pass(home, engines, Duration::from_millis(1)).await;
    for id in ids.iter().filter(|_| chance.random_bool(0.15)).copied().collect::<Vec<_>>() {
        // Some have expired.
        let _ = engines.cancel(&owner(), id).await;
    }
    for claimed in claim(engines, home.spec.id, 60).await {
        let item = match chance.random_range(0..4) {
            0 => completed(claimed.id, claimed.epoch, json!(1)),
            1 => failed(claimed.id, claimed.epoch, true),
            2 => failed(claimed.id, claimed.epoch, false),
            _ => continue,
        };
        finish(engines, home.spec.id, item).await;
    }
    let jobs = join_all(ids.into_iter().map(|id| job(engines, id))).await;
    let mut summaries: Vec<_> = jobs.into_iter().map(|job| job.summary).collect();
    summaries.sort_by_key(|summary| std::cmp::Reverse((summary.id.key(), summary.id.tail())));
    summaries
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_with_every_filter_show_what_a_plain_model_shows() {
    let mut chance = StdRng::seed_from_u64(seed());
    let home = Home::external(4);
    let engines = home.open().await;
    let jobs = populate(&home, &engines, &mut chance).await;
    for state in JobState::ALL {
        assert!(jobs.iter().any(|job| job.state == state), "the test needs a job that is {state}");
    }
    let shared_keys = jobs.windows(2).filter(|pair| pair[0].id.key() == pair[1].id.key()).count();
    assert!(shared_keys > 0, "the test needs jobs of different shards with one key");

    let texts = |text: &str| [None, Some(text.to_owned())];
    for caller in [owner(), member("ann"), member("bob"), member("nobody")] {
        for state in std::iter::once(None).chain(JobState::ALL.map(Some)) {
            for kind in texts("x") {
                for queue in texts("mail") {
                    for tag in texts("red") {
                        let created_after =
                            chance.random_bool(0.4).then(|| Timestamp(START_MS + chance.random_range(-2..40)));
                        let limit = Some(*[1, 2, 3, 7, 50, 200].choose(&mut chance).unwrap());
                        let engine_id = chance.random_bool(0.5).then_some(home.spec.id);
                        let query = ListJobsQuery {
                            state,
                            kind: kind.clone(),
                            engine_id,
                            queue: queue.clone(),
                            tag: tag.clone(),
                            created_after,
                            cursor: None,
                            limit,
                        };
                        let expected: Vec<_> = jobs
                            .iter()
                            .filter(|job| {
                                (caller.sees_all || *caller.subject == *job.created_by)
                                    && state.is_none_or(|state| job.state == state)
                                    && kind.as_ref().is_none_or(|kind| job.kind == *kind)
                                    && queue.as_ref().is_none_or(|queue| job.queue == *queue)
                                    && tag.as_ref().is_none_or(|tag| job.tags.contains(tag))
                                    && created_after.is_none_or(|after| job.created_at > after)
                            })
                            .collect();
                        let shown = all(&engines, &caller, &query).await;
                        assert_eq!(shown.iter().collect::<Vec<_>>(), expected, "{query:?} as {}", caller.subject);
                    }
                }
            }
        }
    }
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_member_sees_only_their_own_jobs() {
    let home = Home::external(2);
    let engines = home.open().await;
    for (name, key) in [("ann", "1"), ("bob", "2"), ("ann", "3")] {
        engines.enqueue(&member(name), key, request(json!({"kind": "x"})), trace()).await.unwrap();
    }
    let count = async |caller| all(&engines, &caller, &ListJobsQuery::default()).await.len();
    assert_eq!(count(member("ann")).await, 2);
    assert_eq!(count(member("bob")).await, 1);
    assert_eq!(count(owner()).await, 3);
    let others = all(&engines, &owner(), &ListJobsQuery::default()).await;
    let of_bob = others.iter().find(|job| job.created_by == "bob").unwrap();
    assert!(engines.job(&member("ann"), of_bob.id).await.is_err());
    assert!(engines.attempts(&member("ann"), of_bob.id).await.is_err());
    assert!(engines.logs(&member("ann"), of_bob.id, 0, 1).await.is_err());
    within(engines.shutdown()).await;
}

/// A page looks at a bounded number of rows, so with a rare filter it may come back short, or empty, with a cursor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rare_job_is_found_behind_thousands_of_others() {
    let home = Home::external(1);
    let engines = home.open().await;
    let rare = enqueue(&engines, "rare", json!({"kind": "x", "tags": ["rare"]})).await.summary.id;
    let entries = (0..6_000).map(|n| (format!("k{n}"), Ok(request(json!({"kind": "y"}))))).collect();
    let (_, outcomes) = engines.enqueue_batch(&owner(), None, entries, trace()).await.unwrap();
    assert!(outcomes.iter().all(Result::is_ok));
    let query = ListJobsQuery { tag: Some("rare".to_owned()), ..ListJobsQuery::default() };
    let first = engines.list_jobs(&owner(), query.clone()).await.unwrap();
    assert!(first.items.is_empty() && first.next_cursor.is_some(), "one page does not read everything");
    let found: Vec<_> = all(&engines, &owner(), &query).await.into_iter().map(|job| job.id).collect();
    assert_eq!(found, [rare]);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_query_that_makes_no_sense_is_refused() {
    let home = Home::external(1);
    let engines = home.open().await;
    let ask = async |query| engines.list_jobs(&owner(), query).await.unwrap_err();
    let limit = |limit| ListJobsQuery { limit: Some(limit), ..ListJobsQuery::default() };
    assert!(matches!(ask(limit(0)).await, ListError::InvalidLimit { limit: 0 }));
    assert!(matches!(ask(limit(201)).await, ListError::InvalidLimit { limit: 201 }));
    let cursor = ListJobsQuery { cursor: Some("junk".to_owned()), ..ListJobsQuery::default() };
    assert!(matches!(ask(cursor).await, ListError::InvalidCursor));
    within(engines.shutdown()).await;
}
