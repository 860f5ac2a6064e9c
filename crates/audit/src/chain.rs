//! The hashes: what goes into each, and under which key.
//!
//! Every field goes in with its length, so that no two different rows have the same encoding. Each use of the key has a
//! key of its own, derived from it.

use blake3::{Hash, Hasher};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{head::HeadRow, row::RowFields, seen_time::SeenTime, tip::Tip};

/// Bytes of the key.
pub const KEY_BYTES: usize = 32;
/// The vault's item that holds it.
pub const KEY_ITEM: &str = "audit/key";

/// The secret without which no hash of the log can be made.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct AuditKey {
    entries: [u8; KEY_BYTES],
    heads: [u8; KEY_BYTES],
    tip: [u8; KEY_BYTES],
    name: [u8; KEY_BYTES],
    seen_time: [u8; KEY_BYTES],
}

impl std::fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditKey(…)")
    }
}

impl AuditKey {
    /// Makes the secret of a new log, for the vault.
    ///
    /// # Panics
    /// When the system has no randomness to give, which leaves nothing sensible to do.
    pub fn generate_secret() -> Zeroizing<Vec<u8>> {
        let mut secret = Zeroizing::new(vec![0; KEY_BYTES]);
        getrandom::fill(&mut secret).expect("the system gives randomness");
        secret
    }

    /// Takes what the vault has under [`KEY_ITEM`]; `None` if it has not [`KEY_BYTES`] bytes.
    pub fn from_secret(secret: &[u8]) -> Option<Self> {
        let derive = |context: &str| blake3::derive_key(context, secret);
        (secret.len() == KEY_BYTES).then(|| Self {
            entries: derive("flowork 2026-11 audit entries"),
            heads: derive("flowork 2026-11 audit heads"),
            tip: derive("flowork 2026-11 audit tip"),
            name: derive("flowork 2026-11 audit name"),
            seen_time: derive("flowork 2026-11 audit seen time"),
        })
    }

    /// Names the log to the outside, without telling anything of the key.
    pub(crate) fn log_name(&self) -> String {
        blake3::keyed_hash(&self.name, b"name").to_hex()[..16].to_owned()
    }

    /// What stands before the first entry.
    pub(crate) fn genesis(&self) -> Hash {
        blake3::keyed_hash(&self.entries, b"genesis")
    }

    /// What stands before the first head.
    pub(crate) fn heads_genesis(&self) -> Hash {
        blake3::keyed_hash(&self.heads, b"genesis")
    }

    /// The hash of an entry.
    pub(crate) fn entry_hash(&self, previous: &Hash, row: &RowFields<'_>) -> Hash {
        let mut hash = Encoder::new(&self.entries);
        hash.bytes(previous.as_bytes());
        hash.number(row.seq);
        hash.number(row.at_ms);
        hash.optional_number(row.status);
        for text in row.texts {
            hash.optional(text);
        }
        hash.finish()
    }

    /// The hash of a signed head.
    pub(crate) fn head_hash(&self, previous: &Hash, head: &HeadRow) -> Hash {
        let mut hash = Encoder::new(&self.heads);
        hash.bytes(previous.as_bytes());
        hash.bytes(&head.statement());
        hash.bytes(head.signer.as_bytes());
        hash.bytes(&head.signature);
        hash.finish()
    }

    /// The hash over where the chain begins and ends.
    pub(crate) fn tip_hash(&self, tip: &Tip) -> Hash {
        let mut hash = Encoder::new(&self.tip);
        for number in [tip.seq, tip.count, tip.heads, tip.head_seq, tip.cut_seq] {
            hash.number(number);
        }
        for part in [&tip.hash, &tip.head_mac, &tip.cut_hash] {
            hash.bytes(part.as_bytes());
        }
        hash.optional_number(tip.cut.as_ref().map(|cut| cut.at_ms));
        hash.optional(tip.cut.as_ref().map(|cut| cut.signer.as_bytes()));
        hash.optional(tip.cut.as_ref().map(|cut| &cut.signature[..]));
        hash.finish()
    }

    /// The hash over what is believed of the clock.
    pub(crate) fn seen_time_hash(&self, seen: &SeenTime) -> Hash {
        let mut hash = Encoder::new(&self.seen_time);
        hash.optional_number(seen.believed_ms);
        hash.number(seen.seen_ms);
        hash.number(seen.ran_ms);
        hash.finish()
    }
}

struct Encoder(Hasher);

impl Encoder {
    fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self(Hasher::new_keyed(key))
    }

    fn number(&mut self, number: i64) {
        self.0.update(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn optional(&mut self, bytes: Option<&[u8]>) {
        self.0.update(&[u8::from(bytes.is_some())]);
        if let Some(bytes) = bytes {
            self.bytes(bytes);
        }
    }

    fn optional_number(&mut self, number: Option<i64>) {
        self.0.update(&[u8::from(number.is_some())]);
        if let Some(number) = number {
            self.number(number);
        }
    }

    fn finish(self) -> Hash {
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::TEXTS;

    fn row<'a>(texts: &[(usize, &'a str)]) -> RowFields<'a> {
        let mut fields = RowFields { seq: 1, at_ms: 2, status: None, texts: [None; TEXTS] };
        for (index, text) in texts {
            fields.texts[*index] = Some(text.as_bytes());
        }
        fields
    }

    #[test]
    fn text_that_moves_to_another_field_is_another_entry() {
        let key = AuditKey::from_secret(&[7; 32]).unwrap();
        let of = |texts: &[(usize, &str)]| key.entry_hash(&key.genesis(), &row(texts));
        let hashes = [of(&[(0, "ab")]), of(&[(1, "ab")]), of(&[(0, "a"), (1, "b")]), of(&[(0, "ab"), (1, "")])];
        for (index, hash) in hashes.iter().enumerate() {
            assert!(hashes[index + 1..].iter().all(|other| other != hash));
        }
    }

    #[test]
    fn a_key_of_another_length_is_none() {
        assert!(AuditKey::from_secret(&[1; 31]).is_none());
        assert!(!format!("{:?}", AuditKey::from_secret(&[1; 32])).contains('1'));
    }
}
