//! The three sets of keys together: signing, verifying, rotating.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use flowork_api_types::{
    EngineId, SessionId, Timestamp,
    admin::{Scopes, SigningKey, TokenSet},
    auth::Role,
};
use quick_cache::sync::Cache;
use serde_json::{Value, json};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::{
    ADMIN_PREFIX, SHORT_TOKEN_TTL_MAX, TokenError, Verified,
    claims::{AdminToken, EngineToken, ISSUER, Registered, UserToken, sort},
    key::{InvalidKeyError, Key, SignedBy},
    key_set::KeySet,
    verify::{Passed, verify},
};

/// Tokens that are remembered: as many as people, scripts and engines use within a token's life, and a few MiB.
const REMEMBERED_MAX: usize = 10_000;

/// Why keys can't be read or kept.
pub type KeyStoreError = Box<dyn std::error::Error + Send + Sync>;

/// Where the keys are kept. Calls may block.
pub trait KeyStore: Send + Sync + 'static {
    /// The document of a set, if there is one.
    ///
    /// # Errors
    /// It can't be read.
    fn load(&self, set: TokenSet) -> Result<Option<Zeroizing<Vec<u8>>>, KeyStoreError>;

    /// Keeps the document of a set in place of the one before.
    ///
    /// # Errors
    /// The one before is still kept.
    fn save(&self, set: TokenSet, document: &[u8]) -> Result<(), KeyStoreError>;
}

/// Keeps documents for as long as it exists itself.
#[derive(Default)]
struct InMemory(Mutex<HashMap<TokenSet, Zeroizing<Vec<u8>>>>);

impl KeyStore for InMemory {
    fn load(&self, set: TokenSet) -> Result<Option<Zeroizing<Vec<u8>>>, KeyStoreError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&set).cloned())
    }

    fn save(&self, set: TokenSet, document: &[u8]) -> Result<(), KeyStoreError> {
        let mut documents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        documents.insert(set, Zeroizing::new(document.to_vec()));
        Ok(())
    }
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum OpenKeysError {
    /// They can't be read, or the first one can't be kept.
    #[error("the keys that sign {} tokens can't be read or kept", .set.as_str())]
    Store {
        /// Of which set.
        set: TokenSet,
        /// Why.
        #[source]
        source: KeyStoreError,
    },
    /// What was read is no set of keys.
    #[error("the keys that sign {} tokens are damaged", .set.as_str())]
    Damaged {
        /// Of which set.
        set: TokenSet,
        /// Why.
        #[source]
        source: InvalidKeyError,
    },
}

/// Why keys stay as they were.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The machine gave no key.
    #[error("the cryptographic library could not make a key")]
    Make(#[source] InvalidKeyError),
    /// The new key can't be kept.
    #[error("the new key can't be kept")]
    Store(#[source] KeyStoreError),
}

/// The keys that sign and check tokens. Cheap to clone.
#[derive(Clone)]
pub struct TokenKeys(Arc<Ring>);

struct Ring {
    sets: [RwLock<Arc<KeySet>>; 3],
    store: Box<dyn KeyStore>,
    remembered: Cache<[u8; 32], Arc<Passed>>,
    /// Held from reading a set to replacing it.
    changes: Mutex<()>,
    /// Grows with each change of a set.
    changed: watch::Sender<u64>,
}

impl TokenKeys {
    /// Reads the keys, and makes the first one for people if there is none. Blocks.
    ///
    /// # Errors
    /// See [`OpenKeysError`].
    pub fn open(store: impl KeyStore, now: Timestamp) -> Result<Self, OpenKeysError> {
        let load = |set| match store.load(set) {
            Ok(Some(document)) => {
                let keys = KeySet::from_document(set, &document, now);
                let keys = keys.map_err(|source| OpenKeysError::Damaged { set, source })?;
                if KeySet::is_one_old_key(&document) {
                    // So that its age counts from now on. What can't be kept is tried again at the next start.
                    let _ = store.save(set, &keys.to_document());
                }
                Ok(keys)
            }
            Ok(None) => Ok(KeySet::empty(set)),
            Err(source) => Err(OpenKeysError::Store { set, source }),
        };
        let keys = Self::new([load(TokenSet::User)?, load(TokenSet::Engine)?, load(TokenSet::Admin)?], Box::new(store));
        keys.signing(TokenSet::User, now).map_err(|error| {
            let set = TokenSet::User;
            match error {
                RotateError::Make(source) => OpenKeysError::Damaged { set, source },
                RotateError::Store(source) => OpenKeysError::Store { set, source },
            }
        })?;
        Ok(keys)
    }

    /// Takes one key for people's tokens, and keeps what comes to it in memory only.
    ///
    /// # Errors
    /// It is not an RSA key in PKCS#8 DER form.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, InvalidKeyError> {
        let now = wall_now();
        let user = KeySet::empty(TokenSet::User).with_new(&Zeroizing::new(der.to_vec()), false, now)?;
        Ok(Self::new(
            [user, KeySet::empty(TokenSet::Engine), KeySet::empty(TokenSet::Admin)],
            Box::<InMemory>::default(),
        ))
    }

    /// Takes the keys for people's tokens as a [`KeyStore`] keeps them, to sign with the one that signs now.
    ///
    /// # Errors
    /// It is no such document, or no key of it signs.
    pub fn from_document(document: &[u8]) -> Result<Self, InvalidKeyError> {
        let user = KeySet::from_document(TokenSet::User, document, wall_now())?;
        user.signing().ok_or(InvalidKeyError)?;
        Ok(Self::new(
            [user, KeySet::empty(TokenSet::Engine), KeySet::empty(TokenSet::Admin)],
            Box::<InMemory>::default(),
        ))
    }

    fn new(sets: [KeySet; 3], store: Box<dyn KeyStore>) -> Self {
        Self(Arc::new(Ring {
            sets: sets.map(|set| RwLock::new(Arc::new(set))),
            store,
            remembered: Cache::new(REMEMBERED_MAX),
            changes: Mutex::new(()),
            changed: watch::Sender::new(0),
        }))
    }

    /// Makes a person's token. Without a session it is valid until `ttl` is over.
    pub fn sign_access(&self, subject: &str, role: Role, session_id: Option<SessionId>, ttl: Duration) -> String {
        self.sign_access_at(subject, role, session_id, ttl, wall_now()).0
    }

    /// As [`sign_access`](Self::sign_access), at a given time; also says when the token ends.
    ///
    /// # Panics
    /// Never: there is always a key for people's tokens.
    pub fn sign_access_at(
        &self,
        subject: &str,
        role: Role,
        session_id: Option<SessionId>,
        ttl: Duration,
        now: Timestamp,
    ) -> (String, Timestamp) {
        let set = TokenSet::User;
        let (registered, ends) = registered(set, subject.to_owned(), ttl, now);
        let keys = self.set(set);
        let key = keys.signing().expect("the set of people's keys is never empty");
        let token = key.sign(sort(set).token_type, &UserToken { registered, role, sid: session_id });
        (self.remembered(token, now), ends)
    }

    /// Makes an engine's token, which ends with what it was exchanged for (`until`) if that comes first. Blocks: the
    /// first one makes a key.
    ///
    /// # Errors
    /// See [`RotateError`]; only the first token can fail.
    pub fn sign_engine(
        &self,
        engine_id: EngineId,
        generation: u32,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(String, Timestamp), RotateError> {
        let set = TokenSet::Engine;
        let left = until.map_or(i64::MAX, |until| until.as_millis() - now.as_millis()).max(1_000);
        let ttl = SHORT_TOKEN_TTL_MAX.min(Duration::from_millis(left as u64));
        let key = self.signing(set, now)?;
        let (registered, ends) = registered(set, engine_id.to_string(), ttl, now);
        let token = key.sign(sort(set).token_type, &EngineToken { registered, generation });
        Ok((self.remembered(token, now), ends))
    }

    /// Makes an admin token that lives as long as asked for, at most [`SHORT_TOKEN_TTL_MAX`]. Blocks: the first one makes
    /// a key.
    ///
    /// # Errors
    /// See [`RotateError`]; only the first token can fail.
    pub fn sign_admin(
        &self,
        subject: &str,
        scopes: Scopes,
        session_id: Option<SessionId>,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<(String, Timestamp), RotateError> {
        let set = TokenSet::Admin;
        let key = self.signing(set, now)?;
        let (registered, ends) = registered(set, subject.to_owned(), ttl.min(SHORT_TOKEN_TTL_MAX), now);
        let token = AdminToken { registered, scopes: scopes.iter().collect(), sid: session_id };
        let token = format!("{ADMIN_PREFIX}{}", key.sign(sort(set).token_type, &token));
        Ok((self.remembered(token, now), ends))
    }

    /// Checks a token of whatever sort at a given time.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Verified, TokenError> {
        let hash = *blake3::hash(token.as_bytes()).as_bytes();
        let passed = match self.0.remembered.get(&hash) {
            Some(passed) => {
                // Its key may have ended since.
                if !self.counts(passed.signed_by, now) {
                    return Err(TokenError::Invalid);
                }
                passed
            }
            None => {
                let passed = verify(token, |sets, kid| {
                    sets.iter().find_map(|set| Some((*set, Arc::clone(self.set(*set).find(kid.as_bytes(), now)?))))
                })?;
                let passed = Arc::new(passed);
                self.0.remembered.insert(hash, Arc::clone(&passed));
                passed
            }
        };
        passed.check_time(now)?;
        Ok(passed.verified.clone())
    }

    /// Whether tokens of this key still count, as far as it is the key that decides.
    pub fn counts(&self, key: SignedBy, now: Timestamp) -> bool {
        self.set(key.set).find(&key.key, now).is_some()
    }

    /// Changes whenever a set of keys does, and with it perhaps which tokens count.
    pub fn key_changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Ends every token of a person and every admin token, whoever has it: their sets get new keys and lose all others.
    /// Blocks, some tens of milliseconds.
    ///
    /// # Errors
    /// See [`RotateError`]; people's tokens come first, so with those ended the others may still count.
    pub fn end_tokens_of_people(&self, now: Timestamp) -> Result<(), RotateError> {
        let _in_turn = self.in_turn();
        self.rotate_in_turn(TokenSet::User, true, now)?;
        // A set without keys has signed nothing.
        if self.set(TokenSet::Admin).signing().is_some() {
            self.rotate_in_turn(TokenSet::Admin, true, now)?;
        }
        Ok(())
    }

    /// Whether a token passed before, so that no signature has to be checked to judge it again. Tokens that were made here
    /// are among them.
    pub fn remembers(&self, token: &str) -> bool {
        self.0.remembered.contains_key(blake3::hash(token.as_bytes()).as_bytes())
    }

    /// Checks a new token as the first call with it would.
    fn remembered(&self, token: String, now: Timestamp) -> String {
        // One that does not pass is refused when it is used.
        let _ = self.verify(&token, now);
        token
    }

    /// Gives a set a new key, which signs from now on. Tokens of the old one count until they end, unless `end_old`.
    /// Blocks, some tens of milliseconds.
    ///
    /// # Errors
    /// See [`RotateError`]; the keys are as they were.
    pub fn rotate(&self, set: TokenSet, end_old: bool, now: Timestamp) -> Result<(), RotateError> {
        let _in_turn = self.in_turn();
        self.rotate_in_turn(set, end_old, now)
    }

    /// Does what is due: replaces keys that have signed for [`KEY_LIFE`](crate::KEY_LIFE), and forgets those whose last
    /// token has expired. Blocks.
    ///
    /// # Errors
    /// See [`RotateError`]; what was done before that stays.
    pub fn do_what_is_due(&self, now: Timestamp) -> Result<(), RotateError> {
        let _in_turn = self.in_turn();
        for set in TokenSet::ALL {
            if self.set(set).rotation_due().is_some_and(|due| due <= now) {
                self.rotate_in_turn(set, false, now)?;
            }
            let kept = self.set(set).without_ended(now);
            if let Some(kept) = kept {
                self.replace(set, kept)?;
            }
        }
        Ok(())
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<Timestamp> {
        let due = |set| {
            let keys = self.set(set);
            [keys.rotation_due(), keys.next_end()].into_iter().flatten().min()
        };
        TokenSet::ALL.into_iter().filter_map(due).min()
    }

    /// The keys, without their secrets: by set, the newest first.
    pub fn list(&self) -> Vec<SigningKey> {
        TokenSet::ALL.into_iter().flat_map(|set| self.set(set).list().collect::<Vec<_>>()).collect()
    }

    /// The public halves as a JSON Web Key Set (RFC 7517).
    pub fn key_set(&self) -> Value {
        let now = wall_now();
        let keys = |set| self.set(set).keys(now).map(Key::web_key).collect::<Vec<_>>();
        json!({"keys": TokenSet::ALL.into_iter().flat_map(keys).collect::<Vec<_>>()})
    }

    /// The key that signs; a set without one gets one.
    fn signing(&self, set: TokenSet, now: Timestamp) -> Result<Arc<Key>, RotateError> {
        if let Some(key) = self.set(set).signing() {
            return Ok(Arc::clone(key));
        }
        let _in_turn = self.in_turn();
        if self.set(set).signing().is_none() {
            self.rotate_in_turn(set, false, now)?;
        }
        let keys = self.set(set);
        Ok(Arc::clone(keys.signing().expect("it has one now")))
    }

    fn rotate_in_turn(&self, set: TokenSet, end_old: bool, now: Timestamp) -> Result<(), RotateError> {
        let pkcs8 = Key::generate().map_err(RotateError::Make)?;
        let next = self.set(set).with_new(&pkcs8, end_old, now).map_err(RotateError::Make)?;
        self.replace(set, next)
    }

    /// Kept first, used then: no token may outlive the memory of its key.
    fn replace(&self, set: TokenSet, next: KeySet) -> Result<(), RotateError> {
        self.0.store.save(set, &next.to_document()).map_err(RotateError::Store)?;
        *self.0.sets[index(set)].write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        self.0.changed.send_modify(|count| *count += 1);
        Ok(())
    }

    fn set(&self, set: TokenSet) -> Arc<KeySet> {
        Arc::clone(&self.0.sets[index(set)].read().unwrap_or_else(PoisonError::into_inner))
    }

    fn in_turn(&self) -> MutexGuard<'_, ()> {
        self.0.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list().iter().map(|key| &key.kid)).finish()
    }
}

const fn index(set: TokenSet) -> usize {
    match set {
        TokenSet::User => 0,
        TokenSet::Engine => 1,
        TokenSet::Admin => 2,
    }
}

fn registered(set: TokenSet, subject: String, ttl: Duration, now: Timestamp) -> (Registered, Timestamp) {
    let iat = now.as_millis().max(0) as u64 / 1_000;
    let exp = iat + ttl.as_secs();
    let claims = Registered {
        iss: ISSUER.to_owned(),
        aud: sort(set).audience.to_owned(),
        sub: subject,
        exp,
        nbf: iat,
        iat,
        jti: random_id(),
    };
    (claims, Timestamp(exp as i64 * 1_000))
}

/// # Panics
/// When the system has no randomness to give, which leaves nothing sensible to do.
fn random_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gives randomness");
    format!("{:032x}", u128::from_be_bytes(bytes))
}

fn wall_now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since_epoch.as_millis() as i64)
}
