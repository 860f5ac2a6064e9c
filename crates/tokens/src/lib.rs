//! Signed tokens of people, engines and administrators, and the keys behind them.
//!
//! Three sets of RSA keys, one for each sort of token. A token names its key; the key's set says which audience and type
//! the token must have, so that none of one sort passes for another. Algorithm and key come from here, never from the
//! token. Start with [`TokenKeys`]: it signs, verifies and rotates.
//!
//! Verifying a signature costs some tens of microseconds, so tokens that passed are remembered, by their hash, and so are
//! new ones: [`TokenKeys::remembers`] tells those that cost nothing from those that anybody can make up. What can
//! change is asked anew each time: whether the key still counts, and the time.
//!
//! Not here: whether a session is open, whose engine it is, where keys are kept ([`KeyStore`]).

mod claims;
mod key;
mod key_set;
mod ring;
mod verify;

pub use claims::{AdminClaims, EngineClaims, TokenError, UserClaims, Verified};
pub use key::{InvalidKeyError, SignedBy};
pub use ring::{KeyStore, KeyStoreError, OpenKeysError, RotateError, TokenKeys};

use std::time::Duration;

/// A key signs for this long; then the next one does.
pub const KEY_LIFE: Duration = Duration::from_hours(30 * 24);
/// The longest life of a token of a person: of a script, which no session stands behind.
pub const USER_TOKEN_TTL_MAX: Duration = Duration::from_hours(24);
/// The longest life of an engine's and of an admin token.
pub const SHORT_TOKEN_TTL_MAX: Duration = Duration::from_mins(15);
/// What an admin token begins with.
pub const ADMIN_PREFIX: &str = "fla_";
