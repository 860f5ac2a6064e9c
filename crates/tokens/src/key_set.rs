//! The keys of one set: the one that signs, and those that did until their last token has expired.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flowork_api_types::{
    Timestamp,
    admin::{SigningKey, TokenSet},
};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    KEY_LIFE,
    claims::sort,
    key::{InvalidKeyError, Key},
    verify::LEEWAY,
};

/// More keys than rotations can leave behind within a token's life, unless somebody rotates in a loop. The oldest go.
const KEYS_MAX: usize = 16;
/// A DER sequence, which is what the one key of an old data directory is.
const DER_SEQUENCE: u8 = 0x30;

/// A key as it is stored.
#[derive(Serialize, Deserialize, Zeroize)]
#[zeroize(drop)]
struct StoredKey {
    #[zeroize(skip)]
    kid: String,
    /// Milliseconds since the epoch.
    created_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retired_at: Option<i64>,
    /// Base64 of the DER.
    pkcs8: String,
}

/// One key and its times.
#[derive(Clone, Debug)]
pub(crate) struct KeyRecord {
    pub(crate) key: Arc<Key>,
    created_at: Timestamp,
    retired_at: Option<Timestamp>,
    pkcs8: SecretDer,
}

#[derive(Clone)]
struct SecretDer(Arc<Zeroizing<Vec<u8>>>);

impl std::fmt::Debug for SecretDer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretDer(…)")
    }
}

/// The keys of one set, the newest first. Only the first may sign.
#[derive(Clone, Debug)]
pub(crate) struct KeySet {
    set: TokenSet,
    records: Vec<KeyRecord>,
}

impl KeySet {
    pub(crate) const fn empty(set: TokenSet) -> Self {
        Self { set, records: Vec::new() }
    }

    /// Reads what [`to_document`](Self::to_document) wrote, or the one key of an old data directory, which counts as made
    /// now.
    pub(crate) fn from_document(set: TokenSet, document: &[u8], now: Timestamp) -> Result<Self, InvalidKeyError> {
        if Self::is_one_old_key(document) {
            return Self::empty(set).with_new(&Zeroizing::new(document.to_vec()), false, now);
        }
        let stored: Vec<StoredKey> = serde_json::from_slice(document).map_err(|_| InvalidKeyError)?;
        let records = stored.iter().map(KeyRecord::from_stored).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { set, records })
    }

    /// Whether this is the one key of an old data directory, which says nothing of its age.
    pub(crate) fn is_one_old_key(document: &[u8]) -> bool {
        document.first() == Some(&DER_SEQUENCE)
    }

    pub(crate) fn to_document(&self) -> Zeroizing<Vec<u8>> {
        let stored: Vec<StoredKey> = self.records.iter().map(KeyRecord::to_stored).collect();
        Zeroizing::new(serde_json::to_vec(&stored).expect("keys are plain data"))
    }

    /// The key that signs; none in a set that has signed nothing.
    pub(crate) fn signing(&self) -> Option<&Arc<Key>> {
        self.records.first().filter(|record| record.retired_at.is_none()).map(|record| &record.key)
    }

    /// The key of this name, if its tokens still count.
    pub(crate) fn find(&self, kid: &[u8], now: Timestamp) -> Option<&Arc<Key>> {
        let record = self.records.iter().find(|record| record.key.id.as_bytes() == kid)?;
        (!self.has_ended(record, now)).then_some(&record.key)
    }

    /// These keys and a new one, which signs from now on. With `end_old` no other is left.
    pub(crate) fn with_new(
        &self,
        pkcs8: &Zeroizing<Vec<u8>>,
        end_old: bool,
        now: Timestamp,
    ) -> Result<Self, InvalidKeyError> {
        let key = Arc::new(Key::from_pkcs8(pkcs8)?);
        let pkcs8 = SecretDer(Arc::new(pkcs8.clone()));
        let mut records = vec![KeyRecord { key, created_at: now, retired_at: None, pkcs8 }];
        if !end_old {
            let old = self.records.iter().filter(|record| !self.has_ended(record, now)).cloned();
            records.extend(old.map(|old| KeyRecord { retired_at: old.retired_at.or(Some(now)), ..old }));
            records.truncate(KEYS_MAX);
        }
        Ok(Self { set: self.set, records })
    }

    /// These keys without those whose last token has expired; `None` if all still count.
    pub(crate) fn without_ended(&self, now: Timestamp) -> Option<Self> {
        let kept: Vec<_> = self.records.iter().filter(|record| !self.has_ended(record, now)).cloned().collect();
        (kept.len() < self.records.len()).then_some(Self { set: self.set, records: kept })
    }

    /// When the signing key is to be replaced.
    pub(crate) fn rotation_due(&self) -> Option<Timestamp> {
        self.records
            .first()
            .filter(|record| record.retired_at.is_none())
            .map(|record| plus(record.created_at, KEY_LIFE))
    }

    /// When the next of the keys that sign no more is to be forgotten.
    pub(crate) fn next_end(&self) -> Option<Timestamp> {
        self.records.iter().filter(|record| record.retired_at.is_some()).map(|record| self.ends_at(record)).min()
    }

    /// What the owner may know of the keys.
    pub(crate) fn list(&self) -> impl Iterator<Item = SigningKey> {
        self.records.iter().map(|record| SigningKey {
            set: self.set,
            kid: record.key.id.clone(),
            created_at: record.created_at,
            retired_at: record.retired_at,
            ends_at: self.ends_at(record),
        })
    }

    pub(crate) fn keys(&self, now: Timestamp) -> impl Iterator<Item = &Key> {
        self.records.iter().filter(move |record| !self.has_ended(record, now)).map(|record| &*record.key)
    }

    fn has_ended(&self, record: &KeyRecord, now: Timestamp) -> bool {
        record.retired_at.is_some() && self.ends_at(record) <= now
    }

    fn ends_at(&self, record: &KeyRecord) -> Timestamp {
        match record.retired_at {
            Some(retired_at) => plus(retired_at, sort(self.set).ttl_max + LEEWAY),
            None => plus(record.created_at, KEY_LIFE),
        }
    }
}

impl KeyRecord {
    fn from_stored(stored: &StoredKey) -> Result<Self, InvalidKeyError> {
        let pkcs8 = Zeroizing::new(BASE64_STANDARD.decode(&stored.pkcs8).map_err(|_| InvalidKeyError)?);
        Ok(Self {
            key: Arc::new(Key::from_pkcs8(&pkcs8)?),
            created_at: Timestamp(stored.created_at),
            retired_at: stored.retired_at.map(Timestamp),
            pkcs8: SecretDer(Arc::new(pkcs8)),
        })
    }

    fn to_stored(&self) -> StoredKey {
        StoredKey {
            kid: self.key.id.clone(),
            created_at: self.created_at.as_millis(),
            retired_at: self.retired_at.map(Timestamp::as_millis),
            pkcs8: BASE64_STANDARD.encode(&**self.pkcs8.0),
        }
    }
}

fn plus(at: Timestamp, wait: Duration) -> Timestamp {
    Timestamp(at.as_millis() + wait.as_millis() as i64)
}
