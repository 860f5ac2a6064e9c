//! Sign-ins that must not count: each differs in one thing from one that does, and is refused for that very thing.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod bad_messages {
    pub(super) mod texts;
}

use std::time::Duration;

use flowork_api_types::Timestamp;
use flowork_identity::{Expected, FieldRefusal, MessageError, OwnerKey, Refusal, SignInMessage, SignatureError, prove};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const LIFETIME: Duration = Duration::from_mins(5);
const STATEMENT: &str = "Sign in to Flowork.";
const DOMAIN: &str = "127.0.0.1:7717";
const NONCE: &str = "k3n9x0f2m4q8w1e7";

struct SignIn {
    key: OwnerKey,
    message: SignInMessage,
}

impl SignIn {
    fn good() -> Self {
        let mut secret = [7; 32];
        secret[0] = 1;
        let key = OwnerKey::from_secret(&secret).unwrap();
        let message = SignInMessage {
            scheme: Some("http".to_owned()),
            domain: DOMAIN.to_owned(),
            address: key.address(),
            statement: Some(STATEMENT.to_owned()),
            uri: format!("http://{DOMAIN}"),
            chain_id: 1,
            nonce: NONCE.to_owned(),
            issued_at: NOW,
            expiration_time: Some(Timestamp(NOW.as_millis() + LIFETIME.as_millis() as i64)),
            not_before: None,
            request_id: None,
            resources: Vec::new(),
        };
        Self { key, message }
    }

    /// As if `text` had been given out, and came back signed: only what it says can be wrong with it.
    fn prove(&self, text: &str, now: Timestamp) -> Result<(), Refusal> {
        let signature = self.key.sign_message(text.as_bytes()).to_string();
        self.prove_with(text, text, &signature, now)
    }

    fn prove_with(&self, stored: &str, given: &str, signature: &str, now: Timestamp) -> Result<(), Refusal> {
        let expected = Expected {
            scheme: Some("http"),
            domain: DOMAIN,
            uri: &format!("http://{DOMAIN}"),
            chain_ids: &[1, 10],
            statement: STATEMENT,
            address: self.key.address(),
            nonce: NONCE,
            now,
            lifetime_max: LIFETIME,
        };
        prove(stored, given, signature, &expected).map(|signer| assert_eq!(signer, self.key.address()))
    }
}

#[test]
fn the_good_one_counts_to_its_last_millisecond() {
    let sign_in = SignIn::good();
    let text = sign_in.message.to_string();
    assert_eq!(sign_in.prove(&text, NOW), Ok(()));
    let end = sign_in.message.expiration_time.unwrap();
    assert_eq!(sign_in.prove(&text, Timestamp(end.as_millis() - 1)), Ok(()));
    assert_eq!(sign_in.prove(&text, end), Err(Refusal::Field(FieldRefusal::Expired(end))));
    for v in ["00", "1b"] {
        let signature = sign_in.key.sign_message(text.as_bytes()).to_string();
        let (numbers, last) = signature.split_at(130);
        let other = if last == "1b" || last == "00" { v } else { &v.replace("00", "01").replace("1b", "1c") };
        assert_eq!(sign_in.prove_with(&text, &text, &format!("{numbers}{other}"), NOW), Ok(()), "v = {other}");
    }
}

#[test]
fn texts_outside_of_the_grammar_are_refused_each() {
    let sign_in = SignIn::good();
    let good = sign_in.message.to_string();
    let texts = bad_messages::texts::bad_texts(&good);
    let different: std::collections::HashSet<_> = texts.iter().collect();
    assert!(different.len() >= 230 && !different.contains(&good), "{} texts", different.len());
    let mut reasons = std::collections::HashSet::new();
    let mut taken = Vec::new();
    for text in &texts {
        match sign_in.prove(text, NOW) {
            Err(Refusal::Message(reason)) => _ = reasons.insert(std::mem::discriminant(&reason)),
            other => taken.push((text, other)),
        }
    }
    assert!(taken.is_empty(), "{taken:#?}");
    assert_eq!(reasons.len(), 13, "every reason there is but no other");
}

#[test]
fn fields_that_say_something_else_are_refused_each_by_its_name() {
    let good = SignIn::good().message;
    let check = |change: &dyn Fn(&mut SignInMessage), expected: FieldRefusal| {
        let mut sign_in = SignIn::good();
        change(&mut sign_in.message);
        assert_ne!(sign_in.message, good);
        assert_eq!(sign_in.prove(&sign_in.message.to_string(), NOW), Err(Refusal::Field(expected)));
    };
    for scheme in [None, Some("https"), Some("HTTP"), Some("ws"), Some("httpx")] {
        check(&|message| message.scheme = scheme.map(str::to_owned), FieldRefusal::Scheme);
    }
    for domain in [
        "localhost:7717",
        "127.0.0.1",
        "127.0.0.1:7718",
        "evil.example",
        "127.0.0.1.evil.example:7717",
        "127.0.0.01:7717",
        "[::1]:7717",
        "127.0.0.1.:7717",
        "2130706433:7717",
    ] {
        check(&|message| domain.clone_into(&mut message.domain), FieldRefusal::Domain(domain.to_owned()));
    }
    for uri in [
        "http://127.0.0.1:7717/",
        "https://127.0.0.1:7717",
        "http://127.0.0.1",
        "http://evil.example",
        "http://127.0.0.1:7717?x",
        "HTTP://127.0.0.1:7717",
        "urn:flowork",
    ] {
        check(&|message| uri.clone_into(&mut message.uri), FieldRefusal::Uri(uri.to_owned()));
    }
    for chain_id in [2, 5, 100, 11, 999_999_999_999] {
        check(&|message| message.chain_id = chain_id, FieldRefusal::ChainId(chain_id));
    }
    for statement in [None, Some("Sign in to Flowork"), Some("Send all your coins."), Some("sign in to flowork.")] {
        check(&|message| message.statement = statement.map(str::to_owned), FieldRefusal::Statement);
    }
    check(&|message| message.address.0[19] ^= 1, FieldRefusal::Address);
    for nonce in ["k3n9x0f2m4q8w1e8", "K3N9X0F2M4Q8W1E7", "k3n9x0f2m4q8w1e", "k3n9x0f2m4q8w1e70"] {
        check(&|message| nonce.clone_into(&mut message.nonce), FieldRefusal::Nonce);
    }
    for later_ms in [1, 1_000, 86_400_000, 400 * 86_400_000] {
        let later = Timestamp(NOW.as_millis() + later_ms);
        check(&|message| message.issued_at = later, FieldRefusal::IssuedLater(later));
        check(&|message| message.not_before = Some(later), FieldRefusal::NotYet(later));
    }
    check(&|message| message.expiration_time = None, FieldRefusal::Endless);
    for earlier_ms in [0, 1, 1_000, 86_400_000] {
        let end = Timestamp(NOW.as_millis() - earlier_ms);
        check(&|message| message.expiration_time = Some(end), FieldRefusal::Expired(end));
    }
    for longer_ms in [1, 1_000, 86_400_000] {
        let end = Timestamp(good.expiration_time.unwrap().as_millis() + longer_ms);
        check(&|message| message.expiration_time = Some(end), FieldRefusal::TooLong(LIFETIME));
        let begin = Timestamp(NOW.as_millis() - longer_ms);
        check(&|message| message.issued_at = begin, FieldRefusal::TooLong(LIFETIME));
    }
    for id in ["", "1", "request-1"] {
        check(&|message| message.request_id = Some(id.to_owned()), FieldRefusal::RequestId);
    }
    check(&|message| message.resources = vec!["https://example.org".to_owned()], FieldRefusal::Resources);
}

#[test]
fn signatures_of_another_form_text_or_key_are_refused_each() {
    let sign_in = SignIn::good();
    let text = sign_in.message.to_string();
    let good = sign_in.key.sign_message(text.as_bytes()).to_string();
    let check = |signature: &str, expected: SignatureError| {
        let refused = sign_in.prove_with(&text, &text, signature, NOW);
        assert_eq!(refused, Err(Refusal::Signature(expected)), "{signature}");
    };
    let numbers = &good[2..130];
    let (r, s) = numbers.split_at(64);
    let last = &good[130..];
    for bad in [
        "",
        "0x",
        &good[2..],
        &good[..130],
        &format!("{good}00"),
        &good.replacen("0x", "0X", 1),
        &format!(" {good}"),
        &format!("{good} "),
        &format!("0x{}", "g".repeat(130)),
        &format!("0x+{}", &good[3..]),
        "0xé",
        &format!("0x{}", "é".repeat(65)),
    ] {
        check(bad, SignatureError::Form);
    }
    // EIP-2098 packs the last byte into s, and has 64 bytes.
    check(&format!("0x{numbers}"), SignatureError::Form);
    for v in ["02", "03", "1a", "1d", "1e", "25", "26", "ff", "80"] {
        check(&format!("0x{numbers}{v}"), SignatureError::RecoveryId);
    }
    let zero = "0".repeat(64);
    let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    for (r, s) in
        [(zero.as_str(), s), (r, zero.as_str()), (order, s), (r, order), (&"f".repeat(64), s), (r, &"f".repeat(64))]
    {
        check(&format!("0x{r}{s}{last}"), SignatureError::Range);
    }
    // The twin that every signature has: n - s, and the other key of the two.
    let twin = other_s(s);
    for v in ["1b", "1c", "00", "01"] {
        check(&format!("0x{r}{twin}{v}"), SignatureError::HighS);
    }
    // Formally sound, by another key or of another text.
    let other_key = OwnerKey::from_secret(&[9; 32]).unwrap();
    let flipped = if last == "1b" { "1c" } else { "1b" };
    for signature in [
        other_key.sign_message(text.as_bytes()).to_string(),
        sign_in.key.sign_message(b"another text").to_string(),
        format!("0x{numbers}{flipped}"),
    ] {
        let refused = sign_in.prove_with(&text, &text, &signature, NOW);
        assert!(matches!(refused, Err(Refusal::OtherKey | Refusal::Signature(SignatureError::NoKey))), "{refused:?}");
    }
}

/// `n - s` in hexadecimal digits, counted by hand from the last digit.
fn other_s(s: &str) -> String {
    let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let digits = |text: &str| text.chars().rev().map(|digit| digit.to_digit(16).unwrap() as i32).collect::<Vec<_>>();
    let mut borrow = 0;
    let difference = digits(order).into_iter().zip(digits(s)).map(|(from, take)| {
        let mut digit = from - take - borrow;
        borrow = i32::from(digit < 0);
        digit += 16 * borrow;
        char::from_digit(digit as u32, 16).unwrap()
    });
    difference.collect::<Vec<_>>().into_iter().rev().collect()
}

#[test]
fn a_message_that_is_not_the_one_given_out_is_refused_though_it_is_signed() {
    let sign_in = SignIn::good();
    let stored = sign_in.message.to_string();
    let same_meaning = stored.replace(".000Z", "Z");
    assert_ne!(same_meaning, stored);
    assert_eq!(same_meaning.parse::<SignInMessage>().unwrap(), sign_in.message, "it says the very same");
    let signature = sign_in.key.sign_message(same_meaning.as_bytes()).to_string();
    assert_eq!(sign_in.prove_with(&stored, &same_meaning, &signature, NOW), Err(Refusal::Changed));
    let refused = sign_in.prove_with(&stored, &stored, &signature, NOW);
    assert!(matches!(refused, Err(Refusal::OtherKey | Refusal::Signature(SignatureError::NoKey))), "{refused:?}");
}

#[test]
fn the_reasons_are_words_for_the_log() {
    let refusal = Refusal::Message(MessageError::Version);
    let source = std::error::Error::source(&refusal).unwrap();
    assert_eq!(format!("{refusal}: {source}"), "the message cannot be read: the version is not 1");
}
