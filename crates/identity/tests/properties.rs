//! What holds for every message, signature and text.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use flowork_api_types::{Timestamp, member::KeyAddress};
use flowork_identity::{OwnerKey, PersonalSignature, SignInMessage, checksummed, parse_address};
use proptest::{collection::vec, option, prelude::*};

fn message() -> impl Strategy<Value = SignInMessage> {
    let time = || (0_i64..4_000_000_000_000).prop_map(Timestamp);
    let text = |pattern: &'static str| proptest::string::string_regex(pattern).unwrap();
    let first = (
        option::of(text("[a-z][a-z0-9+.-]{0,8}")),
        text("[a-z0-9][a-z0-9.-]{0,40}(:[1-9][0-9]{0,3})?"),
        any::<[u8; 20]>().prop_map(KeyAddress),
        option::of(text("[A-Za-z0-9 :/?#!$&'()*+,;=._~@-]{1,80}")),
        text("https?://[a-z0-9][a-z0-9.-]{0,30}(:[1-9][0-9]{0,3})?(/[a-z0-9~%]{0})?"),
        1_u64..1_000_000_000_000_000_000,
        text("[A-Za-z0-9]{8,64}"),
    );
    let second = (
        time(),
        option::of(time()),
        option::of(time()),
        option::of(text("[A-Za-z0-9._~!$&'()*+,;=:@-]{0,30}")),
        vec(text("(ipfs|https)://[a-z0-9]{1,40}(/[a-z0-9]{0,10})?"), 0..5),
    );
    (first, second).prop_map(
        |(
            (scheme, domain, address, statement, uri, chain_id, nonce),
            (issued_at, expiration_time, not_before, request_id, resources),
        )| SignInMessage {
            scheme,
            domain,
            address,
            statement,
            uri,
            chain_id,
            nonce,
            issued_at,
            expiration_time,
            not_before,
            request_id,
            resources,
        },
    )
}

proptest! {
    #[test]
    fn every_message_is_read_back_as_it_was_written(message in message()) {
        let text = message.to_string();
        prop_assert_eq!(text.parse::<SignInMessage>(), Ok(message));
    }

    #[test]
    fn no_text_makes_the_reader_panic_and_what_it_takes_says_what_the_text_says(text in "(?s).{0,400}") {
        if let Ok(message) = text.parse::<SignInMessage>() {
            prop_assert!(text.starts_with(message.scheme.as_ref().unwrap_or(&message.domain)));
        }
        let _ = text.parse::<PersonalSignature>();
        let _ = flowork_identity::keystore::import(&text, "passphrase");
        let _ = parse_address(&text);
    }

    #[test]
    fn one_changed_character_makes_another_message_or_none(message in message(), at in any::<prop::sample::Index>()) {
        let text = message.to_string();
        let at = at.index(text.len());
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
        let changed = String::from_utf8(bytes).unwrap();
        if let Ok(read) = changed.parse::<SignInMessage>() {
            prop_assert_ne!(read, message);
        }
    }

    #[test]
    fn addresses_are_read_back_and_their_checksum_holds(bytes in any::<[u8; 20]>()) {
        let address = KeyAddress(bytes);
        prop_assert_eq!(parse_address(&checksummed(address)), Ok(address));
    }

    #[test]
    fn a_signature_is_recovered_and_a_changed_one_is_another_key_or_none(
        secret in any::<[u8; 32]>(),
        text in vec(any::<u8>(), 0..200),
        at in 0_usize..64,
        change in 1_u8..,
    ) {
        let Ok(key) = OwnerKey::from_secret(&secret) else { return Ok(()) };
        let signature = key.sign_message(&text);
        prop_assert_eq!(signature.signer(&text), Ok(key.address()));
        let mut bytes = signature.to_bytes();
        bytes[at] ^= change;
        if let Ok(changed) = PersonalSignature::from_bytes(&bytes) {
            prop_assert_ne!(changed.signer(&text), Ok(key.address()));
        }
    }
}
