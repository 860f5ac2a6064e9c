//! Whether somebody has the key that they say they have.

use flowork_api_types::member::KeyAddress;

use crate::{
    check::{Expected, FieldRefusal},
    message::SignInMessage,
    parse::MessageError,
    signature::{PersonalSignature, SignatureError},
};

/// Why a sign-in is refused. For the log and the audit: who signs in learns only that it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What came back is no message.
    #[error("the message cannot be read")]
    Message(#[source] MessageError),
    /// It is not, byte for byte, the one that was given out.
    #[error("the message is not the one that was given out")]
    Changed,
    /// A field is not as it should be.
    #[error("a field of the message does not fit")]
    Field(#[source] FieldRefusal),
    /// The signature is none that counts.
    #[error("the signature does not count")]
    Signature(#[source] SignatureError),
    /// Another key signed it.
    #[error("the message was signed by another key")]
    OtherKey,
}

/// Says whose key signed the message that was given out.
///
/// `stored` is that message and the only one that is hashed; `given` is what came back with the signature.
///
/// # Errors
/// See [`Refusal`].
pub fn prove(stored: &str, given: &str, signature: &str, expected: &Expected<'_>) -> Result<KeyAddress, Refusal> {
    let _: SignInMessage = given.parse().map_err(Refusal::Message)?;
    if stored != given {
        return Err(Refusal::Changed);
    }
    let message: SignInMessage = stored.parse().map_err(Refusal::Message)?;
    message.check(expected).map_err(Refusal::Field)?;
    let signature: PersonalSignature = signature.parse().map_err(Refusal::Signature)?;
    let signer = signature.signer(stored.as_bytes()).map_err(Refusal::Signature)?;
    if signer == message.address { Ok(signer) } else { Err(Refusal::OtherKey) }
}
