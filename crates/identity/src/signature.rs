//! Signatures as `personal_sign` makes them: EIP-191, version `E`.

use std::{fmt, str::FromStr};

use ethers_core::{
    k256::ecdsa::{RecoveryId, Signature, VerifyingKey},
    utils::{hash_message, keccak256},
};
use flowork_api_types::member::KeyAddress;

use crate::hex;

const SIGNATURE_BYTES: usize = 65;

/// Why a signature is none, or not one that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not `0x` and 130 digits.
    #[error("a signature is 0x and 130 hexadecimal digits: 65 bytes")]
    Form,
    /// The last byte says something else.
    #[error("the last byte of a signature is 27, 28, 0 or 1")]
    RecoveryId,
    /// `r` or `s` is zero or not below the order of the curve.
    #[error("the signature's numbers are out of range")]
    Range,
    /// The other of the two forms that every signature has. Taking both would give each message two signatures.
    #[error("the signature is in the form with the high s (EIP-2)")]
    HighS,
    /// No key gives this signature of this message.
    #[error("no key makes this signature of this message")]
    NoKey,
}

/// A signature over a text: `r`, `s` and which of the two possible keys it is.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonalSignature {
    numbers: Signature,
    recovery_id: RecoveryId,
}

impl PersonalSignature {
    /// From its 65 bytes.
    ///
    /// # Errors
    /// See [`SignatureError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SignatureError> {
        let bytes: &[u8; SIGNATURE_BYTES] = bytes.try_into().map_err(|_| SignatureError::Form)?;
        let recovery_id = match bytes[64] {
            0 | 27 => RecoveryId::new(false, false),
            1 | 28 => RecoveryId::new(true, false),
            _ => return Err(SignatureError::RecoveryId),
        };
        let numbers = Signature::from_slice(&bytes[..64]).map_err(|_| SignatureError::Range)?;
        if numbers.normalize_s().is_some() {
            return Err(SignatureError::HighS);
        }
        Ok(Self { numbers, recovery_id })
    }

    /// Its 65 bytes, the last one being 27 or 28.
    pub fn to_bytes(&self) -> [u8; SIGNATURE_BYTES] {
        let mut bytes = [0; SIGNATURE_BYTES];
        bytes[..64].copy_from_slice(&self.numbers.to_bytes());
        bytes[64] = 27 + self.recovery_id.to_byte();
        bytes
    }

    /// The address of the key that signed this message.
    ///
    /// # Errors
    /// [`SignatureError::NoKey`]
    pub fn signer(&self, message: &[u8]) -> Result<KeyAddress, SignatureError> {
        let digest = hash_message(message);
        let key = VerifyingKey::recover_from_prehash(digest.as_bytes(), &self.numbers, self.recovery_id)
            .map_err(|_| SignatureError::NoKey)?;
        Ok(address_of(&key))
    }
}

/// The last 20 bytes of the hash of the key's two coordinates.
fn address_of(key: &VerifyingKey) -> KeyAddress {
    let point = key.to_encoded_point(false);
    let hash = keccak256(&point.as_bytes()[1..]);
    let mut address = [0; 20];
    address.copy_from_slice(&hash[12..]);
    KeyAddress(address)
}

impl FromStr for PersonalSignature {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 2 * SIGNATURE_BYTES);
        let bytes = digits.and_then(hex::decode).ok_or(SignatureError::Form)?;
        Self::from_bytes(&bytes)
    }
}

impl fmt::Display for PersonalSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(&self.to_bytes()))
    }
}

impl fmt::Debug for PersonalSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
