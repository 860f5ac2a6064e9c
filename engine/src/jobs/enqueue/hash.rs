//! What makes two requests the same: a hash of all that they ask for.

use std::collections::BTreeMap;

use flowork_api_types::job::{BatchRequest, EnqueueRequest};
use serde_json::Value;

/// The same for two requests that mean the same, whatever the order of their object keys.
pub(super) fn body_hash(request: &EnqueueRequest) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let body = serde_json::to_value(request).expect("a request is always JSON");
    hash_value(&mut hasher, &body);
    *hasher.finalize().as_bytes()
}

/// The same for two batches with the same jobs under the same keys in the same order, and the same callback. As they were
/// sent: what is wrong with an entry, or may become right about it, changes nothing.
pub(in crate::jobs) fn batch_hash(request: &BatchRequest) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(request.jobs.len() as u64).to_le_bytes());
    for entry in &request.jobs {
        hash_text(&mut hasher, &entry.idempotency_key);
        hash_value(&mut hasher, &entry.job);
    }
    if let Some(callback) = &request.callback {
        hasher.update(&body_hash(callback));
    }
    *hasher.finalize().as_bytes()
}

fn hash_value(hasher: &mut blake3::Hasher, value: &Value) {
    match value {
        Value::Object(map) => {
            hasher.update(b"{");
            hasher.update(&(map.len() as u64).to_le_bytes());
            let mut hash_member = |(key, value): (&String, &Value)| {
                hash_text(hasher, key);
                hash_value(hasher, value);
            };
            // serde_json keeps insertion order when any crate of the build asks it to.
            if map.keys().is_sorted() {
                map.iter().for_each(&mut hash_member);
            } else {
                map.iter().collect::<BTreeMap<_, _>>().into_iter().for_each(&mut hash_member);
            }
        }
        Value::Array(items) => {
            hasher.update(b"[");
            hasher.update(&(items.len() as u64).to_le_bytes());
            for item in items {
                hash_value(hasher, item);
            }
        }
        Value::String(text) => {
            hasher.update(b"\"");
            hash_text(hasher, text);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            hasher.update(b"=");
            hash_text(hasher, &value.to_string());
        }
    }
}

fn hash_text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(body: Value) -> EnqueueRequest {
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn requests_that_mean_the_same_have_one_hash() {
        let a: EnqueueRequest =
            serde_json::from_str(r#"{"kind":"noop","payload":{"a":1,"b":{"x":[1,2],"y":null}}}"#).unwrap();
        let b: EnqueueRequest =
            serde_json::from_str(r#"{"payload":{"b":{"y":null,"x":[1,2]},"a":1},"kind":"noop"}"#).unwrap();
        assert_eq!(body_hash(&a), body_hash(&b));
    }

    #[test]
    fn requests_that_differ_anywhere_have_different_hashes() {
        let bodies = [
            json!({"kind": "noop"}),
            json!({"kind": "noop", "payload": []}),
            json!({"kind": "noop", "payload": [[]]}),
            json!({"kind": "noop", "payload": "1"}),
            json!({"kind": "noop", "payload": 1}),
            json!({"kind": "noop", "payload": {"a": "b"}}),
            json!({"kind": "noop", "payload": {"ab": ""}}),
            json!({"kind": "noop", "priority": 1}),
            json!({"kind": "noop", "attempts_max": 1}),
            json!({"kind": "noop", "tags": ["a"]}),
        ];
        let hashes: std::collections::HashSet<_> =
            bodies.iter().cloned().map(|body| body_hash(&request(body))).collect();
        assert_eq!(hashes.len(), bodies.len());
    }

    fn batch(body: Value) -> BatchRequest {
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn batches_that_differ_in_a_key_a_job_or_the_callback_have_different_hashes() {
        let entry = |key: &str, kind: &str| json!({"idempotency_key": key, "kind": kind});
        let callback = json!({"kind": "noop"});
        let bodies = [
            json!({"jobs": []}),
            json!({"jobs": [], "callback": callback}),
            json!({"jobs": [], "callback": {"kind": "noop", "payload": 1}}),
            json!({"jobs": [entry("a", "x")]}),
            json!({"jobs": [entry("a", "x")], "callback": callback}),
            json!({"jobs": [entry("b", "x")]}),
            json!({"jobs": [entry("a", "y")]}),
            json!({"jobs": [entry("a", "x"), entry("b", "x")]}),
            json!({"jobs": [entry("b", "x"), entry("a", "x")]}),
        ];
        let hashes: std::collections::HashSet<_> =
            bodies.iter().cloned().map(|body| batch_hash(&batch(body))).collect();
        assert_eq!(hashes.len(), bodies.len());
        assert_eq!(batch_hash(&batch(bodies[4].clone())), batch_hash(&batch(bodies[4].clone())));
    }
}
