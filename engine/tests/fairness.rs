//! Nobody waits behind somebody else's flood.

use flowork_api_types::engine::ClaimRequest;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::support::{Home, ask, claim, claim_one, enqueue, enqueue_as, run_all, seed, within};

#[tokio::test]
async fn users_take_turns_within_a_priority() {
    let home = Home::external(1);
    let engines = home.open().await;
    for n in 0..6 {
        enqueue_as(&engines, "flood", &format!("f{n}"), json!({"kind": "x"})).await;
    }
    for n in 0..2 {
        enqueue_as(&engines, "ada", &format!("a{n}"), json!({"kind": "x", "queue": "other"})).await;
        enqueue_as(&engines, "bob", &format!("b{n}"), json!({"kind": "y"})).await;
    }
    let order = run_all(&engines, home.spec.id).await;
    assert_eq!(order, ["flood", "ada", "bob", "flood", "ada", "bob", "flood", "flood", "flood", "flood"]);
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_more_urgent_job_goes_before_everybodys_turn() {
    let home = Home::external(1);
    let engines = home.open().await;
    for n in 0..3 {
        enqueue_as(&engines, "ada", &format!("a{n}"), json!({"kind": "x"})).await;
        enqueue_as(&engines, "bob", &format!("b{n}"), json!({"kind": "x", "priority": 5})).await;
    }
    assert_eq!(run_all(&engines, home.spec.id).await, ["bob", "bob", "bob", "ada", "ada", "ada"]);
    within(engines.shutdown()).await;
}

/// A user who comes back again and again must not be let ahead each time, or a steady trickle would starve a flood.
#[tokio::test]
async fn somebody_who_comes_back_stands_at_the_end_of_the_line() {
    let home = Home::external(1);
    let engines = home.open().await;
    for n in 0..20 {
        enqueue_as(&engines, "flood", &format!("f{n}"), json!({"kind": "x"})).await;
    }
    let mut flood = 0;
    for n in 0..20 {
        enqueue_as(&engines, "trickle", &format!("t{n}"), json!({"kind": "x"})).await;
        let job = claim_one(&engines, home.spec.id).await;
        flood += i32::from(crate::support::job(&engines, job.id).await.summary.created_by == "flood");
    }
    assert_eq!(flood, 10, "every second claim is the flood's");
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_claimer_that_takes_some_kinds_is_served_in_the_same_order() {
    let mut chance = StdRng::seed_from_u64(seed());
    let home = Home::external(1);
    let engines = home.open().await;
    let mut wanted = Vec::new();
    for n in 0..400 {
        let kind = ["noop", "x", "y"][chance.random_range(0..3)];
        let body = json!({"kind": kind, "priority": chance.random_range(0..3), "queue": format!("q{}", n % 7)});
        wanted.push(enqueue(&engines, &format!("k{n}"), body).await.summary);
    }
    wanted.retain(|job| job.kind != "noop");
    wanted.sort_by_key(|job| (job.priority, job.run_at, job.id));
    let some = ClaimRequest { kinds: Some(vec!["x".to_owned(), "y".to_owned()]), ..ask(7, 0) };
    let mut claimed = Vec::new();
    loop {
        let jobs = within(engines.claim(home.spec.id, some.clone())).await.unwrap().jobs;
        if jobs.is_empty() {
            break;
        }
        claimed.extend(jobs.into_iter().map(|job| job.id));
    }
    assert_eq!(claimed, wanted.iter().map(|job| job.id).collect::<Vec<_>>());
    assert!(claim(&engines, home.spec.id, 1).await.iter().all(|job| job.kind == "noop"));
    within(engines.shutdown()).await;
}
