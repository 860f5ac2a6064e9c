//! The control store on real files.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{path::Path, time::Duration};

use flowork_api_types::{Timestamp, auth::Role, engine::EngineLocation, kind::KindDescriptor};
use flowork_control::{
    ControlStore, CreateEngineError, Forget, OpenSessionError, OpenedSession, PAIRING_CODE_TTL, REFRESH_AGAIN_WITHIN,
    REFRESH_IDLE_TTL, RefreshError, SESSIONS_MAX, SESSIONS_PER_SUBJECT_MAX, TokenLife,
};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn after(wait: Duration) -> Timestamp {
    Timestamp(NOW.as_millis() + wait.as_millis() as i64)
}

async fn open(directory: &Path) -> ControlStore {
    ControlStore::open(&directory.join("control.db")).await.unwrap()
}

async fn sign_in(store: &ControlStore) -> OpenedSession {
    let code = store.create_pairing_code(NOW).await.unwrap().code;
    store.open_session(code.expose(), Some("a browser"), NOW).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_redeems_of_one_code_exactly_one_opens_a_session() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let code = store.create_pairing_code(NOW).await.unwrap().code;
    let redeems: Vec<_> = (0..50)
        .map(|_| {
            let (store, code) = (store.clone(), code.clone());
            tokio::spawn(async move { store.open_session(code.expose(), None, NOW).await })
        })
        .collect();
    let (mut opened, mut used) = (0, 0);
    for redeem in redeems {
        match redeem.await.unwrap() {
            Ok(session) => {
                opened += 1;
                assert!(store.session_is_live(session.id));
            }
            Err(OpenSessionError::UsedCode) => used += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((opened, used), (1, 49));
}

#[tokio::test]
async fn a_code_that_can_not_be_used_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let pairing = store.create_pairing_code(NOW).await.unwrap();
    assert_eq!(pairing.expires_at, after(PAIRING_CODE_TTL));
    let unknown = store.open_session("0123", None, NOW).await;
    assert!(matches!(unknown, Err(OpenSessionError::UnknownCode)));
    let late = store.open_session(pairing.code.expose(), None, pairing.expires_at).await;
    assert!(matches!(late, Err(OpenSessionError::ExpiredCode)));
    let last = Timestamp(pairing.expires_at.as_millis() - 1);
    store.open_session(pairing.code.expose(), None, last).await.expect("it works up to its end");
    let again = store.open_session(pairing.code.expose(), None, last).await;
    assert!(matches!(again, Err(OpenSessionError::UsedCode)));
}

#[tokio::test]
async fn a_refresh_token_works_once_and_its_reuse_ends_the_session() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let first = sign_in(&store).await;
    let second = store.refresh_session(first.refresh_token.expose(), NOW).await.unwrap();
    assert_eq!(second.id, first.id);
    let second = store.refresh_session(second.refresh_token.expose(), NOW).await.unwrap();
    let mut ends = store.session_ends();
    let reused = store.refresh_session(first.refresh_token.expose(), NOW).await;
    assert!(matches!(reused, Err(RefreshError::Reused { session_id }) if session_id == first.id));
    assert!(ends.has_changed().unwrap(), "whoever streams to the session is told");
    ends.mark_unchanged();
    assert!(!store.session_is_live(first.id));
    let newest = store.refresh_session(second.refresh_token.expose(), NOW).await;
    assert!(matches!(newest, Err(RefreshError::Ended)), "the newest token of the family is dead as well");
    let unknown = store.refresh_session("flr_00", NOW).await;
    assert!(matches!(unknown, Err(RefreshError::Unknown)));
}

#[tokio::test]
async fn a_refresh_token_whose_answer_was_lost_gives_another_for_a_while() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let first = sign_in(&store).await;
    let lost = store.refresh_session(first.refresh_token.expose(), NOW).await.unwrap();
    let last = Timestamp(NOW.as_millis() + REFRESH_AGAIN_WITHIN.as_millis() as i64);
    let again = store.refresh_session(first.refresh_token.expose(), last).await.unwrap();
    assert_eq!(again.id, first.id);
    assert_ne!(again.refresh_token.expose(), lost.refresh_token.expose());
    let next = store.refresh_session(again.refresh_token.expose(), last).await.unwrap();
    assert!(store.session_is_live(next.id));
    let used = store.refresh_session(first.refresh_token.expose(), last).await;
    assert!(matches!(used, Err(RefreshError::Reused { .. })), "its successor was used: {used:?}");
    assert!(!store.session_is_live(first.id));
}

#[tokio::test]
async fn the_lost_successor_and_a_token_that_comes_too_late_end_the_session() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let first = sign_in(&store).await;
    let lost = store.refresh_session(first.refresh_token.expose(), NOW).await.unwrap();
    store.refresh_session(first.refresh_token.expose(), NOW).await.unwrap();
    let two_have_it = store.refresh_session(lost.refresh_token.expose(), NOW).await;
    assert!(matches!(two_have_it, Err(RefreshError::Reused { .. })));
    assert!(!store.session_is_live(first.id));

    let first = sign_in(&store).await;
    store.refresh_session(first.refresh_token.expose(), NOW).await.unwrap();
    store.refresh_session(first.refresh_token.expose(), NOW).await.unwrap();
    let late = Timestamp(NOW.as_millis() + REFRESH_AGAIN_WITHIN.as_millis() as i64 + 1);
    let late = store.refresh_session(first.refresh_token.expose(), late).await;
    assert!(matches!(late, Err(RefreshError::Reused { .. })));
    assert!(!store.session_is_live(first.id));
}

/// Starts a call and goes away, as a browser does that closes its tab.
async fn start_and_leave(call: impl Future) {
    let mut call = std::pin::pin!(call);
    let asked_once = std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context).is_pending()));
    assert!(asked_once.await, "nothing is stored within one poll");
}

#[tokio::test]
async fn a_change_whose_caller_went_away_is_complete() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let (left, copied) = (sign_in(&store).await, sign_in(&store).await);
    let next = store.refresh_session(copied.refresh_token.expose(), NOW).await.unwrap();
    store.refresh_session(next.refresh_token.expose(), NOW).await.unwrap();
    let mut ends = store.session_ends();
    start_and_leave(store.end_session(left.id, NOW)).await;
    ends.changed().await.unwrap();
    assert!(!store.session_is_live(left.id), "signed out though nobody waited for the answer");
    start_and_leave(store.refresh_session(copied.refresh_token.expose(), NOW)).await;
    ends.changed().await.unwrap();
    assert!(!store.session_is_live(copied.id), "a copied token ends its session though its holder hung up");
}

#[tokio::test]
async fn a_session_lasts_thirty_days_from_its_last_use() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let opened = sign_in(&store).await;
    let used_at = after(REFRESH_IDLE_TTL);
    let next = store.refresh_session(opened.refresh_token.expose(), used_at).await.expect("on the last day");
    let too_late = Timestamp(used_at.as_millis() + REFRESH_IDLE_TTL.as_millis() as i64 + 1);
    let expired = store.refresh_session(next.refresh_token.expose(), too_late).await;
    assert!(matches!(expired, Err(RefreshError::Expired)));
    assert!(!store.session_is_live(opened.id));
}

#[tokio::test]
async fn sessions_and_engines_are_there_again_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let (live, ended) = (sign_in(&store).await, sign_in(&store).await);
    store.end_session(ended.id, NOW).await.unwrap();
    let engine = store.create_engine("local", EngineLocation::Local, 4, NOW).await.unwrap();
    store.set_setting("drain", Some("on")).await.unwrap();
    store.close().await;

    let store = open(directory.path()).await;
    assert!(store.session_is_live(live.id) && !store.session_is_live(ended.id));
    assert_eq!(store.engines(), std::slice::from_ref(&engine.record));
    assert_eq!(store.engine_of_token(engine.token.expose(), NOW).map(|proof| proof.id), Some(engine.record.id));
    assert_eq!(store.setting("drain").await.unwrap().as_deref(), Some("on"));
    assert_eq!(store.reset_access(Forget::default(), NOW).await.unwrap().ended_sessions, 1);
    assert!(!store.session_is_live(live.id));
}

#[tokio::test]
async fn an_engine_is_known_by_its_whole_token_only() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let one = store.create_engine("one", EngineLocation::Local, 1, NOW).await.unwrap();
    let two = store.create_engine(" two ", EngineLocation::External, 1, NOW).await.unwrap();
    assert_eq!((one.record.slot, two.record.slot, two.record.name.as_str()), (0, 1, "two"));
    let (token, other) = (one.token.expose(), two.token.expose());
    let mixed = format!("{}{}", &token[..token.len() - 64], &other[other.len() - 64..]);
    for bad in ["", "fle_", "fle__", &token[1..], &token[..token.len() - 1], &mixed, &token.to_uppercase()] {
        assert_eq!(store.engine_of_token(bad, NOW), None, "{bad}");
    }
}

#[tokio::test]
async fn a_replaced_token_works_until_its_grace_is_over_and_a_revoked_one_stops_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let engine = store.create_engine("one", EngineLocation::External, 1, NOW).await.unwrap();
    let id = engine.record.id;
    let grace = Duration::from_mins(1);
    let second = store.rotate_engine_token(id, grace, NOW).await.unwrap().expect("it exists");
    let proof = store.engine_of_token(engine.token.expose(), NOW).expect("the old one still works");
    assert_eq!((proof.id, proof.until), (id, Some(after(grace))));
    assert_eq!(store.engine_token_state(id, NOW).unwrap().old_until, Some(after(grace)));
    let proof = store.engine_of_token(second.expose(), NOW).expect("the new one works");
    assert_eq!((proof.until, store.engine_token_life(id, proof.generation)), (None, TokenLife::Open));
    store.close().await;

    let store = open(directory.path()).await;
    let last = Timestamp(after(grace).as_millis() - 1);
    assert!(store.engine_of_token(engine.token.expose(), last).is_some(), "up to the end, also after a restart");
    assert_eq!(store.engine_of_token(engine.token.expose(), after(grace)), None, "and not beyond");

    let mut ends = store.engine_token_ends();
    let third = store.rotate_engine_token(id, Duration::ZERO, NOW).await.unwrap().expect("it exists");
    assert!(ends.has_changed().unwrap(), "whoever streams to the engine is told");
    ends.mark_unchanged();
    for old in [&engine.token, &second] {
        assert_eq!(store.engine_of_token(old.expose(), NOW), None, "without a grace the old ones are dead");
    }
    assert_eq!(store.engine_token_life(id, proof.generation), TokenLife::Over, "and so is what was exchanged for them");
    let generation = store.engine_of_token(third.expose(), NOW).unwrap().generation;
    assert!(store.revoke_engine_token(id, NOW).await.unwrap());
    assert!(ends.has_changed().unwrap());
    assert_eq!(store.engine_of_token(third.expose(), NOW), None);
    assert_eq!(store.engine_token_life(id, generation), TokenLife::Over);
    let fourth = store.rotate_engine_token(id, grace, NOW).await.unwrap().expect("it still exists");
    assert!(store.engine_of_token(fourth.expose(), NOW).is_some(), "a new token brings it back");
    assert_eq!(store.engine_token_life(id, generation), TokenLife::Over, "what was revoked stays so");
    let nobody = flowork_api_types::EngineId::from_uuid(uuid::Uuid::nil());
    assert!(store.rotate_engine_token(nobody, grace, NOW).await.unwrap().is_none());
    assert!(!store.revoke_engine_token(nobody, NOW).await.unwrap());
}

#[tokio::test]
async fn what_was_exchanged_for_a_token_ends_with_its_grace_and_with_the_token_after_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let engine = store.create_engine("one", EngineLocation::External, 1, NOW).await.unwrap();
    let id = engine.record.id;
    let grace = Duration::from_mins(1);
    let generation = |store: &ControlStore, token: &str| store.engine_of_token(token, NOW).unwrap().generation;
    let first = generation(&store, engine.token.expose());
    assert_eq!(store.engine_token_life(id, first), TokenLife::Open);
    let mut ends = store.engine_token_ends();
    let second = store.rotate_engine_token(id, grace, NOW).await.unwrap().unwrap();
    assert!(ends.has_changed().unwrap(), "whoever streams to the engine learns when to end");
    ends.mark_unchanged();
    assert_eq!(generation(&store, engine.token.expose()), first, "the token stays what it was");
    store.close().await;

    let store = open(directory.path()).await;
    let life = store.engine_token_life(id, first);
    assert_eq!(life, TokenLife::Until(after(grace)), "also after a restart");
    let last = Timestamp(after(grace).as_millis() - 1);
    assert!(life.counts(last) && !life.counts(after(grace)));
    let second = generation(&store, second.expose());
    assert_eq!(store.engine_token_life(id, second), TokenLife::Open);

    store.rotate_engine_token(id, grace, last).await.unwrap().unwrap();
    assert_eq!(store.engine_token_life(id, first), TokenLife::Over, "there is one token before, not two");
    assert!(store.engine_token_life(id, second).counts(after(grace)), "its own grace has begun");
    assert!(store.revoke_engine_token(id, last).await.unwrap());
    assert_eq!(store.engine_token_life(id, second), TokenLife::Over);
    let back = store.rotate_engine_token(id, grace, last).await.unwrap().unwrap();
    assert_eq!(store.engine_token_life(id, generation(&store, back.expose())), TokenLife::Open);
    for old in [first, second, second + 1, second + 2] {
        assert_eq!(store.engine_token_life(id, old), TokenLife::Over, "what was revoked has no grace");
    }
}

#[tokio::test]
async fn bad_and_taken_engine_names_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    store.create_engine("one", EngineLocation::Local, 1, NOW).await.unwrap();
    for bad in ["", "  ", "a\nb", &"x".repeat(65)] {
        let refused = store.create_engine(bad, EngineLocation::External, 1, NOW).await;
        assert!(matches!(refused, Err(CreateEngineError::InvalidName)), "{bad:?}");
    }
    let taken = store.create_engine("one", EngineLocation::External, 1, NOW).await;
    assert!(matches!(taken, Err(CreateEngineError::NameTaken { .. })));
    let next = store.create_engine("next", EngineLocation::External, 1, NOW).await.unwrap();
    assert_eq!(next.record.slot, 1, "a refused engine takes no number");
}

#[tokio::test]
async fn one_session_too_many_ends_the_one_of_that_person_that_was_unused_for_longest() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let owners = sign_in(&store).await;
    let zoe = store.create_member("Zoe", Role::Viewer, NOW).await.unwrap();
    let mut hers = Vec::new();
    for n in 1..=SESSIONS_PER_SUBJECT_MAX as i64 + 1 {
        let now = Timestamp(NOW.as_millis() + n);
        let code = store.create_pairing_code_for(&zoe.subject, now).await.unwrap().unwrap().code;
        hers.push(store.open_session(code.expose(), None, now).await.unwrap().id);
    }
    let live: Vec<_> = hers.iter().map(|id| store.session_is_live(*id)).collect();
    assert!(!live[0] && live[1..].iter().all(|live| *live), "{live:?}");
    assert!(store.session_is_live(owners.id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_who_fill_the_store_with_sessions_end_none_of_the_owners() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let owners = sign_in(&store).await;
    let people = SESSIONS_MAX / SESSIONS_PER_SUBJECT_MAX + 1;
    let mut pending = Vec::new();
    for person in 0..people {
        let zoe = store.create_member(&format!("Zoe {person}"), Role::Viewer, NOW).await.unwrap();
        for n in 1..=SESSIONS_PER_SUBJECT_MAX as i64 {
            let (store, subject) = (store.clone(), zoe.subject.clone());
            pending.push(tokio::spawn(async move {
                let now = Timestamp(NOW.as_millis() + n);
                let code = store.create_pairing_code_for(&subject, now).await.unwrap().unwrap().code;
                store.open_session(code.expose(), None, now).await.unwrap().id
            }));
        }
    }
    for opened in pending {
        opened.await.unwrap();
    }
    assert!(store.session_is_live(owners.id), "used before all of theirs");
    let live = store.sessions(None).await.unwrap().len();
    assert_eq!(live, SESSIONS_MAX - SESSIONS_PER_SUBJECT_MAX + 1);
}

#[tokio::test]
async fn no_secret_is_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let code = store.create_pairing_code(NOW).await.unwrap().code;
    let session = store.open_session(code.expose(), None, NOW).await.unwrap();
    let engine = store.create_engine("local", EngineLocation::Local, 1, NOW).await.unwrap();
    store.close().await;
    // Closed, so that reading the files directly is safe.
    let stored: Vec<u8> = std::fs::read_dir(directory.path())
        .unwrap()
        .flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    let holds = |text: &[u8]| stored.windows(text.len()).any(|window| window == text);
    assert!(holds(b"local"), "the search finds what is there");
    for secret in [&code, &session.refresh_token, &engine.token] {
        let digits = &secret.expose()[secret.expose().len() - 64..];
        let bytes: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap()).collect();
        for part in [&digits.as_bytes()[..24], &bytes[..12]] {
            assert!(!holds(part), "a secret is stored in the clear");
        }
        assert!(!format!("{secret:?}").contains(&digits[..8]), "Debug shows a secret");
    }
}

fn kinds() -> Vec<KindDescriptor> {
    let kind =
        serde_json::json!({"name": "demo", "title": "", "description": "", "payload_schema": {}, "timeout_ms": 1_000});
    vec![serde_json::from_value(kind).unwrap()]
}

#[tokio::test]
async fn kinds_are_known_of_engines_that_were_heard_of_within_a_day_and_have_a_token() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let engine = store.create_engine("elsewhere", EngineLocation::External, 1, NOW).await.unwrap().record.id;
    let hours = |hours| after(Duration::from_hours(hours));
    store.keep_engine_kinds(engine, kinds(), NOW).await.unwrap();
    assert_eq!(store.engine_kinds(hours(25)).await.unwrap(), [(engine, kinds())]);
    assert!(store.engine_kinds(hours(26)).await.unwrap().is_empty());
    assert_eq!(store.engine_kinds(Timestamp(0)).await.unwrap().len(), 1, "a clock that went back forgets nobody");
    store.keep_engine_kinds(engine, kinds(), hours(2)).await.unwrap();
    assert_eq!(store.engine_kinds(hours(26)).await.unwrap().len(), 1, "it was heard again");
    assert!(store.revoke_engine_token(engine, hours(3)).await.unwrap());
    assert!(store.engine_kinds(hours(3)).await.unwrap().is_empty());
    store.close().await;
}

#[tokio::test]
async fn kinds_that_were_read_at_a_start_are_not_written_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let engine = store.create_engine("elsewhere", EngineLocation::External, 1, NOW).await.unwrap().record.id;
    store.keep_engine_kinds(engine, kinds(), NOW).await.unwrap();
    store.close().await;
    let store = open(directory.path()).await;
    let minutes = |minutes| after(Duration::from_mins(minutes));
    assert_eq!(store.engine_kinds(minutes(1)).await.unwrap().len(), 1);
    store.keep_engine_kinds(engine, kinds(), minutes(30)).await.unwrap();
    let left_out = store.engine_kinds(minutes(25 * 60 + 1)).await.unwrap();
    assert!(left_out.is_empty(), "a row that was written anew would be younger than that");
    store.keep_engine_kinds(engine, Vec::new(), minutes(31)).await.unwrap();
    assert_eq!(store.engine_kinds(minutes(31)).await.unwrap(), [(engine, Vec::new())], "others are");
    store.close().await;
}
