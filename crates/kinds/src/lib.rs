//! Job kinds that reach outside the engine: HTTP, language models and users' modules.
//!
//! [`register_builtin`] adds `http.request` and `llm.chat`; [`ModuleHost`] adds a `module.<id>` for each folder of the
//! modules directory and follows its changes. Everything that goes out on a user's behalf goes through
//! `flowork-egress`.
//!
//! Not here: queues, leases, retries (the engine).

#![allow(clippy::result_large_err, reason = "a failure is made once an attempt; boxes would be noise in every kind")]

mod failure;
mod http_request;
mod llm_chat;
mod modules;

use std::sync::Arc;

use flowork_egress::{Egress, EgressPolicy};
use flowork_engine::{KindRegistry, kind::InvalidSchemaError};

pub use http_request::HttpRequest;
pub use llm_chat::{ApiKey, InvalidProviderError, LlmChat, Provider, Providers};
pub use modules::{
    Finding, FindingLevel, ManifestError, ModuleHost, ModuleHostError, ModuleOptions, ModuleReport, NewModuleError,
    Notice, ParseTemplateError, RunReport, Template, check_module, end_orphans, new_module,
};

/// What the built-in kinds need from the configuration.
#[derive(Debug, Default)]
pub struct KindsOptions {
    /// What may be reached beyond the public internet.
    pub egress: EgressPolicy,
    /// Language models.
    pub providers: Providers,
}

/// Adds `http.request` and `llm.chat`.
///
/// # Errors
/// Never in practice: their schemas are constants, and a test registers them.
pub fn register_builtin(registry: &KindRegistry, options: KindsOptions) -> Result<(), InvalidSchemaError> {
    registry.register(Arc::new(HttpRequest::new(Egress::new(options.egress.clone()))))?;
    registry.register(Arc::new(LlmChat::new(options.providers, &options.egress)))
}
