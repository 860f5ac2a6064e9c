use flowork_api_types::{JobId, Timestamp, drain::Drain, engine::Engine};

use super::*;

/// What an idle node of its own says.
pub(crate) fn status() -> Status {
    let engine: Engine = serde_json::from_value(serde_json::json!({
        "id": "eng_01930c5ea2f07a3c8000000000000000", "name": "local", "location": "local", "state": "up", "workers": 4, "workers_fixed": null,
        "busy": 0, "shards": 2, "shard_problems": [], "queued": 0, "scheduled": 0, "leased": 0, "last_seen_at": null,
        "version": "1", "token": null, "allowed_actions": ["set_workers"],
    }))
    .unwrap();
    Status {
        version: "1".to_owned(),
        url: "http://127.0.0.1:7717".to_owned(),
        public_url: None,
        pid: 7,
        started_at: Timestamp(0),
        data_dir: "/data".to_owned(),
        vault: "keychain".to_owned(),
        draining: false,
        drain: Drain {
            on: false,
            unstored: false,
            stopping: false,
            since: None,
            by: None,
            reason: None,
            running: 0,
            allowed_actions: vec![DrainAction::Start],
        },
        memory_bytes: 1,
        engines: vec![engine],
        notices: Vec::new(),
    }
}

/// A job, another one for each number.
pub(crate) fn job_id(number: u8) -> JobId {
    format!("job_01930c5ea2f07a3c80000000000000{number:02x}").parse().unwrap()
}

/// A notice of this code.
pub(crate) fn notice(code: &str) -> Notice {
    Notice { code: code.to_owned(), message: "Look.".to_owned(), hint: None }
}

fn view(change: impl FnOnce(&mut Status)) -> NodeView {
    let mut status = status();
    change(&mut status);
    NodeView::of(&status, Some((1, 8)), Hosting::Own)
}

#[test]
fn what_runs_decides_between_idle_and_busy_and_a_drain_goes_before_both() {
    assert_eq!(view(|_| {}).phase, Phase::Idle);
    assert_eq!(view(|status| status.drain.running = 2).phase, Phase::Busy);
    let draining = |running| {
        view(move |status| {
            status.draining = true;
            status.drain.running = running;
            status.drain.allowed_actions = vec![DrainAction::Stop];
        })
    };
    assert_eq!(draining(2).phase, Phase::Draining { left: 2 });
    assert_eq!(draining(0).phase, Phase::Draining { left: 0 });
    assert_eq!(draining(0).allowed, Allowed { undrain: true, stop: true, workers: true, ..Allowed::default() });
}

#[test]
fn workers_are_those_of_the_nodes_own_engine() {
    let fixed = view(|status| status.engines[0].workers_fixed = Some(4));
    assert_eq!(fixed.workers, Workers { now: 4, min: 1, max: 8, fixed: true });
    assert!(!view(|_| {}).workers.fixed);
    let external = view(|status| status.engines[0].location = EngineLocation::External);
    assert_eq!((external.workers, external.engine), (Workers::default(), None));
    assert!(!external.allowed.workers, "there are none to change");
    let older = view(|status| status.engines[0].allowed_actions.clear());
    assert!(!older.allowed.workers, "a node that does not offer it cannot do it");
}

#[test]
fn icon_shows_alarms_but_not_advice() {
    let check = |expected, change: fn(&mut Status)| assert_eq!(view(change).icon(), expected);
    check(IconState::Idle, |_| {});
    check(IconState::Busy, |status| status.drain.running = 1);
    check(IconState::Busy, |status| {
        status.drain.running = 1;
        status.notices.push(notice("VAULT_KEY_ON_DISK"));
    });
    check(IconState::Attention, |status| {
        status.drain.running = 1;
        status.notices.push(notice("SHARD_QUARANTINED"));
    });
    check(IconState::Attention, |status| status.notices.push(notice("RECOVERY_MODE")));
    check(IconState::Draining, |status| status.draining = true);
    assert_eq!(NodeView::starting().icon(), IconState::Idle);
    assert_eq!(NodeView::stopped().icon(), IconState::Stopped);
    assert_eq!(NodeView::failed(notice("START_FAILED")).icon(), IconState::Attention);
    assert_eq!(view(|_| {}).unreachable().icon(), IconState::Attention);
}

#[test]
fn node_that_does_not_answer_can_be_looked_for_or_stopped_if_it_is_the_apps() {
    let mut status = status();
    status.drain.running = 3;
    let service = NodeView::of(&status, None, Hosting::Service { pid: 7 });
    assert!(!service.allowed.stop, "a service is not this app's to stop");
    let lost = service.unreachable();
    let allowed = Allowed { start: true, ..Allowed::default() };
    assert_eq!((lost.phase, lost.running, lost.allowed), (Phase::Unreachable, 0, allowed));
    assert_eq!(lost.url, service.url, "it is still known where it should be");
    let own = NodeView::of(&status, None, Hosting::Own).unreachable();
    assert_eq!(own.allowed, Allowed { stop: true, ..Allowed::default() }, "it is in this very process");
}
