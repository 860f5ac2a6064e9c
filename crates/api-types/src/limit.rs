//! Limits on how much runs at once and how often something starts, and what they count.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

use crate::Timestamp;

/// The longest name behind the colon of a [`LimitTarget`], in bytes.
pub const TARGET_NAME_BYTES_MAX: usize = 255;

/// What a limit counts: all jobs of a kind, of a user, of a queue, of a provider, or with a concurrency key.
///
/// As text it is `kind:llm.chat`, `user:<created_by>`, `queue:mail`, `provider:openai` or `key:<concurrency_key>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitTarget {
    /// Jobs of this kind.
    Kind(String),
    /// Jobs that this caller enqueued.
    User(String),
    /// Jobs in this queue.
    Queue(String),
    /// Jobs that ask this provider of language models.
    Provider(String),
    /// Jobs with this `concurrency_key`.
    Key(String),
}

impl LimitTarget {
    /// The word before the colon, and the name behind it.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Kind(name) => ("kind", name),
            Self::User(name) => ("user", name),
            Self::Queue(name) => ("queue", name),
            Self::Provider(name) => ("provider", name),
            Self::Key(name) => ("key", name),
        }
    }
}

impl fmt::Display for LimitTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, name) = self.parts();
        write!(f, "{word}:{name}")
    }
}

/// Text that names nothing a limit can count.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a limit's target; targets are kind:…, user:…, queue:…, provider:… and key:…")]
pub struct ParseLimitTargetError(String);

impl FromStr for LimitTarget {
    type Err = ParseLimitTargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseLimitTargetError(text.chars().take(100).collect());
        let (word, name) = text.split_once(':').ok_or_else(bad)?;
        if name.is_empty() || name.len() > TARGET_NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(bad());
        }
        let name = name.to_owned();
        Ok(match word {
            "kind" => Self::Kind(name),
            "user" => Self::User(name),
            "queue" => Self::Queue(name),
            "provider" => Self::Provider(name),
            "key" => Self::Key(name),
            _ => return Err(bad()),
        })
    }
}

impl Serialize for LimitTarget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LimitTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl PartialSchema for LimitTarget {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^(kind|user|queue|provider|key):.+$"))
            .examples([serde_json::json!("kind:llm.chat")])
            .into()
    }
}

impl ToSchema for LimitTarget {}

/// How often something may start: a bucket of `count` starts that refills evenly within `per_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Starts a period; also how many may come at once after a rest.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub count: u32,
    /// The period.
    #[schema(minimum = 1, maximum = 86_400_000)]
    pub per_ms: u64,
}

/// One limit. All workers of an engine share it, and it can be changed while they run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitRule {
    /// What it counts.
    pub target: LimitTarget,
    /// Jobs that may run at once; no bound without it. 0 holds all of them back.
    pub concurrency: Option<u32>,
    /// Starts a period; no bound without it.
    pub rate: Option<Rate>,
}

/// The most rules one node holds.
pub const LIMITS_MAX: usize = 1_000;

/// Body of `PUT /v1/limits/{target}`. At least one of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetLimitRequest {
    /// Jobs that may run at once; no bound without it. 0 holds all of them back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 1_000_000)]
    pub concurrency: Option<u32>,
    /// Starts a period; no bound without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

/// What the caller may do about limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitAction {
    /// `PUT /v1/limits/{target}`
    Set,
    /// `DELETE /v1/limits/{target}`
    Remove,
}

/// A rule as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Limit {
    /// What it counts and how much it lets pass.
    #[serde(flatten)]
    pub rule: LimitRule,
    /// Jobs that count against it now.
    pub running: u32,
    /// When it was last set.
    pub set_at: Timestamp,
    /// What the caller may do with it.
    pub allowed_actions: Vec<LimitAction>,
}

/// Answer of `GET /v1/limits`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LimitList {
    /// By target.
    pub items: Vec<Limit>,
    /// What the caller may do with targets that have no rule yet.
    pub allowed_actions: Vec<LimitAction>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_they_are_written() {
        for text in ["kind:llm.chat", "user:usr:with:colons", "queue:mail", "provider:openai", "key:tenant 7"] {
            assert_eq!(text.parse::<LimitTarget>().unwrap().to_string(), text);
        }
        for bad in ["", "kind", "kind:", "tenant:x", "key:\n"] {
            assert!(bad.parse::<LimitTarget>().is_err(), "{bad:?}");
        }
    }
}
