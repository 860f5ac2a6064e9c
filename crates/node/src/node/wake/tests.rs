//! A whole node on a clock that jumps while its timers stand still, as in a sleep.

use std::{collections::BTreeMap, ops::ControlFlow, path::Path, time::Duration};

use flowork_api_types::{SyncSessionId, Timestamp, schedule::Schedule};
use flowork_engine::{Clock, jobs::Caller};
use flowork_sync::machine::Command;
use serde_json::json;
use tokio::time::timeout;

use crate::{Config, Flags, Node, NodeHandle};

/// Noon, so that no midnight comes by itself while a test runs.
const NOON_MS: i64 = 1_699_963_200_000;
const HOUR: Duration = Duration::from_hours(1);
/// Far longer than a look takes, and less than the half minute after which timers look up by themselves.
const AT_ONCE: Duration = Duration::from_secs(20);
/// The first one may find a timer that was just about to look anyway; the second one finds it asleep.
const SLEEPS: u32 = 2;

fn config_in(directory: &Path) -> Config {
    let text = |name: &str| directory.join(name).to_string_lossy().into_owned();
    let flags = Flags { data_dir: Some(text("data")), listen: Some("127.0.0.1:0".to_owned()), ..Flags::default() };
    let environment = [("FLOWORK_VAULT", "file".to_owned()), ("FLOWORK_VAULT_KEY_DIR", text("keys"))];
    let environment: BTreeMap<_, _> = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Config::load_with(&flags, &environment).unwrap()
}

fn owner() -> Caller {
    Caller { subject: "owner".into(), sees_all: true, may_act: true }
}

/// Starts a session of three people with fifty minutes each, one after the other.
async fn session_on(node: &NodeHandle) -> SyncSessionId {
    let player = |index: u32| {
        let id = format!("{index:08x}-1111-4111-8111-111111111111");
        json!({"participant_id": id, "participant_index": index, "total_time_ms": 50 * 60_000})
    };
    let request = json!({
        "session_id": "00000000-0000-4000-8000-000000000000", "sync_mode": "per_participant",
        "total_time_ms": 3_600_000, "participants": [player(0), player(1), player(2)],
        "action_on_timeout": "auto_advance",
    });
    let made = node.sync.create(&owner(), serde_json::from_value(request).unwrap()).await.unwrap();
    let id = made.session().id();
    node.sync.change(&owner(), id, None, Command::Start).await.unwrap();
    id
}

/// Waits until the time of so many people has run out.
async fn until_expired(node: &NodeHandle, session: SyncSessionId, wanted: u32) {
    let mut subscription = node.sync.subscribe(&owner(), session).unwrap();
    loop {
        let state = node.sync.get(&owner(), session).unwrap().session().state();
        if state.participants.iter().filter(|one| one.has_expired).count() as u32 >= wanted {
            return;
        }
        subscription.changed().await;
    }
}

/// Waits until a schedule has fired its run of this time.
async fn until_fired(node: &NodeHandle, schedule: &Schedule, due: Timestamp) {
    // Listen before looking, so that no change in between is missed.
    let mut feed = node.engines.events().subscribe(None);
    while node.schedules.get(&owner(), schedule.id).await.unwrap().last_due_at != Some(due) {
        feed.next().await.expect("the node runs");
    }
}

async fn heads(node: &NodeHandle) -> u64 {
    node.audit.verify(|_| ControlFlow::Continue(())).await.unwrap().heads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_came_due_in_a_sleep_is_seen_as_soon_as_the_machine_wakes_up() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), Clock::manual(NOON_MS));
    let node = Node::start_by(clock.clone(), config_in(directory.path())).await.unwrap();
    let every_hour = json!({"name": "every hour", "interval_ms": 3_600_000, "job": {"kind": "noop"}});
    let schedule = node.schedules.create(&owner(), serde_json::from_value(every_hour).unwrap()).await.unwrap();
    let session = session_on(&node).await;
    for sleep in 1..=SLEEPS {
        clock.advance(HOUR);
        node.resumed().await;
        timeout(AT_ONCE, until_expired(&node, session, sleep)).await.expect("nobody looks at the sessions");
        let due = Timestamp(NOON_MS + i64::from(sleep) * 3_600_000);
        timeout(AT_ONCE, until_fired(&node, &schedule, due)).await.expect("nobody looks at the schedules");
    }

    assert_eq!(heads(&node).await, 0, "the day is not over");
    clock.advance(24 * HOUR);
    node.resumed().await;
    let signed = async {
        while heads(&node).await == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(AT_ONCE, signed).await.expect("nobody looks at the audit log");
    node.stop().await;
}
