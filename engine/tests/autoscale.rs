//! The number of local workers on a clock that the test moves.

use std::time::Duration;

use flowork_api_types::{
    autoscale::{AutoscaleDecision, AutoscaleReason},
    event::Event,
};
use flowork_engine::{AutoscaleOptions, Clock, EventFeed};

use crate::support::{Home, START_MS, within};

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
