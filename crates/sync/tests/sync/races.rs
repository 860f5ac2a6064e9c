//! Changes at the same time, and what they are answered.

use flowork_api_types::session::{ListSessionEventsQuery, ListSessionsQuery, SessionStatus};
use flowork_sync::{
    ChangeError, CreateError, Published,
    machine::{Command, Refusal},
};
use flowork_test_support::sessions::{numbered, request, session_id};
use serde_json::json;

use super::world::{BEGIN, World, events, member, names, owner, started, state, switch, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_switches_of_one_version_exactly_one_wins_each_time() {
    const ROUNDS: u64 = 1_000;
    let world = World::new();
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({}))).await;
    for round in 0..ROUNDS {
        let expected = 2 + round;
        let race = || {
            let sessions = sessions.clone();
            tokio::spawn(
                async move { sessions.change(&owner(), id, Some(expected), Command::Switch { next: None }).await },
            )
        };
        let (one, other) = (race(), race());
        let outcomes = [one.await.unwrap(), other.await.unwrap()];
        let won: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
        assert_eq!(won.len(), 1, "round {round}");
        assert_eq!(won[0].snapshot.session().version(), expected + 1, "the answer carries the stored version");
        let lost = outcomes.iter().find_map(|outcome| outcome.as_ref().err()).unwrap();
        assert!(
            matches!(lost, ChangeError::Conflict { expected: 0.., actual } if *actual == expected + 1),
            "round {round}: {lost}"
        );
    }
    assert_eq!(state(&sessions, id).version, 2 + ROUNDS);
    let audit = events(&sessions, id).await;
    let versions: Vec<_> = audit.iter().map(|event| event.version).collect();
    assert_eq!(versions, (1..=2 + ROUNDS).collect::<Vec<_>>(), "each change once, in order");
    sessions.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_create_one_id_get_one_session() {
    let world = World::new();
    let sessions = world.open().await;
    let creates = (0..50).map(|_| {
        let sessions = sessions.clone();
        tokio::spawn(async move { sessions.create(&owner(), request(&json!({}))).await })
    });
    let mut made = 0;
    for create in creates.collect::<Vec<_>>() {
        match create.await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert!(matches!(error, CreateError::Exists { .. }), "{error}"),
        }
    }
    assert_eq!(made, 1);
    sessions.shutdown().await;
}

#[tokio::test]
async fn members_see_and_change_their_own() {
    let world = World::new();
    let sessions = world.open().await;
    let (ann, bob) = (member("ann"), member("bob"));
    sessions.create(&ann, request(&json!({}))).await.unwrap();
    let id = session_id(0);
    assert!(sessions.get(&bob, id).is_err() && sessions.subscribe(&bob, id).is_err());
    let refused = sessions.change(&bob, id, None, Command::Start).await;
    assert!(matches!(refused, Err(ChangeError::NotFound { .. })));
    sessions.delete(&bob, id, None).await.unwrap();
    assert!(sessions.get(&ann, id).is_ok(), "what is not for bob to see, bob has not deleted");
    assert!(sessions.events(&bob, id, ListSessionEventsQuery::default()).await.is_err());
    let list = |caller| sessions.list(&caller, &ListSessionsQuery::default()).unwrap().items.len();
    assert_eq!((list(ann.clone()), list(bob), list(owner())), (1, 0, 1));
    sessions.change(&ann, id, None, Command::Start).await.unwrap();
    sessions.shutdown().await;
}

#[tokio::test]
async fn a_deleted_session_is_gone_for_everybody_and_its_audit_stays() {
    let world = World::new();
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({}))).await;
    let mut subscription = sessions.subscribe(&owner(), id).unwrap();
    assert!(matches!(subscription.current(), Published::Live(_)));
    let wrong = sessions.delete(&owner(), id, Some(1)).await;
    assert!(matches!(wrong, Err(ChangeError::Conflict { expected: 1, actual: 2 })));
    sessions.delete(&owner(), id, Some(2)).await.unwrap();
    assert!(matches!(subscription.changed().await, Published::Deleted));
    assert!(sessions.get(&owner(), id).is_err());
    sessions.delete(&owner(), id, None).await.expect("deleting what is not there is fine");
    assert!(matches!(switch(&sessions, id).await, Err(ChangeError::NotFound { .. })));
    let audit = events(&sessions, id).await;
    assert_eq!(names(&audit), ["session_created", "started", "deleted"]);
    assert_eq!((audit[2].version, audit[2].actor.as_deref()), (3, Some("owner")));
    sessions.create(&owner(), request(&json!({}))).await.expect("the id is free again");
    sessions.shutdown().await;
}

#[tokio::test]
async fn a_change_that_is_refused_leaves_everything_as_it_was() {
    let world = World::new();
    let sessions = world.open().await;
    sessions.create(&owner(), request(&json!({}))).await.unwrap();
    let id = session_id(0);
    let refused = switch(&sessions, id).await;
    assert!(matches!(refused, Err(ChangeError::Refused(Refusal::InvalidTransition { .. }))));
    let stale = sessions.change(&owner(), id, Some(7), Command::Start).await;
    assert!(matches!(stale, Err(ChangeError::Conflict { expected: 7, actual: 1 })));
    assert_eq!(state(&sessions, id).version, 1);
    assert_eq!(names(&events(&sessions, id).await), ["session_created"]);
    sessions.shutdown().await;
}

#[tokio::test]
async fn lists_go_by_pages_newest_first() {
    let world = World::new();
    let sessions = world.open().await;
    for number in 0..5 {
        sessions.create(&owner(), numbered(number, &json!({}))).await.unwrap();
        world.pass(&sessions, 1).await;
    }
    sessions.change(&owner(), session_id(3), None, Command::Start).await.unwrap();
    let list = |query: serde_json::Value| {
        let list = sessions.list(&owner(), &serde_json::from_value(query).unwrap()).unwrap();
        (list.items.iter().map(|item| item.session_id).collect::<Vec<_>>(), list.next_cursor)
    };
    let (first, cursor) = list(json!({"limit": 2}));
    assert_eq!(first, [4, 3].map(session_id));
    let (second, cursor) = list(json!({"limit": 2, "cursor": cursor}));
    assert_eq!(second, [2, 1].map(session_id));
    assert_eq!(list(json!({"limit": 2, "cursor": cursor})), (vec![session_id(0)], None));
    assert_eq!(list(json!({"status": "running"})), (vec![session_id(3)], None));
    for wrong in [json!({"limit": 0}), json!({"limit": 201}), json!({"cursor": "x"})] {
        assert!(sessions.list(&owner(), &serde_json::from_value(wrong).unwrap()).is_err());
    }
    sessions.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_stored_has_not_happened() {
    let world = World::new();
    let sessions = world.open().await;
    let id = started(&sessions, request(&json!({}))).await;
    let before = state(&sessions, id);
    let mut subscription = sessions.subscribe(&owner(), id).unwrap();
    subscription.current();
    // The event can't be written, and without it nothing of the change may be.
    let file = rusqlite::Connection::open(world.path()).unwrap();
    file.execute_batch("ALTER TABLE event RENAME TO away").unwrap();
    let failed = switch(&sessions, id).await.unwrap_err();
    assert!(matches!(failed, ChangeError::Store(_)), "{failed}");
    let failed = sessions.create(&owner(), numbered(1, &json!({}))).await.unwrap_err();
    assert!(matches!(failed, CreateError::Store(_)), "{failed}");
    assert_eq!(state(&sessions, id), before);
    assert!(sessions.get(&owner(), session_id(1)).is_err());
    file.execute_batch("ALTER TABLE away RENAME TO event").unwrap();
    drop(file);
    assert_eq!(switch(&sessions, id).await.unwrap().snapshot.session().version(), before.version + 1);
    let Published::Live(told) = subscription.changed().await else { panic!("deleted") };
    assert_eq!(told.session().version(), before.version + 1, "nobody was told of the one that failed");
    sessions.create(&owner(), numbered(1, &json!({}))).await.unwrap();
    sessions.shutdown().await;
    let sessions = world.open().await;
    assert_eq!(state(&sessions, id).version, before.version + 1);
    assert_eq!(names(&events(&sessions, id).await), ["session_created", "started", "cycle_switched"]);
    sessions.shutdown().await;
}

#[tokio::test]
async fn a_session_that_can_not_be_stored_costs_the_others_nothing() {
    const SESSIONS: u32 = 24;
    let world = World::new();
    let sessions = world.open().await;
    for number in 0..SESSIONS {
        started(&sessions, numbered(number, &json!({"action_on_timeout": "end_session"}))).await;
    }
    let broken = session_id(0);
    let file = rusqlite::Connection::open(world.path()).unwrap();
    let bytes = broken.as_uuid().simple();
    file.execute_batch(&format!(
        "CREATE TRIGGER broken BEFORE INSERT ON event WHEN NEW.session_id = x'{bytes}'
         BEGIN SELECT RAISE(ABORT, 'this one not'); END"
    ))
    .unwrap();
    // On one thread: all of them wait before the first is decided, so that they are decided together.
    let calls = (0..SESSIONS).map(|number| {
        let sessions = sessions.clone();
        tokio::spawn(async move { (number, switch(&sessions, session_id(number)).await) })
    });
    for call in calls.collect::<Vec<_>>() {
        let (number, outcome) = call.await.unwrap();
        assert_eq!(outcome.is_err(), number == 0, "session {number}: {outcome:?}");
    }
    assert_eq!(state(&sessions, broken).version, 2, "nothing of it happened");
    // The same with what nobody asked for.
    world.pass(&sessions, 10_000).await;
    for number in 1..SESSIONS {
        until(&sessions, session_id(number), |state| state.status == SessionStatus::Expired).await;
    }
    assert_eq!(state(&sessions, broken).status, SessionStatus::Running);
    file.execute_batch("DROP TRIGGER broken").unwrap();
    drop(file);
    world.pass(&sessions, 5_000).await;
    let ended = until(&sessions, broken, |state| state.status == SessionStatus::Expired).await;
    assert_eq!(ended.session_completed_at.unwrap().as_millis(), BEGIN + 10_000, "at the instant it was due");
    sessions.shutdown().await;
}
