//! Job kinds as clients see them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::EngineId;

/// A type of work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KindDescriptor {
    /// `noop`, `http.request`, `module.<id>` …
    pub name: String,
    /// A few words for a person.
    pub title: String,
    /// What it does, in a sentence or two.
    pub description: String,
    /// JSON Schema (2020-12) that a payload must meet. Forms are made from it.
    #[schema(value_type = Object)]
    pub payload_schema: Value,
    /// The longest an attempt may take where the job does not say.
    pub timeout_ms: u64,
}

/// A kind and who runs it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Kind {
    /// What it is.
    #[serde(flatten)]
    pub descriptor: KindDescriptor,
    /// Engines that run it now.
    pub engine_ids: Vec<EngineId>,
}

/// A module that is there but can't be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BrokenModule {
    /// Its folder's name.
    pub id: String,
    /// Why it can't be used.
    pub reason: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// Answer of `GET /v1/kinds`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct KindList {
    /// By name.
    pub items: Vec<Kind>,
    /// Modules on this machine that can't be used, and why.
    pub broken_modules: Vec<BrokenModule>,
}
