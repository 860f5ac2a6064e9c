//! Job kinds that reach outside the engine: HTTP, language models, programs and users' modules.
//!
//! [`register_builtin`] adds `http.request`, `llm.chat`, `llm.embed` and, if it is turned on, `command.run`;
//! [`ModuleHost`] adds a `module.<id>` for each folder of the modules directory and follows its changes. Everything that
//! goes out on a user's behalf goes through `flowork-egress`.
//!
//! Not here: queues, leases, retries (the engine).

#![allow(clippy::result_large_err, reason = "a failure is made once an attempt; boxes would be noise in every kind")]

mod command_run;
mod failure;
#[doc(hidden)]
pub mod fuzzing;
mod http_request;
mod json_text;
mod llm;
mod llm_chat;
mod llm_embed;
mod modules;
mod process;

use std::sync::Arc;

use flowork_egress::{Egress, EgressPolicy};
use flowork_engine::{KindRegistry, kind::InvalidSchemaError};

pub use command_run::{CommandOptions, CommandRun};
pub use http_request::HttpRequest;
pub use llm::{Api, ApiKey, InvalidProviderError, Provider, ProviderOptions, Providers};
pub use llm_chat::LlmChat;
pub use llm_embed::LlmEmbed;
pub use modules::{
    Finding, FindingLevel, ManifestError, ModuleHost, ModuleHostError, ModuleOptions, ModuleReport, NewModuleError,
    Notice, ParseTemplateError, RunReport, Template, check_module, new_module,
};
pub use process::end_orphans;

/// What the built-in kinds need from the configuration.
#[derive(Debug, Default)]
pub struct KindsOptions {
    /// What may be reached beyond the public internet.
    pub egress: EgressPolicy,
    /// Language models.
    pub providers: Providers,
    /// What `command.run` may do; without it there is no such kind.
    pub commands: Option<CommandOptions>,
}

/// Adds `http.request`, `llm.chat`, `llm.embed`, and `command.run` where the owner allows it.
///
/// # Errors
/// Never in practice: their schemas are constants, and a test registers them.
pub fn register_builtin(registry: &KindRegistry, options: KindsOptions) -> Result<(), InvalidSchemaError> {
    registry.register(Arc::new(HttpRequest::new(Egress::new(options.egress.clone()))))?;
    registry.register(Arc::new(LlmChat::new(options.providers.clone(), &options.egress)))?;
    registry.register(Arc::new(LlmEmbed::new(options.providers, &options.egress)))?;
    match options.commands {
        Some(commands) => registry.register(Arc::new(CommandRun::new(commands))),
        None => Ok(()),
    }
}
