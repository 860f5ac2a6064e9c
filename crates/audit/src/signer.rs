//! The seams to whoever has the owner's key.

use flowork_identity::{OwnerKey, PersonalSignature, checksummed, parse_address};

/// The owner's key could not sign.
#[derive(Debug, thiserror::Error)]
#[error("the owner's key gave no signature")]
pub struct SignError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Signs the head of each day, and the place where old entries are cut, in the name of the owner.
pub trait HeadSigner: Send + Sync {
    /// Whose signature it is: an Ethereum address, EIP-55.
    fn address(&self) -> String;

    /// Signs a text as wallets do (EIP-191). May block for as long as one signature takes.
    ///
    /// # Errors
    /// There is no signature.
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// Tells whether a signature is that of an address.
pub trait SignatureCheck: Send + Sync {
    /// Whether `address` signed `text` (EIP-191).
    fn is_signed_by(&self, address: &str, text: &[u8], signature: &[u8]) -> bool;
}

/// The check by itself: what a signature recovers to is the address.
#[derive(Clone, Copy, Debug, Default)]
pub struct PersonalSignatures;

impl SignatureCheck for PersonalSignatures {
    fn is_signed_by(&self, address: &str, text: &[u8], signature: &[u8]) -> bool {
        let signer = PersonalSignature::from_bytes(signature).and_then(|signature| signature.signer(text));
        parse_address(address).is_ok_and(|address| signer == Ok(address))
    }
}

impl HeadSigner for OwnerKey {
    fn address(&self) -> String {
        checksummed(self.address())
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(self.sign_message(text).to_bytes().to_vec())
    }
}
