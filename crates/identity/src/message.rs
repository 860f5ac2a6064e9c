//! The message a wallet shows and signs: EIP-4361, "Sign-In with Ethereum".

use std::fmt;

use flowork_api_types::{Timestamp, member::KeyAddress};

use crate::address::checksummed;

/// Longer text is not a message of ours, and not worth a look.
pub const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// The fewest characters of a nonce, by EIP-4361.
pub const NONCE_CHARS_MIN: usize = 8;

/// 32 of 36 characters: 165 bits.
const NONCE_CHARS: usize = 32;
const NONCE_ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// A message to sign in with. `Display` writes it out; `FromStr` reads it, strictly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInMessage {
    /// The scheme of the page that asks. Wallets take it for `https` where it is left out.
    pub scheme: Option<String>,
    /// Host and port of the page that asks. A wallet warns of a page that asks in another's name.
    pub domain: String,
    /// Who signs.
    pub address: KeyAddress,
    /// What signing means, for the person.
    pub statement: Option<String>,
    /// What is signed in to.
    pub uri: String,
    /// The chain the account is of. It says nothing more here, as nothing is asked of a chain.
    pub chain_id: u64,
    /// What makes it unlike any other. Letters and digits.
    pub nonce: String,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it stops working.
    pub expiration_time: Option<Timestamp>,
    /// Before when it does not work.
    pub not_before: Option<Timestamp>,
    /// A name for the request.
    pub request_id: Option<String>,
    /// Further addresses of the web that the sign-in is about.
    pub resources: Vec<String>,
}

impl fmt::Display for SignInMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = &self.scheme {
            write!(f, "{scheme}://")?;
        }
        writeln!(f, "{} wants you to sign in with your Ethereum account:", self.domain)?;
        writeln!(f, "{}\n", checksummed(self.address))?;
        if let Some(statement) = &self.statement {
            writeln!(f, "{statement}")?;
        }
        writeln!(f, "\nURI: {}\nVersion: 1\nChain ID: {}", self.uri, self.chain_id)?;
        write!(f, "Nonce: {}\nIssued At: {}", self.nonce, self.issued_at)?;
        if let Some(at) = self.expiration_time {
            write!(f, "\nExpiration Time: {at}")?;
        }
        if let Some(at) = self.not_before {
            write!(f, "\nNot Before: {at}")?;
        }
        if let Some(id) = &self.request_id {
            write!(f, "\nRequest ID: {id}")?;
        }
        if !self.resources.is_empty() {
            write!(f, "\nResources:")?;
        }
        self.resources.iter().try_for_each(|resource| write!(f, "\n- {resource}"))
    }
}

/// A nonce that nobody can guess and that never comes twice.
///
/// # Panics
/// When the system has no randomness to give, which leaves nothing sensible to do.
pub fn new_nonce() -> String {
    let mut nonce = String::with_capacity(NONCE_CHARS);
    while nonce.len() < NONCE_CHARS {
        let mut bytes = [0; NONCE_CHARS];
        getrandom::fill(&mut bytes).expect("the system gives randomness");
        // 252 is the last multiple of 36 in a byte; what is above would make some characters likelier.
        let fair = bytes.iter().filter(|byte| **byte < 252);
        let room = NONCE_CHARS - nonce.len();
        nonce.extend(fair.take(room).map(|byte| char::from(NONCE_ALPHABET[usize::from(byte % 36)])));
    }
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_are_letters_and_digits_and_differ() {
        let nonces: std::collections::HashSet<_> = (0..1_000).map(|_| new_nonce()).collect();
        assert_eq!(nonces.len(), 1_000);
        for nonce in nonces {
            assert!(nonce.len() == NONCE_CHARS && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{nonce}");
        }
    }
}
