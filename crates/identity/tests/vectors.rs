//! What other implementations make is read here, and what is made here is what they make. `vectors/generate.mjs` makes
//! the file anew.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use flowork_identity::{OwnerKey, PersonalSignature, SignInMessage, checksummed, keystore, parse_address};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    passphrase: String,
    sign_in: Vec<SignIn>,
    texts: Vec<Signed>,
    keystores: Vec<Keystore>,
}

#[derive(Deserialize)]
struct SignIn {
    secret: String,
    address: String,
    fields: Fields,
    message: String,
    signature: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    scheme: Option<String>,
    domain: String,
    statement: Option<String>,
    uri: String,
    chain_id: u64,
    nonce: String,
    issued_at: String,
    expiration_time: Option<String>,
    not_before: Option<String>,
    request_id: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
}

#[derive(Deserialize)]
struct Signed {
    secret: String,
    address: String,
    text: String,
    signature: String,
}

#[derive(Deserialize)]
struct Keystore {
    secret: String,
    address: String,
    file: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors/vectors.json")).unwrap()
}

fn key(secret: &str) -> OwnerKey {
    let digits = secret.strip_prefix("0x").unwrap();
    let bytes: Vec<u8> =
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
    OwnerKey::from_secret(&bytes).unwrap()
}

#[test]
fn messages_of_other_implementations_are_read_field_by_field_and_written_the_same() {
    let all = vectors().sign_in;
    assert!(all.len() >= 60);
    for SignIn { address, fields, message, .. } in all {
        let read: SignInMessage = message.parse().unwrap_or_else(|error| panic!("{error}: {message}"));
        let time = |text: &String| text.parse().unwrap();
        let expected = SignInMessage {
            scheme: fields.scheme,
            domain: fields.domain,
            address: parse_address(&address).unwrap(),
            statement: fields.statement,
            uri: fields.uri,
            chain_id: fields.chain_id,
            nonce: fields.nonce,
            issued_at: time(&fields.issued_at),
            expiration_time: fields.expiration_time.as_ref().map(time),
            not_before: fields.not_before.as_ref().map(time),
            request_id: fields.request_id,
            resources: fields.resources,
        };
        assert_eq!(read, expected, "{message}");
        assert_eq!(expected.to_string(), message);
    }
}

#[test]
fn signatures_of_other_implementations_are_recovered_and_made_the_same() {
    let Vectors { sign_in, texts, .. } = vectors();
    let messages = sign_in.into_iter().map(|one| (one.secret, one.address, one.message, one.signature));
    let all = messages.chain(texts.into_iter().map(|one| (one.secret, one.address, one.text, one.signature)));
    for (secret, address, text, made) in all {
        let signature: PersonalSignature = made.parse().unwrap();
        let signer = signature.signer(text.as_bytes()).unwrap();
        assert_eq!(checksummed(signer), address, "{text}");
        assert_ne!(signature.signer(format!("{text}.").as_bytes()), Ok(signer), "another text is not signed by it");
        let key = key(&secret);
        assert_eq!(checksummed(key.address()), address);
        assert_eq!(key.sign_message(text.as_bytes()).to_string(), made, "both are made by RFC 6979");
    }
}

#[test]
fn keystore_files_of_other_implementations_give_their_keys() {
    let Vectors { passphrase, keystores, .. } = vectors();
    assert!(keystores.len() >= 6);
    for Keystore { secret, address, file } in keystores {
        let read = keystore::import(&file, &passphrase).unwrap();
        assert_eq!((checksummed(read.address()), read.to_secret()), (address, key(&secret).to_secret()));
        assert_eq!(keystore::import(&file, "another").err(), Some(keystore::KeystoreError::Passphrase));
    }
}
