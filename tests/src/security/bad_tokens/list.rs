//! The list of bad tokens: one thing is wrong with each.

use aws_lc_rs::{hmac, signature::RSA_PKCS1_SHA256};
use serde_json::{Value, json};

use super::forge::{Forge, encode};

/// A name, and the values of the `Authorization` header, of which there is one but where too many are what is wrong.
type Bad = (String, Vec<String>);

/// Everything that can be wrong with a token of a sort.
pub(super) fn bad_tokens(forge: &Forge, all: &[Forge]) -> Vec<Bad> {
    let mut bad = Vec::new();
    let mut add = |name: String, token: String| {
        bad.push((format!("{}: {name}", forge.sort), vec![format!("Bearer {token}")]));
    };
    heads(forge, &mut add);
    keys(forge, all, &mut add);
    claims(forge, all, &mut add);
    signatures(forge, all, &mut add);
    shapes(forge, &mut add);
    bad.extend(carried(forge));
    bad
}

/// Algorithms, types and key ids; whatever the head says, it is signed with the right key.
fn heads(forge: &Forge, add: &mut impl FnMut(String, String)) {
    let with = |name: &str, value: Value| {
        let mut head = forge.head.clone();
        head[name] = value;
        head
    };
    for alg in ["none", "None", "NONE", "nOnE", "", "RS256 ", "rs256", "HS256", "ES256", "ES256K", "EdDSA", "RSA1_5"] {
        let head = with("alg", json!(alg));
        add(format!("alg {alg:?}"), forge.signed(&head, &forge.claims));
        let unsigned = format!("{}{}.{}.", forge.prefix, encode(head.to_string()), encode(forge.claims.to_string()));
        add(format!("alg {alg:?} and no signature"), unsigned);
    }
    for alg in ["RS384", "RS512", "PS256"] {
        add(format!("alg {alg}"), forge.signed_as(alg, &with("alg", json!(alg))));
        add(format!("signed as {alg}"), forge.signed_as(alg, &forge.head));
    }
    for value in [json!(null), json!(256), json!(["RS256"]), json!({"RS256": 1})] {
        add(format!("alg {value}"), forge.signed(&with("alg", value), &forge.claims));
    }
    for typ in ["JWT", "at+jwt", "engine+jwt", "admin+jwt", "AT+JWT", "application/at+jwt", ""] {
        if forge.head["typ"] != typ {
            add(format!("typ {typ:?}"), forge.signed(&with("typ", json!(typ)), &forge.claims));
        }
    }
    let long = "k".repeat(2_000);
    for kid in ["", "other", "../../../../dev/null", "' OR '1'='1", "0", &long, "jwt/user"] {
        let shown: String = kid.chars().take(20).collect();
        add(format!("kid {shown:?}"), forge.signed(&with("kid", json!(kid)), &forge.claims));
    }
    for name in ["alg", "typ", "kid"] {
        let mut head = forge.head.clone();
        head.as_object_mut().expect("a head is an object").remove(name);
        add(format!("no {name}"), forge.signed(&head, &forge.claims));
        let twice = forge.head.to_string().replacen('{', &format!("{{{name:?}:{},", forge.head[name]), 1);
        add(format!("{name} twice"), forge.signed_text(&twice, &forge.claims.to_string()));
    }
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("enc", json!("A256GCM")),
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/key.pem")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("jwk", forge.web_key()),
    ] {
        add(format!("{name} {value:.40}"), forge.signed(&with(name, value), &forge.claims));
    }
}

/// Signed with what is not the key.
fn keys(forge: &Forge, all: &[Forge], add: &mut impl FnMut(String, String)) {
    let mut head = forge.head.clone();
    for (alg, way) in [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)] {
        head["alg"] = json!(alg);
        for (name, public) in forge.public_forms() {
            add(format!("{alg} with {name}"), forge.with_hmac(way, &public, &head));
        }
        add(format!("{alg} with nothing"), forge.with_hmac(way, b"", &head));
    }
    add("an HMAC under the right alg".to_owned(), forge.with_hmac(hmac::HMAC_SHA256, b"", &forge.head));
    let own = forge.with_own_key();
    let (text, claims) = (forge.head.to_string(), forge.claims.to_string());
    add("another key".to_owned(), forge.signed_by(&own, &RSA_PKCS1_SHA256, &text, &claims));
    for (name, value) in [("jwk", own.web_key()), ("jku", json!("https://evil.example/jwks.json"))] {
        let mut head = forge.head.clone();
        head[name] = value;
        add(format!("another key, in {name}"), forge.signed_by(&own, &RSA_PKCS1_SHA256, &head.to_string(), &claims));
    }
    for other in all.iter().filter(|other| other.sort != forge.sort) {
        let sort = other.sort;
        add(format!("the {sort} key"), forge.signed_by(other, &RSA_PKCS1_SHA256, &text, &claims));
        let theirs = other.head.to_string();
        add(format!("the {sort} key under its own head"), forge.signed_by(other, &RSA_PKCS1_SHA256, &theirs, &claims));
        let mut head = forge.head.clone();
        head["kid"] = other.head["kid"].clone();
        add(format!("the {sort} key by its id"), forge.signed_by(other, &RSA_PKCS1_SHA256, &head.to_string(), &claims));
        add(format!("claims of a token of the {sort} sort"), forge.signed(&forge.head, &other.claims));
    }
}

fn claims(forge: &Forge, all: &[Forge], add: &mut impl FnMut(String, String)) {
    let now = forge.claims["iat"].as_u64().expect("when it was made");
    let mut wrong = vec![
        ("iss", json!("somebody")),
        ("iss", json!("")),
        ("iss", json!(["flowork"])),
        ("aud", json!("everybody")),
        ("aud", json!([forge.claims["aud"], "everybody"])),
        ("aud", json!([])),
        ("sub", json!("")),
        ("sub", json!(1)),
        ("sub", json!(null)),
        ("jti", json!("")),
        ("jti", json!(7)),
        ("exp", json!(now - 60)),
        ("exp", json!(0)),
        ("exp", json!(-1)),
        ("exp", json!("9999999999")),
        ("exp", json!(null)),
        ("exp", json!(1e300)),
        ("exp", json!(u64::MAX)),
        ("exp", json!(now + 40 * 24 * 3_600)),
        ("nbf", json!(now + 3_600)),
        ("nbf", json!("0")),
        ("nbf", json!(u64::MAX)),
        ("iat", json!(now + 3_600)),
        ("iat", json!(u64::MAX)),
        ("iat", json!(-5)),
    ];
    wrong.extend(all.iter().filter(|other| other.sort != forge.sort).map(|other| ("aud", other.claims["aud"].clone())));
    wrong.extend(match forge.sort {
        "user" => vec![
            ("role", json!("root")),
            ("role", json!("Owner")),
            ("role", json!(["owner"])),
            ("role", json!(null)),
            ("sid", json!("ses_01930c5ea2f07a3c8000000000000000")),
            ("sid", json!("x")),
            ("sub", json!("m_01930c5ea2f07a3c8000000000000000")),
        ],
        "engine" => vec![
            ("sub", json!("eng_01930c5ea2f07a3c8000000000000000")),
            ("sub", json!("owner")),
            ("gen", json!(4_000_000_000_u32)),
            ("gen", json!(-1)),
            ("gen", json!("1")),
        ],
        _ => vec![
            ("scopes", json!(["everything"])),
            ("scopes", json!("members:write")),
            ("scopes", json!(null)),
            ("sub", json!("m_01930c5ea2f07a3c8000000000000000")),
            ("sid", json!("ses_01930c5ea2f07a3c8000000000000000")),
        ],
    });
    for (name, value) in wrong {
        let mut claims = forge.claims.clone();
        claims[name] = value.clone();
        add(format!("{name} {value}"), forge.signed(&forge.head, &claims));
    }
    let own = match forge.sort {
        "user" => "role",
        "engine" => "gen",
        _ => "scopes",
    };
    for name in ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", own] {
        let mut claims = forge.claims.clone();
        claims.as_object_mut().expect("claims are an object").remove(name);
        add(format!("no {name}"), forge.signed(&forge.head, &claims));
    }
    for text in ["null", "[]", "\"owner\"", "{}", "", "{\"sub\":"] {
        add(format!("claims {text:?}"), forge.signed_text(&forge.head.to_string(), text));
    }
}

/// The right parts with another signature.
fn signatures(forge: &Forge, all: &[Forge], add: &mut impl FnMut(String, String)) {
    let [head, claims, signature] = forge.parts();
    let with = |signature: &str| format!("{}{head}.{claims}.{signature}", forge.prefix);
    let (first, last) = signature.split_at(signature.len() - 1);
    let flipped = |letter: &str| if letter == "A" { "B" } else { "A" }.to_owned();
    add(
        "the first letter of the signature".to_owned(),
        with(&format!("{}{}", flipped(&signature[..1]), &signature[1..])),
    );
    add("the last letter of the signature".to_owned(), with(&format!("{first}{}", flipped(last))));
    // 256 bytes leave four bits of the last letter over, which say nothing and must be zero.
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = letters.find(last).expect("it is one of them");
    add("bits that are left over".to_owned(), with(&format!("{first}{}", &letters[at + 1..at + 2])));
    for (name, signature) in [
        ("no signature", String::new()),
        ("half a signature", signature[..signature.len() / 2].to_owned()),
        ("a signature and more", format!("{signature}AAAA")),
        ("a signature twice", format!("{signature}{signature}")),
        ("a padded signature", format!("{signature}==")),
        ("a signature of zeros", encode([0; 256])),
        ("a signature of ones", encode([255; 256])),
        ("a signature of one byte", encode([1])),
        ("a signature that is none", "%".repeat(342)),
        ("a signature with a space", format!("{} {}", &signature[..9], &signature[9..])),
    ] {
        add(name.to_owned(), with(&signature));
    }
    let mut stronger = forge.claims.clone();
    stronger["jti"] = json!("another");
    add(
        "other claims under the signature".to_owned(),
        format!("{}{head}.{}.{signature}", forge.prefix, encode(stronger.to_string())),
    );
    for other in all.iter().filter(|other| other.sort != forge.sort) {
        add(format!("the signature of the {} token", other.sort), with(other.parts()[2]));
    }
}

/// Text that is no token.
fn shapes(forge: &Forge, add: &mut impl FnMut(String, String)) {
    let [head, claims, signature] = forge.parts();
    let token = &forge.sound;
    let bare = &token[forge.prefix.len()..];
    for (name, text) in [
        ("empty", String::new()),
        ("one part", head.to_owned()),
        ("two parts", format!("{head}.{claims}")),
        ("four parts", format!("{token}.{signature}")),
        ("five parts", format!("{token}.{head}.{claims}")),
        ("dots", "..".to_owned()),
        ("a dot before it", format!(".{token}")),
        ("a dot after it", format!("{token}.")),
        ("in quotes", format!("\"{token}\"")),
        ("twice", format!("{token},{token}")),
        ("the scheme twice", format!("Bearer {token}")),
        ("in brackets", format!("<{token}>")),
        ("as JSON", json!({"protected": head, "payload": claims, "signature": signature}).to_string()),
        ("very long", format!("{}{}", forge.prefix, "a".repeat(8 << 10))),
        ("long and dotted", format!("{}{}", forge.prefix, "a.".repeat(2_000))),
        ("percent-encoded", token.replace('.', "%2E")),
        ("in upper case", token.to_uppercase()),
        ("with another prefix", format!("{}{bare}", if forge.prefix.is_empty() { "fla_" } else { "" })),
        ("with an engine's prefix", format!("fle_{bare}")),
        ("with the prefix twice", format!("fla_fla_{bare}")),
        ("undefined", "undefined".to_owned()),
        ("null", "null".to_owned()),
    ] {
        add(name.to_owned(), text);
    }
}

/// A sound token in a header that is not.
fn carried(forge: &Forge) -> Vec<Bad> {
    let token = &forge.sound;
    let one = |name: &str, value: String| (format!("{}: {name}", forge.sort), vec![value]);
    vec![
        one("without a scheme", token.clone()),
        one("another scheme", format!("Token {token}")),
        one("basic", format!("Basic {}", encode(format!("owner:{token}")))),
        one("a scheme alone", "Bearer".to_owned()),
        one("something after it", format!("Bearer {token} {token}")),
        (format!("{}: twice", forge.sort), vec![format!("Bearer {token}"), format!("Bearer {token}")]),
        (format!("{}: after a bad one", forge.sort), vec!["Bearer x".to_owned(), format!("Bearer {token}")]),
        (format!("{}: before a bad one", forge.sort), vec![format!("Bearer {token}"), "Bearer x".to_owned()]),
    ]
}
