//! Details as they may be kept: without secrets, and short.

use flowork_api_types::audit::AUDIT_DETAIL_BYTES_MAX;
use serde_json::{Map, Value};

/// What stands for something that is not kept.
const LEFT_OUT: &str = "[left out]";
/// The longest text within details, in characters.
const TEXT_CHARS_MAX: usize = 512;
/// How deep details go.
const DEPTH_MAX: usize = 6;

/// Parts of names whose values are secrets.
const SECRET_NAMES: &[&str] = &[
    "token",
    "secret",
    "password",
    "passphrase",
    "private",
    "signature",
    "credential",
    "authorization",
    "api_key",
    "apikey",
    "keystore",
    "mnemonic",
    "ticket",
    "pairing_code",
];
/// How our own secrets begin, and those of others that people paste.
const SECRET_STARTS: &[&str] = &["fle_", "fla_", "flr_", "flc_", "flt_", "eyJ", "sk-", "Bearer ", "-----BEGIN"];

/// How a link that signs somebody in gives its code.
const PAIRING_LINK: &str = "#pair=";
/// How long a pairing code is: 32 bytes in hexadecimal digits.
const PAIRING_CODE_DIGITS: usize = 64;

/// The details as JSON text of at most [`AUDIT_DETAIL_BYTES_MAX`] bytes.
pub(crate) fn to_text(detail: &Value) -> String {
    let text = redacted(detail, 0).to_string();
    if text.len() <= AUDIT_DETAIL_BYTES_MAX {
        return text;
    }
    let names: Vec<&String> = detail.as_object().map(|object| object.keys().take(20).collect()).unwrap_or_default();
    let short = serde_json::json!({"too_long_bytes": text.len(), "fields": names});
    let short = redacted(&short, 0).to_string();
    if short.len() <= AUDIT_DETAIL_BYTES_MAX { short } else { r#"{"too_long":true}"#.to_owned() }
}

fn redacted(value: &Value, depth: usize) -> Value {
    match value {
        _ if depth > DEPTH_MAX => Value::from(LEFT_OUT),
        Value::Object(fields) => {
            let kept = fields.iter().map(|(name, value)| {
                let value = if is_secret_name(name) && !is_harmless(value) {
                    Value::from(LEFT_OUT)
                } else {
                    redacted(value, depth + 1)
                };
                (name.clone(), value)
            });
            Value::Object(kept.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(|item| redacted(item, depth + 1)).collect(),
        Value::String(text) if is_secret(text) => Value::from(LEFT_OUT),
        Value::String(text) if text.chars().count() > TEXT_CHARS_MAX => {
            Value::from(text.chars().take(TEXT_CHARS_MAX).chain(['…']).collect::<String>())
        }
        other => other.clone(),
    }
}

/// Whether a text is a secret, as far as that can be seen.
fn is_secret(text: &str) -> bool {
    let text = text.trim();
    SECRET_STARTS.iter().any(|start| text.starts_with(start)) || is_pairing_code(text) || text.contains(PAIRING_LINK)
}

/// What has a secret's place in an entry, or the text as it is.
pub(crate) fn without_secret(text: String) -> String {
    // An object may be several ids with slashes between them.
    if text.split('/').any(is_secret) || is_secret(&text) { LEFT_OUT.to_owned() } else { text }
}

/// Ids are shorter, and addresses of keys, too.
fn is_pairing_code(text: &str) -> bool {
    text.len() == PAIRING_CODE_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// Counts and flags tell no secret.
fn is_harmless(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(_) | Value::Number(_))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_left_out_wherever_they_stand() {
        let detail = json!({
            "name": "ada",
            "engine_token": "fle_1_2",
            "tokens_revoked": 3,
            "nested": [{"Passphrase": "hunter2"}, "flr_hunter2", "Bearer hunter2", " eyJhunter2"],
        });
        let text = to_text(&detail);
        assert!(!text.contains("hunter2") && !text.contains("fle_"), "{text}");
        assert!(text.contains(r#""name":"ada""#) && text.contains(r#""tokens_revoked":3"#), "{text}");
    }

    #[test]
    fn tickets_and_pairing_codes_are_left_out_of_details_and_objects() {
        let code = "0123456789abcdef".repeat(4);
        let secrets = ["flt_hunter2".to_owned(), code.clone(), format!("http://127.0.0.1:1/#pair={code}")];
        for secret in secrets {
            assert_eq!(to_text(&json!([secret])), r#"["[left out]"]"#);
            assert_eq!(without_secret(secret.clone()), LEFT_OUT);
            assert_eq!(without_secret(format!("m_1/{secret}")), LEFT_OUT);
        }
        for kept in
            ["m_0123456789abcdef0123456789abcdef/0xab", "mail", "sha256", "01890a5d-ac96-774b-bcce-b302099a8057"]
        {
            assert_eq!(without_secret(kept.to_owned()), kept);
        }
    }

    #[test]
    fn details_never_exceed_their_bound() {
        let long = |count: usize| json!({"list": vec!["x".repeat(100); count]});
        for (count, named) in [(1, false), (200, true), (20_000, true)] {
            let text = to_text(&long(count));
            assert!(text.len() <= AUDIT_DETAIL_BYTES_MAX);
            assert_eq!(text.contains("too_long_bytes"), named);
            assert!(serde_json::from_str::<Value>(&text).is_ok());
        }
        let names: Map<_, _> = (0..30).map(|index| (format!("{index}{}", "n".repeat(400)), json!(1))).collect();
        assert!(to_text(&Value::Object(names)).len() <= AUDIT_DETAIL_BYTES_MAX);
    }
}
