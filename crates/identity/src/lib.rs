//! Signing in with a key of Ethereum's kind: secp256k1, in a wallet or made by a browser.
//!
//! The node writes the message ([`SignInMessage`], EIP-4361) and keeps it; the wallet signs it (EIP-191). What counts
//! is the message that was kept: [`prove`] looks at the one that comes back only to refuse whatever differs, and goes
//! by every field of it. [`OwnerKey`] is the node's own key of this kind, and [`keystore`] the form in which it leaves.
//!
//! Accounts are externally owned ones only, those whose address is made from one key. The signature of a contract's
//! account (EIP-1271, EIP-6492) needs a chain to ask and is refused like any other that does not fit.
//!
//! Not here: who is a member and what they may do (`flowork_control`), routes (the gateway), where the owner's key
//! rests (`flowork_vault`).

pub mod keystore;

mod address;
mod check;
mod hex;
mod message;
mod owner_key;
mod parse;
mod prove;
mod signature;

pub use address::{AddressError, checksummed, parse_address};
pub use check::{Expected, FieldRefusal};
pub use message::{MESSAGE_BYTES_MAX, NONCE_CHARS_MIN, SignInMessage, new_nonce};
pub use owner_key::{ITEM_OWNER_KEY, OwnerKey, OwnerKeyError};
pub use parse::MessageError;
pub use prove::{Refusal, prove};
pub use signature::{PersonalSignature, SignatureError};
