//! The number of local workers on a clock that the test moves.

use std::time::Duration;

use flowork_api_types::{
    autoscale::{AutoscaleDecision, AutoscaleReason},
    engine::{Directive, EngineLocation, HeartbeatRequest, WORKERS_MAX},
    event::Event,
    job::JobState,
};
use flowork_engine::{AutoscaleOptions, Clock, EventFeed, engines::FixWorkersError};
use serde_json::json;

use crate::support::{Home, START_MS, ask, descriptor, enqueue, spec, state, within};

fn options(workers_min: u32, workers_max: u32) -> AutoscaleOptions {
    AutoscaleOptions { target_latency: Duration::from_millis(500), headroom_factor: 1.3, workers_min, workers_max }
}

async fn next_decision(events: &mut EventFeed) -> AutoscaleDecision {
    loop {
        let (owner, envelope) = events.next().await.unwrap();
        if let Event::Autoscaled(decision) = envelope.event {
            assert!(owner.is_none(), "it is for everybody");
            return decision;
        }
    }
}

#[tokio::test]
async fn idle_workers_go_one_by_one_and_each_step_is_told() {
    let mut home = Home::local(1, 3);
    home.autoscale = Some(options(1, 8));
    home.clock = Clock::manual(START_MS);
    let engines = home.open().await;
    let mut events = engines.events().subscribe(None);
    assert_eq!(engines.workers(), 3);
    for (from, to) in [(3, 2), (2, 1)] {
        home.clock.advance(Duration::from_mins(1));
        engines.poke();
        let decision = within(next_decision(&mut events)).await;
        assert_eq!((decision.from, decision.to, decision.reason), (from, to, AutoscaleReason::Quiet));
        assert_eq!(engines.workers(), to);
        assert_eq!(engines.list()[0].workers, to, "everybody sees it");
    }
    let shown = engines.describe_workers();
    assert_eq!((shown.enabled, shown.workers, shown.decisions.len()), (true, 1, 2));
    assert_eq!(shown.decisions[0].to, 1, "the newest first");
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn workers_start_within_their_bounds_and_stay_while_their_number_is_fixed() {
    let mut home = Home::local(1, 3);
    home.autoscale = Some(options(5, 8));
    let engines = home.open().await;
    assert_eq!(engines.workers(), 5);
    within(engines.shutdown()).await;
    home.autoscale = None;
    let engines = home.open().await;
    let shown = engines.describe_workers();
    assert_eq!((shown.enabled, shown.workers, engines.workers()), (false, 3, 3));
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_number_that_a_person_decided_on_is_in_force_at_once_and_each_decision_is_told() {
    let mut home = Home::local(1, 3);
    home.autoscale = Some(options(1, 8));
    home.clock = Clock::manual(START_MS);
    let engines = home.open().await;
    let mut events = engines.events().subscribe(None);
    engines.fix_workers(home.spec.id, Some(20)).unwrap();
    let fixed = within(next_decision(&mut events)).await;
    assert_eq!((fixed.from, fixed.to, fixed.reason), (3, 20, AutoscaleReason::Fixed));
    assert_eq!((engines.workers(), engines.list()[0].workers_fixed), (20, Some(20)));
    engines.fix_workers(home.spec.id, Some(20)).unwrap();
    home.clock.advance(Duration::from_mins(10));
    engines.poke();
    engines.fix_workers(home.spec.id, None).unwrap();
    let free = within(next_decision(&mut events)).await;
    assert_eq!((free.from, free.to, free.reason), (20, 8, AutoscaleReason::Unfixed), "and none between, however idle");
    assert_eq!((engines.workers(), engines.list()[0].workers_fixed), (8, None));
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn numbers_out_of_bounds_and_engines_that_are_not_there_change_nothing() {
    let home = Home::local(1, 3);
    let engines = home.open().await;
    for workers in [0, WORKERS_MAX + 1, u32::MAX] {
        let refused = engines.fix_workers(home.spec.id, Some(workers));
        assert!(matches!(refused, Err(FixWorkersError::OutOfRange { workers: of }) if of == workers), "{workers}");
    }
    let unknown = engines.fix_workers(spec(7, EngineLocation::External, 1).id, Some(1));
    assert!(matches!(unknown, Err(FixWorkersError::UnknownEngine { .. })));
    assert_eq!((engines.workers(), engines.list()[0].workers_fixed), (3, None));
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn an_engine_elsewhere_is_asked_for_as_many_as_a_person_decided_on() {
    let home = Home::external(1);
    let engines = home.open().await;
    let asked = || {
        let (version, kinds, members_version) = ("1".to_owned(), Vec::new(), None);
        let report = HeartbeatRequest { version, capacity: 4, busy: 0, kinds, vitals: None, members_version };
        engines.heartbeat(home.spec.id, report).unwrap().desired_workers
    };
    engines.fix_workers(home.spec.id, Some(9)).unwrap();
    assert_eq!((asked(), engines.list()[0].workers_fixed, engines.list()[0].workers), (Some(9), Some(9), 4));
    engines.fix_workers(home.spec.id, None).unwrap();
    assert_eq!((asked(), engines.list()[0].workers_fixed), (None, None));
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn an_engine_that_was_opened_to_run_nothing_runs_nothing_whatever_is_decided() {
    let home = Home::local(1, 0);
    let engines = home.open().await;
    engines.fix_workers(home.spec.id, Some(5)).unwrap();
    assert_eq!((engines.workers(), engines.list()[0].workers_fixed), (0, Some(5)));
    assert!(engines.describe_workers().explanation.contains("recovery"));
    within(engines.shutdown()).await;
}

/// Decisions after an idle time in which none was taken must be dated after it, and come one by one.
async fn goes_on_from_here(home: &Home, engines: &flowork_engine::Engines, events: &mut EventFeed, workers: u32) {
    home.clock.advance(Duration::from_mins(1));
    engines.poke();
    let step = within(next_decision(events)).await;
    assert_eq!((step.from, step.to, step.reason), (workers, workers - 1, AutoscaleReason::Quiet));
    assert_eq!(step.at, home.clock.now(), "a minute after it was left to the load");
    assert_eq!(engines.workers(), workers - 1, "and no more of them in the same turn");
}

#[tokio::test]
async fn what_was_idle_while_the_number_was_fixed_is_not_held_against_it_afterwards() {
    let mut home = Home::local(1, 8);
    home.autoscale = Some(options(1, 8));
    home.clock = Clock::manual(START_MS);
    let engines = home.open().await;
    let mut events = engines.events().subscribe(None);
    engines.fix_workers(home.spec.id, Some(20)).unwrap();
    within(next_decision(&mut events)).await;
    home.clock.advance(Duration::from_mins(50));
    engines.fix_workers(home.spec.id, None).unwrap();
    let free = within(next_decision(&mut events)).await;
    assert_eq!((free.to, free.reason, engines.workers()), (8, AutoscaleReason::Unfixed, 8));
    goes_on_from_here(&home, &engines, &mut events, 8).await;
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn what_was_idle_while_the_node_drained_is_not_held_against_it_afterwards() {
    let mut home = Home::local(1, 8);
    home.autoscale = Some(options(1, 8));
    home.clock = Clock::manual(START_MS);
    let engines = home.open().await;
    let mut events = engines.events().subscribe(None);
    engines.drain(true);
    assert_eq!(within(events.next()).await.unwrap().1.event, Event::EnginesChanged);
    home.clock.advance(Duration::from_mins(50));
    engines.drain(false);
    goes_on_from_here(&home, &engines, &mut events, 8).await;
    within(engines.shutdown()).await;
}

#[tokio::test]
async fn a_node_that_was_opened_to_run_nothing_has_no_jobs_for_engines_elsewhere() {
    let home = Home::local(1, 0);
    let engines = home.open().await;
    let elsewhere = spec(2, EngineLocation::External, 1);
    engines.add(elsewhere.clone()).await.unwrap();
    let (version, kinds, members_version) = ("1".to_owned(), vec![descriptor("x")], None);
    let report = HeartbeatRequest { version, capacity: 4, busy: 0, kinds, vitals: None, members_version };
    assert!(engines.heartbeat(elsewhere.id, report).unwrap().drain);
    assert_eq!(engines.directives(elsewhere.id).unwrap().next().await, Directive::Drain { on: true });
    let job = enqueue(&engines, "k", json!({"kind": "x"})).await;
    assert_eq!(job.summary.engine_id, elsewhere.id, "it takes jobs");
    assert!(within(engines.claim(elsewhere.id, ask(1, 300))).await.unwrap().jobs.is_empty());
    assert_eq!(state(&engines, job.summary.id).await, JobState::Queued);
    within(engines.shutdown()).await;
}
