//! What people decided, on real files.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;

use flowork_api_types::{
    Timestamp,
    auth::Role,
    limit::{LIMITS_MAX, LimitRule, LimitTarget, Rate},
    member::{GuestArea, GuestPolicy},
    queue::QueueName,
};
use flowork_control::{ControlStore, DrainRecord, PAUSED_QUEUES_MAX, PausedQueue, Policies, PolicyError};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const LATER: Timestamp = Timestamp(1_700_000_060_000);

async fn open(directory: &Path) -> ControlStore {
    ControlStore::open(&directory.join("control.db")).await.unwrap()
}

fn queue(name: &str) -> QueueName {
    name.parse().unwrap()
}

fn rule(target: &str, concurrency: Option<u32>, rate: Option<Rate>) -> LimitRule {
    LimitRule { target: target.parse().unwrap(), concurrency, rate }
}

#[tokio::test]
async fn decisions_outlive_the_process_and_are_in_memory_as_they_are_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    assert_eq!(store.policies(), Policies::default());
    store.pause_queue(&queue("mail"), "ada", NOW).await.unwrap();
    store.pause_queue(&queue("mail"), "alan", LATER).await.unwrap();
    store.pause_queue(&queue("gone"), "ada", NOW).await.unwrap();
    store.resume_queue(&queue("gone")).await.unwrap();
    store.resume_queue(&queue("never")).await.unwrap();
    let rate = Rate { count: 10, per_ms: 1_000 };
    store.set_limit(rule("kind:llm.chat", Some(4), None), NOW).await.unwrap();
    store.set_limit(rule("kind:llm.chat", None, Some(rate)), LATER).await.unwrap();
    store.set_limit(rule("key:a b:c", Some(0), Some(rate)), NOW).await.unwrap();
    store.set_limit(rule("user:x", Some(1), None), NOW).await.unwrap();
    store.remove_limit("user:x".parse().unwrap()).await.unwrap();
    let drain = |by: &str, since, reason: Option<&str>| DrainRecord {
        since,
        by: by.to_owned(),
        reason: reason.map(str::to_owned),
        stored: true,
    };
    store.set_drain(Some(drain("ada", NOW, Some("new disk")))).await.unwrap();
    store.set_drain(Some(drain("alan", LATER, None))).await.unwrap();

    let policies = store.policies();
    let by_ada = PausedQueue { at: NOW, by: "ada".to_owned() };
    assert_eq!(
        policies.paused_queues.iter().collect::<Vec<_>>(),
        [(&"mail".to_owned(), &by_ada)],
        "the first pause counts"
    );
    let chat: LimitTarget = "kind:llm.chat".parse().unwrap();
    assert_eq!(policies.limits.len(), 2);
    assert_eq!(
        (policies.limits[&chat].rule.clone(), policies.limits[&chat].set_at),
        (rule("kind:llm.chat", None, Some(rate)), LATER)
    );
    assert_eq!(policies.drain, Some(drain("ada", NOW, Some("new disk"))), "the first drain counts");
    store.close().await;

    let again = open(directory.path()).await;
    assert_eq!(again.policies(), policies);
    again.set_drain(None).await.unwrap();
    assert_eq!(again.policies().drain, None);
    again.set_drain(None).await.unwrap();
    again.close().await;
    assert_eq!(open(directory.path()).await.policies().drain, None);
}

/// As many of both as there may be, in one transaction.
fn fill(path: &Path) {
    let rows = |max: usize, select: &str| {
        format!(
            "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {max} - 1) SELECT {select} FROM n"
        )
    };
    let queues = format!("INSERT INTO paused_queues {}", rows(PAUSED_QUEUES_MAX, "'q' || i, 0, 'ada'"));
    let limits = format!("INSERT INTO limits {}", rows(LIMITS_MAX, "'key:k' || i, 1, NULL, NULL, 0"));
    let file = rusqlite::Connection::open(path).unwrap();
    file.execute_batch(&format!("BEGIN; {queues}; {limits}; COMMIT")).unwrap();
}

#[tokio::test]
async fn what_has_a_bound_says_so_when_it_is_hit() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).await.close().await;
    fill(&directory.path().join("control.db"));
    let store = open(directory.path()).await;
    let paused = store.pause_queue(&queue("more"), "ada", NOW).await;
    assert!(matches!(paused, Err(PolicyError::TooManyPaused)), "{paused:?}");
    let limited = store.set_limit(rule("key:more", Some(1), None), NOW).await;
    assert!(matches!(limited, Err(PolicyError::TooManyLimits)), "{limited:?}");
    store.pause_queue(&queue("q0"), "ada", NOW).await.unwrap();
    store.set_limit(rule("key:k0", Some(2), None), NOW).await.unwrap();
    store.remove_limit("key:k1".parse().unwrap()).await.unwrap();
    store.set_limit(rule("key:more", Some(1), None), NOW).await.unwrap();
    let unknown = store.remove_limit("key:k1".parse().unwrap()).await;
    assert_eq!(unknown.unwrap_err().to_string(), "there is no limit for key:k1");
    assert_eq!(store.policies().limits.len(), LIMITS_MAX);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_and_file_agree_after_changes_that_came_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let changes: Vec<_> = (0..100)
        .map(|index| {
            let store = store.clone();
            tokio::spawn(async move {
                match index % 2 {
                    0 => store.pause_queue(&queue("q"), "ada", NOW).await.unwrap(),
                    _ => store.resume_queue(&queue("q")).await.unwrap(),
                }
            })
        })
        .collect();
    for change in changes {
        change.await.unwrap();
    }
    let in_memory = store.policies();
    store.close().await;
    assert_eq!(open(directory.path()).await.policies(), in_memory);
}

#[tokio::test]
async fn what_was_decided_about_kinds_and_guests_outlives_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    assert_eq!((store.guest_policy(), store.kind_grant("noop")), (GuestPolicy::default(), None));
    assert!(!store.guests_may_see(GuestArea::Jobs), "nothing is open that nobody opened");
    store.set_kind_grant("noop", Some(vec![Role::Operator]), NOW).await.unwrap();
    store.set_kind_grant("sleep", Some(Vec::new()), NOW).await.unwrap();
    store.set_kind_grant("csv.read", Some(vec![Role::Member]), NOW).await.unwrap();
    store.set_kind_grant("csv.read", None, NOW).await.unwrap();
    let opened = GuestPolicy { enabled: true, open: vec![GuestArea::Jobs] };
    store.set_guest_policy(opened.clone()).await.unwrap();
    assert!(store.guests_may_see(GuestArea::Jobs) && !store.guests_may_see(GuestArea::Sessions));
    store.close().await;

    let store = open(directory.path()).await;
    assert_eq!(store.kind_grant("noop"), Some(vec![Role::Operator]));
    assert_eq!(store.kind_grant("sleep"), Some(Vec::new()), "nobody but the owner is a decision");
    assert_eq!(store.kind_grant("csv.read"), None);
    let of_unknown = |kind| store.kind_roles(kind, None).roles;
    assert_eq!(of_unknown("csv.read"), [Role::Owner, Role::Operator], "it may reach the machine");
    assert_eq!((of_unknown("sleep"), of_unknown("noop")), (vec![Role::Owner], vec![Role::Owner, Role::Operator]));
    assert_eq!(store.guest_policy(), opened);
    store.set_guest_policy(GuestPolicy { enabled: false, ..opened }).await.unwrap();
    assert!(!store.guests_may_see(GuestArea::Jobs), "who is not let in sees nothing");
}
