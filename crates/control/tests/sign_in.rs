//! Signing in with keys and links, and the sessions that come of it, on real files.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;

use flowork_api_types::{
    Timestamp,
    auth::Role,
    member::{KEYS_PER_MEMBER_MAX, KeyAddress, KeyKind},
};
use flowork_control::{
    CHALLENGE_TTL, Challenge, ControlStore, Forget, MemberChange, MemberError, OpenSessionError, RefreshError,
    SignInError,
};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const LATER: Timestamp = Timestamp(1_700_000_060_000);

async fn open(directory: &Path) -> ControlStore {
    ControlStore::open(&directory.join("control.db")).await.unwrap()
}

fn address(first: u8) -> KeyAddress {
    let mut bytes = [7; 20];
    bytes[0] = first;
    KeyAddress(bytes)
}

fn disabled(yes: bool) -> MemberChange {
    MemberChange { disabled: Some(yes), ..MemberChange::default() }
}

#[tokio::test]
async fn a_challenge_is_taken_once_and_not_after_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let expires_at = Timestamp(NOW.as_millis() + CHALLENGE_TTL.as_millis() as i64);
    let challenge = |nonce: &str| Challenge {
        nonce: nonce.to_owned(),
        address: address(1),
        message: format!("message of {nonce}"),
        expires_at,
    };
    for nonce in ["one", "two", "three"] {
        store.keep_challenge(challenge(nonce), [127, 0, 0, 1].into(), NOW);
    }
    let takers: Vec<_> = (0..1_000)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.take_challenge("one", NOW) })
        })
        .collect();
    let mut taken = Vec::new();
    for taker in takers {
        taken.extend(taker.await.unwrap());
    }
    assert_eq!(taken, [challenge("one")]);
    assert_eq!(store.take_challenge("four", NOW), None);
    let last = Timestamp(expires_at.as_millis() - 1);
    assert_eq!(store.take_challenge("two", last), Some(challenge("two")), "it works up to its end");
    assert_eq!(store.take_challenge("three", expires_at), None);
    assert_eq!(store.take_challenge("three", NOW), None, "and it is gone");
}

#[tokio::test]
async fn a_key_opens_the_session_of_its_member_and_of_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let zoe = store.create_member("Zoe", Role::Operator, NOW).await.unwrap();
    store.add_member_key(&zoe.subject, address(1), KeyKind::Wallet, "hers", NOW).await.unwrap();
    let stranger = store.sign_in(address(2), None, NOW).await;
    assert!(matches!(stranger, Err(SignInError::NotMember { address: found }) if found == address(2)));
    let session = store.sign_in(address(1), Some("her \u{7}phone"), LATER).await.unwrap();
    assert_eq!((session.subject.as_str(), session.role), (zoe.subject.as_str(), Role::Operator));
    assert!(store.session_is_live(session.id));
    assert_eq!(store.member_keys(&zoe.subject)[0].last_used_at, Some(LATER));
    let listed = store.sessions(Some(&zoe.subject)).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].id, listed[0].key), (session.id, Some(address(1))));
    assert_eq!(listed[0].device_name.as_deref(), Some("her phone"));
    assert!(store.sessions(Some("owner")).await.unwrap().is_empty());

    store.update_member(&zoe.subject, disabled(true), LATER).await.unwrap();
    assert!(!store.session_is_live(session.id));
    let kept_out = store.sign_in(address(1), None, LATER).await;
    assert!(matches!(kept_out, Err(SignInError::Disabled { .. })));
    store.close().await;
    let store = open(directory.path()).await;
    assert!(store.sessions(None).await.unwrap().is_empty(), "what failed has left nothing in the file");
}

#[tokio::test]
async fn a_refreshed_session_has_the_role_of_today() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let zoe = store.create_member("Zoe", Role::Operator, NOW).await.unwrap();
    store.add_member_key(&zoe.subject, address(1), KeyKind::Wallet, "hers", NOW).await.unwrap();
    let session = store.sign_in(address(1), None, NOW).await.unwrap();
    let weaker = MemberChange { role: Some(Role::Viewer), ..MemberChange::default() };
    store.update_member(&zoe.subject, weaker, NOW).await.unwrap();
    let session = store.refresh_session(session.refresh_token.expose(), LATER).await.unwrap();
    assert_eq!(session.role, Role::Viewer);
    store.delete_member(&zoe.subject, LATER).await.unwrap();
    let gone = store.refresh_session(session.refresh_token.expose(), LATER).await;
    assert!(matches!(gone, Err(RefreshError::Ended)));
}

#[tokio::test]
async fn a_link_signs_in_the_member_it_was_made_for_while_they_are_one() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    assert!(store.create_pairing_code_for("m_nobody", NOW).await.unwrap().is_none());
    let zoe = store.create_member("Zoe", Role::Viewer, NOW).await.unwrap();
    let first = store.create_pairing_code_for(&zoe.subject, NOW).await.unwrap().unwrap().code;
    let second = store.create_pairing_code_for(&zoe.subject, NOW).await.unwrap().unwrap().code;
    let session = store.open_session(first.expose(), None, NOW).await.unwrap();
    assert_eq!((session.subject.as_str(), session.role), (zoe.subject.as_str(), Role::Viewer));
    store.update_member(&zoe.subject, disabled(true), NOW).await.unwrap();
    let refused = store.open_session(second.expose(), None, NOW).await;
    assert!(matches!(refused, Err(OpenSessionError::UnknownCode)));
    assert!(store.create_pairing_code_for(&zoe.subject, NOW).await.unwrap().is_none());
}

#[tokio::test]
async fn a_link_enrolls_the_key_of_the_device_that_opens_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let zoe = store.create_member("Zoe", Role::Member, NOW).await.unwrap();
    store.add_member_key("owner", address(9), KeyKind::Wallet, "the owner's", NOW).await.unwrap();
    let code = store.create_pairing_code_for(&zoe.subject, NOW).await.unwrap().unwrap().code;

    let version = store.allow_list_version();
    let taken = store.open_session_with_device(code.expose(), address(9), None, NOW).await;
    assert!(matches!(taken, Err(OpenSessionError::Key(MemberError::AddressTaken { .. }))));
    let unknown = store.open_session_with_device("0123", address(1), None, NOW).await;
    assert!(matches!(unknown, Err(OpenSessionError::UnknownCode)));
    assert_eq!(store.allow_list_version(), version, "what is refused changes nothing");
    assert_eq!(store.member_of_address(address(1)), None);

    let session = store.open_session_with_device(code.expose(), address(1), Some("Firefox"), LATER).await.unwrap();
    assert_eq!(session.subject, zoe.subject);
    let keys = store.member_keys(&zoe.subject);
    assert_eq!((keys.len(), keys[0].kind, keys[0].name.as_str()), (1, KeyKind::Device, "Firefox"));
    assert!(store.allow_list_version() > version);
    let again = store.open_session_with_device(code.expose(), address(2), None, LATER).await;
    assert!(matches!(again, Err(OpenSessionError::UsedCode)));
    assert_eq!(store.sign_in(address(1), None, LATER).await.unwrap().subject, zoe.subject);

    let code = store.create_pairing_code_for(&zoe.subject, LATER).await.unwrap().unwrap().code;
    store
        .open_session_with_device(code.expose(), address(1), None, LATER)
        .await
        .expect("the same device may come again");
    assert_eq!(store.member_keys(&zoe.subject).len(), 1);
}

#[tokio::test]
async fn a_new_device_displaces_the_one_that_was_not_used_for_longest_but_no_wallet() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    store.add_member_key("owner", address(0), KeyKind::Wallet, "a wallet", Timestamp(1)).await.unwrap();
    let pair = async |number: u8| {
        let now = Timestamp(NOW.as_millis() + i64::from(number));
        let code = store.create_pairing_code(now).await.unwrap().code;
        store.open_session_with_device(code.expose(), address(number), None, now).await.unwrap()
    };
    let first = pair(1).await;
    for number in 2..=KEYS_PER_MEMBER_MAX as u8 {
        pair(number).await;
    }
    let has = |number: u8| store.member_of_address(address(number)).is_some();
    assert_eq!(store.member_keys("owner").len(), KEYS_PER_MEMBER_MAX);
    assert!(has(0) && !has(1) && has(2) && has(KEYS_PER_MEMBER_MAX as u8));
    assert!(!store.session_is_live(first.id), "its session ends with it");
}

#[tokio::test]
async fn signing_out_everywhere_ends_what_one_person_has_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let zoe = store.create_member("Zoe", Role::Viewer, NOW).await.unwrap();
    let session_of = async |subject: &str| {
        let code = store.create_pairing_code_for(subject, NOW).await.unwrap().unwrap().code;
        store.open_session(code.expose(), None, NOW).await.unwrap().id
    };
    let (mine, other, hers) = (session_of("owner").await, session_of("owner").await, session_of(&zoe.subject).await);
    let unused = store.create_pairing_code(NOW).await.unwrap().code;
    assert!(!store.end_session_of(hers, Some("owner"), NOW).await.unwrap(), "it is somebody else's");
    assert!(store.end_session_of(other, Some("owner"), NOW).await.unwrap());
    assert!(!store.end_session_of(other, Some("owner"), NOW).await.unwrap(), "it has ended");
    assert_eq!(store.end_sessions_of("owner", NOW).await.unwrap(), 1);
    assert!(!store.session_is_live(mine) && !store.session_is_live(other) && store.session_is_live(hers));
    let late = store.open_session(unused.expose(), None, NOW).await;
    assert!(matches!(late, Err(OpenSessionError::UnknownCode)), "a link that somebody else may have opens nothing");
    assert!(store.end_session_of(hers, None, NOW).await.unwrap());
}

#[tokio::test]
async fn a_reset_ends_all_sessions_and_links_and_forgets_devices_only_where_that_is_wanted() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    store.add_member_key("owner", address(1), KeyKind::Wallet, "a wallet", NOW).await.unwrap();
    store.add_member_key("owner", address(2), KeyKind::Device, "a browser", NOW).await.unwrap();
    let wallet = store.sign_in(address(1), None, NOW).await.unwrap();
    let unused = store.create_pairing_code(NOW).await.unwrap().code;
    let version = store.allow_list_version();
    let reset = store.reset_access(Forget::default(), NOW).await.unwrap();
    assert_eq!((reset.ended_sessions, reset.removed_keys), (1, 0));
    assert!(!store.session_is_live(wallet.id) && store.open_session(unused.expose(), None, NOW).await.is_err());
    assert_eq!((store.member_keys("owner").len(), store.allow_list_version()), (2, version));

    let device = store.sign_in(address(2), None, NOW).await.unwrap();
    let reset = store.reset_access(Forget { devices: true, owner_keys: false }, NOW).await.unwrap();
    assert_eq!((reset.ended_sessions, reset.removed_keys), (1, 1));
    assert!(!store.session_is_live(device.id) && store.allow_list_version() > version);
    assert!(matches!(store.sign_in(address(2), None, NOW).await, Err(SignInError::NotMember { .. })));
    store.sign_in(address(1), None, NOW).await.expect("wallets stay");
}

#[tokio::test]
async fn forgetting_the_owners_keys_leaves_one_key_and_ends_what_the_others_opened() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    assert!(!store.owner_has_signed_in().await.unwrap());
    let zoe = store.create_member("Zoe", Role::Member, NOW).await.unwrap();
    store.add_member_key(&zoe.subject, address(3), KeyKind::Wallet, "hers", NOW).await.unwrap();
    store.add_member_key("owner", address(1), KeyKind::Wallet, "the node's", NOW).await.unwrap();
    store.add_member_key("owner", address(2), KeyKind::Wallet, "a thief's", NOW).await.unwrap();
    let thiefs = store.sign_in(address(2), None, NOW).await.unwrap();
    assert!(store.owner_has_signed_in().await.unwrap());
    let forget = Forget { devices: false, owner_keys: true };
    store.note_own_key(address(1)).await.unwrap();
    assert_eq!(store.own_key().await.unwrap(), Some(address(1)));
    let reset = store.reset_access(forget, LATER).await.unwrap();
    assert_eq!((reset.ended_sessions, reset.removed_keys), (1, 1));
    assert!(!store.session_is_live(thiefs.id));
    assert!(matches!(store.sign_in(address(2), None, LATER).await, Err(SignInError::NotMember { .. })));
    store.sign_in(address(1), None, LATER).await.expect("the node's own key stays");
    store.sign_in(address(3), None, LATER).await.expect("other people's keys stay");
    store.note_own_key(address(9)).await.unwrap();
    assert_eq!(store.reset_access(forget, LATER).await.unwrap().removed_keys, 1, "another key is the node's own now");
}
