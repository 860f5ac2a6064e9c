//! What says who somebody is: tokens, messages of wallets, files with keys.

use std::sync::OnceLock;

use flowork_api_types::{Timestamp, admin::TokenSet};
use flowork_identity::{PersonalSignature, SignInMessage, keystore, parse_address};
use flowork_tokens::{KeyStore, KeyStoreError, TokenKeys};
use flowork_vault::fuzzing as vault;
use serde_json::Value;
use zeroize::Zeroizing;

use super::http::base64url;

/// 2026-03-29T00:00:00Z
const NOW: Timestamp = Timestamp(1_774_742_400_000);
/// What a keystore file may ask for here, in blocks of scrypt: more is a second of work, as it should be, and no find.
const BLOCKS_MAX: u64 = 1 << 14;

/// Keeps nothing.
pub(super) struct Nowhere;

impl KeyStore for Nowhere {
    fn load(&self, _: TokenSet) -> Result<Option<Zeroizing<Vec<u8>>>, KeyStoreError> {
        Ok(None)
    }

    fn save(&self, _: TokenSet, _: &[u8]) -> Result<(), KeyStoreError> {
        Ok(())
    }
}

/// A token as text, or its three parts on three lines after a byte that is not text; `KID` stands for the key's id.
pub(super) fn signed_token(data: &[u8]) {
    static KEYS: OnceLock<TokenKeys> = OnceLock::new();
    let keys = KEYS.get_or_init(|| TokenKeys::open(Nowhere, NOW).expect("a key can be made"));
    let text = match data.split_first() {
        Some((prefix @ (0..=3), parts)) => {
            let kid = keys.list().first().map(|key| key.kid.clone()).unwrap_or_default();
            let parts: Vec<_> = parts.splitn(3, |byte| *byte == b'\n').collect();
            let head = String::from_utf8_lossy(parts.first().copied().unwrap_or_default()).replace("KID", &kid);
            let rest = parts.iter().skip(1).fold(String::new(), |text, part| text + "." + &base64url(part));
            format!("{}{}{rest}", if *prefix == 3 { "fla_" } else { "" }, base64url(head))
        }
        _ => String::from_utf8_lossy(data).into_owned(),
    };
    let verified = keys.verify(&text, NOW);
    assert!(verified.is_err(), "{text:?} was not signed here, and is taken for {verified:?}");
}

/// A message, and after a byte of zero a signature of it.
pub(super) fn sign_in_message(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (message, signature) = (&data[..at], data.get(at + 1..).unwrap_or_default());
    if let Ok(text) = std::str::from_utf8(message) {
        _ = parse_address(text);
        if let Ok(message) = text.parse::<SignInMessage>() {
            let again: SignInMessage = message.to_string().parse().expect("what it writes can be read");
            assert_eq!(again, message, "and says the same");
        }
    }
    let signature = match std::str::from_utf8(signature) {
        Ok(text) => text.parse::<PersonalSignature>(),
        Err(_) => PersonalSignature::from_bytes(signature),
    };
    if let Ok(signature) = signature {
        let again: PersonalSignature = signature.to_string().parse().expect("what it writes can be read");
        assert_eq!(again.to_bytes(), signature.to_bytes(), "and says the same");
        _ = signature.signer(message);
    }
}

pub(super) fn keystore_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let document: Value = serde_json::from_str(text).unwrap_or_default();
    let crypto = document.get("crypto").or_else(|| document.get("Crypto")).unwrap_or(&Value::Null);
    let number = |name: &str| crypto["kdfparams"][name].as_u64().unwrap_or_default();
    if number("n").saturating_mul(number("r")).saturating_mul(number("p")) <= BLOCKS_MAX
        && let Err(error) = keystore::import(text, "testpassword")
    {
        drop((error.to_string(), error.hint()));
    }
}

/// The first byte picks a part of a vault.
pub(super) fn vault_parts(data: &[u8]) {
    let Some((part, bytes)) = data.split_first() else { return };
    match part % 4 {
        0 => _ = vault::record(bytes),
        1 => {
            if let Some(length) = vault::file_header(bytes) {
                assert!(length <= bytes.len(), "a header is part of its file");
            }
        }
        2 => _ = vault::items(bytes),
        _ => _ = vault::key(bytes),
    }
}
