//! Entries in the form of CloudEvents 1.0, for other programs that keep logs.
//!
//! Source: github.com/cloudevents/spec, v1.0.2, and its JSON format.

use flowork_api_types::audit::{AuditEntry, AuditHead};
use serde_json::{Value, json};

/// How the type of each event begins; the action follows.
pub const EVENT_TYPE_PREFIX: &str = "dev.flowork.audit.";

/// An entry as an event. `log` names the log it is from, so that source and id together name the entry.
pub(crate) fn of_entry(log: &str, entry: &AuditEntry) -> Value {
    let mut event = json!({
        "specversion": "1.0",
        "id": entry.seq.to_string(),
        "source": source(log),
        "type": format!("{EVENT_TYPE_PREFIX}{}", entry.action),
        "time": entry.at,
        "datacontenttype": "application/json",
        "data": entry,
    });
    // Attributes have no null.
    if let Some(object) = entry.object.as_ref().filter(|object| !object.is_empty()) {
        event["subject"] = Value::from(object.clone());
    }
    event
}

/// A signed head as an event. Whoever has the entries and the heads can tell that the last entry of each day is the one
/// that the owner signed.
pub(crate) fn of_head(log: &str, head: &AuditHead) -> Value {
    json!({
        "specversion": "1.0",
        "id": format!("head-{}", head.number),
        "source": source(log),
        "type": format!("{EVENT_TYPE_PREFIX}head"),
        "subject": head.day,
        "datacontenttype": "application/json",
        "data": head,
    })
}

fn source(log: &str) -> String {
    format!("urn:flowork:audit:{log}")
}
