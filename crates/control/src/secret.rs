//! Random secrets and their hashes.

use std::fmt::{self, Write};

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret in the form in which it leaves the node once. Not printed by `Debug`; wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretText(String);

impl SecretText {
    /// The secret itself. Whoever calls this shows it to the one it is for.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn from_text(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// Bytes of randomness in a secret. 256 bits leave nothing to guess and need no slow hash.
pub(crate) const SECRET_BYTES: usize = 32;

/// What is stored of a secret. Comparing two takes the same time whatever they hold (blake3's own `PartialEq`).
pub(crate) type SecretHash = blake3::Hash;

pub(crate) fn random_hex() -> String {
    let mut bytes = random_bytes::<SECRET_BYTES>();
    let text = hex(&bytes);
    bytes.zeroize();
    text
}

/// # Panics
/// When the system has no randomness to give, which leaves nothing sensible to do.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system gives randomness");
    bytes
}

pub(crate) fn hash(purpose: &str, secret: &str) -> SecretHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(purpose.as_bytes());
    hasher.update(&[0]);
    hasher.update(secret.as_bytes());
    hasher.finalize()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes what it is given");
        text
    })
}
