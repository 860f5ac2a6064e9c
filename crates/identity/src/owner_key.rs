//! The owner's own key, which the node keeps in its vault.

use ethers_signers::{LocalWallet, Signer};
use flowork_api_types::member::KeyAddress;
use zeroize::Zeroizing;

use crate::{hex, signature::PersonalSignature};

/// The vault item that holds the owner's key: the 32 bytes of its secret.
pub const ITEM_OWNER_KEY: &str = "owner/key";

/// Bytes of a secret.
const SECRET_BYTES: usize = 32;

/// Bytes that are no secret of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a secp256k1 key: 32 bytes, not zero and below the order of the curve")]
pub struct OwnerKeyError;

/// A key that signs. Wiped when dropped; `Debug` shows the address only.
#[derive(Clone)]
pub struct OwnerKey {
    wallet: LocalWallet,
}

impl OwnerKey {
    /// Makes the secret of a new key, for the vault.
    ///
    /// # Panics
    /// When the system has no randomness to give, which leaves nothing sensible to do.
    pub fn generate_secret() -> Zeroizing<Vec<u8>> {
        loop {
            let mut secret = Zeroizing::new(vec![0; SECRET_BYTES]);
            getrandom::fill(&mut secret).expect("the system gives randomness");
            // All but 1 of 2^128 numbers are keys.
            if Self::from_secret(&secret).is_ok() {
                return secret;
            }
        }
    }

    /// The key of a secret.
    ///
    /// # Errors
    /// The bytes are none.
    pub fn from_secret(secret: &[u8]) -> Result<Self, OwnerKeyError> {
        if secret.len() != SECRET_BYTES {
            return Err(OwnerKeyError);
        }
        LocalWallet::from_bytes(secret).map(|wallet| Self { wallet }).map_err(|_| OwnerKeyError)
    }

    /// Its address.
    pub fn address(&self) -> KeyAddress {
        KeyAddress(self.wallet.address().0)
    }

    /// Signs a text as `personal_sign` does (EIP-191).
    ///
    /// # Panics
    /// Never: a valid key signs every hash.
    pub fn sign_message(&self, message: &[u8]) -> PersonalSignature {
        let signature = self
            .wallet
            .sign_hash(ethers_core::utils::hash_message(message))
            .expect("a key that was checked signs every hash");
        PersonalSignature::from_bytes(&signature.to_vec()).expect("the signer gives the low s")
    }

    /// Its secret, for the vault and for a keystore file.
    pub fn to_secret(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.wallet.signer().to_bytes().to_vec())
    }
}

impl std::fmt::Debug for OwnerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OwnerKey(0x{})", hex::encode(&self.address().0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_signs_is_recovered_to_its_address_and_only_for_that_message() {
        let key = OwnerKey::from_secret(&OwnerKey::generate_secret()).unwrap();
        let signature = key.sign_message(b"hello");
        assert_eq!(signature.signer(b"hello"), Ok(key.address()));
        assert_ne!(signature.signer(b"hullo"), Ok(key.address()));
        assert_eq!(signature.to_string().parse::<PersonalSignature>().unwrap(), signature);
    }

    #[test]
    fn a_key_of_a_known_secret_has_its_known_address() {
        let mut secret = [0; 32];
        secret[31] = 1;
        let key = OwnerKey::from_secret(&secret).unwrap();
        assert_eq!(crate::checksummed(key.address()), "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf");
        assert_eq!(*key.to_secret(), secret);
    }

    #[test]
    fn numbers_that_are_no_keys_are_refused() {
        for secret in [vec![0; 32], vec![0xff; 32], vec![1; 31], vec![1; 33], Vec::new()] {
            assert_eq!(OwnerKey::from_secret(&secret).err(), Some(OwnerKeyError), "{secret:?}");
        }
    }

    #[test]
    fn debug_output_does_not_show_the_secret() {
        let secret = OwnerKey::generate_secret();
        let key = OwnerKey::from_secret(&secret).unwrap();
        assert!(!format!("{key:?} {key:#?}").contains(&hex::encode(&secret)));
    }
}
