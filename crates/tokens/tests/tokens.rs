//! Tokens and keys, with real keys.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use flowork_api_types::{
    EngineId, SessionId, Timestamp,
    admin::{Scope, Scopes, TokenSet},
    auth::Role,
};
use flowork_tokens::{
    KEY_LIFE, KeyStore, KeyStoreError, RotateError, SHORT_TOKEN_TTL_MAX, TokenError, TokenKeys, USER_TOKEN_TTL_MAX,
    Verified,
};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const MINUTE: Duration = Duration::from_mins(1);
/// What two clocks may differ by, and some.
const SLACK: Duration = Duration::from_secs(6);

/// A vault that outlives the keys read from it, and can refuse.
#[derive(Clone, Default)]
struct Shelf {
    documents: Arc<Mutex<HashMap<TokenSet, Vec<u8>>>>,
    refuses: Arc<AtomicBool>,
}

impl KeyStore for Shelf {
    fn load(&self, set: TokenSet) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, KeyStoreError> {
        Ok(self.documents.lock().unwrap().get(&set).cloned().map(zeroize::Zeroizing::new))
    }

    fn save(&self, set: TokenSet, document: &[u8]) -> Result<(), KeyStoreError> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err("the vault is locked".into());
        }
        self.documents.lock().unwrap().insert(set, document.to_vec());
        Ok(())
    }
}

fn after(wait: Duration) -> Timestamp {
    Timestamp(NOW.as_millis() + wait.as_millis() as i64)
}

fn engine() -> EngineId {
    "eng_01930c5ea2f07a3c8000000000000000".parse().unwrap()
}

fn access(keys: &TokenKeys, now: Timestamp) -> String {
    keys.sign_access_at("owner", Role::Owner, None, 15 * MINUTE, now).0
}

fn kid(token: &str) -> String {
    let head = token.trim_start_matches("fla_").split('.').next().unwrap();
    let head: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap();
    head["kid"].as_str().unwrap().to_owned()
}

#[test]
fn each_sort_of_token_is_read_as_what_it_is() {
    let keys = TokenKeys::open(Shelf::default(), NOW).unwrap();
    let session: SessionId = "ses_01930c5ea2f07a3c8000000000000000".parse().unwrap();
    let (user, ends) = keys.sign_access_at("m_1", Role::Member, Some(session), 15 * MINUTE, NOW);
    assert_eq!(ends, after(15 * MINUTE));
    let scopes: Scopes = [Scope::OpsDrain].into_iter().collect();
    let (admin, _) = keys.sign_admin("owner", scopes, Some(session), MINUTE, NOW).unwrap();
    let (short, _) = keys.sign_engine(engine(), 7, None, NOW).unwrap();
    // Twice: the second time from memory.
    for _ in 0..2 {
        let Ok(Verified::User(claims)) = keys.verify(&user, NOW) else { panic!("a person's") };
        assert_eq!((&*claims.subject, claims.role, claims.session_id), ("m_1", Role::Member, Some(session)));
        let Ok(Verified::Admin(claims)) = keys.verify(&admin, NOW) else { panic!("an administrator's") };
        assert_eq!((&*claims.subject, claims.scopes, claims.session_id), ("owner", scopes, Some(session)));
        let Ok(Verified::Engine(claims)) = keys.verify(&short, NOW) else { panic!("an engine's") };
        assert_eq!((claims.engine_id, claims.generation), (engine(), 7));
    }
    assert!(admin.starts_with("fla_"));
    for moved in [admin.trim_start_matches("fla_").to_owned(), format!("fla_{user}"), format!("fla_{short}")] {
        assert_eq!(keys.verify(&moved, NOW).unwrap_err(), TokenError::Invalid, "the prefix belongs to the sort");
    }
    let kids: Vec<_> = keys.key_set()["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect();
    assert_eq!(kids, [kid(&user), kid(&short), kid(&admin)], "every set has a key of its own");
}

#[test]
fn a_token_ends_in_its_time_also_when_it_is_remembered() {
    let keys = TokenKeys::open(Shelf::default(), NOW).unwrap();
    let token = access(&keys, NOW);
    keys.verify(&token, NOW).unwrap();
    keys.verify(&token, after(15 * MINUTE)).expect("clocks may differ by seconds");
    assert_eq!(keys.verify(&token, after(15 * MINUTE + SLACK)).unwrap_err(), TokenError::Expired);
    let early = Timestamp(NOW.as_millis() - SLACK.as_millis() as i64);
    keys.verify(&token, early).expect("a clock may be set back by seconds");
    let fresh = access(&keys, NOW);
    assert_eq!(keys.verify(&fresh, after(15 * MINUTE + SLACK)).unwrap_err(), TokenError::Expired);
    let (long, _) = keys.sign_access_at("owner", Role::Owner, None, USER_TOKEN_TTL_MAX + MINUTE, NOW);
    assert_eq!(
        keys.verify(&long, NOW).unwrap_err(),
        TokenError::Invalid,
        "no token outlives what its key's end allows"
    );
    let (short, ends) = keys.sign_engine(engine(), 0, Some(after(MINUTE)), NOW).unwrap();
    assert_eq!(ends, after(MINUTE), "it ends with what it was exchanged for");
    assert_eq!(keys.verify(&short, after(MINUTE + SLACK)).unwrap_err(), TokenError::Expired);
    let (admin, ends) = keys.sign_admin("owner", Scopes::default(), None, 60 * MINUTE, NOW).unwrap();
    assert_eq!(ends, after(SHORT_TOKEN_TTL_MAX));
    assert_eq!(keys.verify(&admin, after(SHORT_TOKEN_TTL_MAX + SLACK)).unwrap_err(), TokenError::Expired);
}

#[test]
fn after_the_clock_was_set_back_a_token_is_not_valid_yet_and_says_so() {
    let keys = TokenKeys::open(Shelf::default(), NOW).unwrap();
    let (remembered, unseen) = (access(&keys, NOW), access(&keys, NOW));
    keys.verify(&remembered, NOW).unwrap();
    let before = |wait: u64| Timestamp(NOW.as_millis() - wait as i64 * 1_000);
    for token in [&remembered, &unseen] {
        assert_eq!(keys.verify(token, before(31)).unwrap_err(), TokenError::NotYet);
        keys.verify(token, before(30)).expect("within what clocks are corrected by");
    }
    let (admin, _) = keys.sign_admin("owner", Scopes::default(), None, MINUTE, NOW).unwrap();
    assert_eq!(keys.verify(&admin, before(3_600)).unwrap_err(), TokenError::NotYet);
    let forged = format!("{}x", &unseen[..unseen.len() - 1]);
    assert_eq!(keys.verify(&forged, before(3_600)).unwrap_err(), TokenError::Invalid, "only ours say when they count");
}

#[test]
fn a_rotated_key_checks_until_its_last_token_has_expired_also_over_restarts() {
    let shelf = Shelf::default();
    let keys = TokenKeys::open(shelf.clone(), NOW).unwrap();
    let (old, _) = keys.sign_access_at("owner", Role::Owner, None, USER_TOKEN_TTL_MAX, NOW);
    keys.rotate(TokenSet::User, false, NOW).unwrap();
    let new = access(&keys, NOW);
    assert_ne!(kid(&old), kid(&new));
    let reread = TokenKeys::open(shelf.clone(), NOW).unwrap();
    for keys in [&keys, &reread] {
        for token in [&old, &new] {
            keys.verify(token, NOW).unwrap();
        }
        let listed = keys.list();
        let listed: Vec<_> = listed.iter().map(|key| (key.kid.clone(), key.retired_at)).collect();
        assert_eq!(listed, [(kid(&new), None), (kid(&old), Some(NOW))]);
        assert_eq!(kid(&access(keys, NOW)), kid(&new), "only the newest signs");
        keys.verify(&old, after(USER_TOKEN_TTL_MAX)).expect("until its end");
    }
    let over = after(USER_TOKEN_TTL_MAX + SLACK);
    assert_eq!(reread.next_due(), Some(after(USER_TOKEN_TTL_MAX + Duration::from_secs(5))));
    assert_eq!(reread.verify(&old, over).unwrap_err(), TokenError::Invalid, "its key has ended, remembered or not");
    reread.do_what_is_due(over).unwrap();
    assert_eq!(reread.list().len(), 1);
    assert_eq!(TokenKeys::open(shelf, over).unwrap().list().len(), 1, "the old key is gone from where keys are kept");
}

#[test]
fn ending_the_old_keys_ends_their_tokens_at_once() {
    let keys = TokenKeys::open(Shelf::default(), NOW).unwrap();
    let old = access(&keys, NOW);
    let (short, _) = keys.sign_engine(engine(), 0, None, NOW).unwrap();
    keys.verify(&old, NOW).unwrap();
    keys.rotate(TokenSet::User, true, NOW).unwrap();
    assert_eq!(keys.verify(&old, NOW).unwrap_err(), TokenError::Invalid, "though it is remembered");
    keys.verify(&access(&keys, NOW), NOW).unwrap();
    keys.verify(&short, NOW).expect("other sets are left alone");
    assert_eq!(keys.list().len(), 2);
}

#[test]
fn ending_the_tokens_of_people_ends_admin_tokens_too_and_tells_who_listens() {
    let shelf = Shelf::default();
    let keys = TokenKeys::open(shelf.clone(), NOW).unwrap();
    keys.end_tokens_of_people(NOW).unwrap();
    assert_eq!(keys.list().len(), 1, "a set that has signed nothing gets no key");
    let (short, _) = keys.sign_engine(engine(), 0, None, NOW).unwrap();
    let (admin, _) = keys.sign_admin("owner", Scopes::default(), None, MINUTE, NOW).unwrap();
    let user = access(&keys, NOW);
    let Ok(Verified::User(claims)) = keys.verify(&user, NOW) else { panic!("a person's") };
    keys.verify(&admin, NOW).unwrap();
    keys.rotate(TokenSet::User, false, NOW).unwrap();
    assert!(keys.counts(claims.signed_by, NOW), "its key still checks");
    let mut changes = keys.key_changes();
    keys.end_tokens_of_people(NOW).unwrap();
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    assert!(!keys.counts(claims.signed_by, NOW));
    for token in [&user, &admin] {
        assert_eq!(keys.verify(token, NOW).unwrap_err(), TokenError::Invalid, "though it is remembered");
        let reread = TokenKeys::open(shelf.clone(), NOW).unwrap();
        assert_eq!(reread.verify(token, NOW).unwrap_err(), TokenError::Invalid);
    }
    keys.verify(&short, NOW).expect("engines go on");
    shelf.refuses.store(true, Ordering::SeqCst);
    assert!(matches!(keys.end_tokens_of_people(NOW), Err(RotateError::Store(_))));
    assert!(!changes.has_changed().unwrap(), "nothing ended");
}

#[test]
fn keys_rotate_after_thirty_days_and_not_before() {
    let keys = TokenKeys::open(Shelf::default(), NOW).unwrap();
    assert_eq!(keys.next_due(), Some(after(KEY_LIFE)));
    let first = kid(&access(&keys, NOW));
    keys.do_what_is_due(Timestamp(after(KEY_LIFE).as_millis() - 1)).unwrap();
    assert_eq!(kid(&access(&keys, NOW)), first);
    keys.do_what_is_due(after(KEY_LIFE)).unwrap();
    assert_ne!(kid(&access(&keys, NOW)), first);
    assert_eq!(keys.list().len(), 2, "sets that have signed nothing still have no key");
}

#[test]
fn a_key_that_could_not_be_kept_is_not_used() {
    let shelf = Shelf::default();
    let keys = TokenKeys::open(shelf.clone(), NOW).unwrap();
    let first = kid(&access(&keys, NOW));
    shelf.refuses.store(true, Ordering::SeqCst);
    assert!(matches!(keys.rotate(TokenSet::User, true, NOW), Err(RotateError::Store(_))));
    assert!(matches!(keys.sign_engine(engine(), 0, None, NOW), Err(RotateError::Store(_))));
    assert_eq!(kid(&access(&keys, NOW)), first);
    shelf.refuses.store(false, Ordering::SeqCst);
    keys.sign_engine(engine(), 0, None, NOW).expect("once it can be kept");
}

#[test]
fn the_one_key_of_an_old_data_directory_goes_on_and_damage_is_no_reason_for_a_new_one() {
    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let der = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    let token = TokenKeys::from_pkcs8(der.as_ref()).unwrap().sign_access("owner", Role::Owner, None, 15 * MINUTE);
    let shelf = Shelf::default();
    shelf.save(TokenSet::User, der.as_ref()).unwrap();
    let keys = TokenKeys::open(shelf.clone(), NOW).unwrap();
    assert_eq!(kid(&access(&keys, NOW)), kid(&token));
    let later = TokenKeys::open(shelf.clone(), after(MINUTE)).unwrap();
    assert_eq!(later.next_due(), Some(after(KEY_LIFE)), "its age counts from the first start on");
    keys.rotate(TokenSet::User, false, NOW).unwrap();
    let kept = shelf.documents.lock().unwrap()[&TokenSet::User].clone();
    let signer = TokenKeys::from_document(&kept).unwrap();
    assert_eq!(
        kid(&access(&signer, NOW)),
        kid(&access(&keys, NOW)),
        "a program that reads the keys signs with the newest"
    );
    assert_eq!(TokenKeys::open(shelf.clone(), NOW).unwrap().list().len(), 2, "the old key is kept in the new form");
    for damaged in [
        &b"no keys"[..],
        b"",
        &kept[..kept.len() - 9],
        &der.as_ref()[..100],
        br#"[{"kid":"x","created_at":1,"pkcs8":"AAAA"}]"#,
    ] {
        shelf.save(TokenSet::User, damaged).unwrap();
        assert!(TokenKeys::open(shelf.clone(), NOW).is_err());
        assert_eq!(shelf.documents.lock().unwrap()[&TokenSet::User], damaged, "what may be repaired is left alone");
    }
}

#[test]
fn no_secret_is_shown() {
    let keys = TokenKeys::open(Shelf::default(), NOW).unwrap();
    let shown = format!("{keys:?} {} {}", keys.key_set(), json!(keys.list()));
    for private in ["\"d\"", "\"p\"", "\"q\"", "pkcs8"] {
        assert!(!shown.contains(private), "{shown}");
    }
}
