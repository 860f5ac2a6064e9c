//! Job kinds as clients see them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{EngineId, auth::Role};

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
    /// Whether it reaches what is on the machine: its programs, its files. Then only the owner and operators may enqueue
    /// it, unless the owner decides otherwise. An engine that does not say is taken to mean yes.
    #[serde(default = "unless_it_says")]
    pub reaches_machine: bool,
}

const fn unless_it_says() -> bool {
    true
}

impl KindDescriptor {
    /// Who may enqueue jobs of it where the owner has not decided, strongest first.
    pub fn default_roles(&self) -> &'static [Role] {
        default_roles(self.reaches_machine)
    }
}

/// Who may enqueue jobs of a kind where the owner has not decided, strongest first.
pub const fn default_roles(reaches_machine: bool) -> &'static [Role] {
    if reaches_machine { &[Role::Owner, Role::Operator] } else { &[Role::Owner, Role::Operator, Role::Member] }
}

/// A kind and who runs it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Kind {
    /// What it is.
    #[serde(flatten)]
    pub descriptor: KindDescriptor,
    /// Engines that run it now.
    pub engine_ids: Vec<EngineId>,
    /// Who may enqueue jobs of it, strongest first.
    pub roles: Vec<Role>,
    /// Whether the owner decided so; else it is what the kind asks for.
    pub roles_decided: bool,
    /// What the caller may do with it: `enqueue`, `set_roles`.
    pub allowed_actions: Vec<String>,
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
    /// Modules on this machine that can't be used, and why; for the owner and operators, and empty for all others.
    pub broken_modules: Vec<BrokenModule>,
}
