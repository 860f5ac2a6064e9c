//! Language models: who answers, and what happens when nobody does. `llm.chat` and `llm.embed` stand on it.
//!
//! [`provider`] is what the owner configures. [`route`] asks a provider, asks it again, and goes on to its fallbacks.
//! [`admission`] keeps a provider's limits and its [`breaker`]; all workers of a process share them. [`call`] is one
//! HTTP exchange, [`sse`] a stream of events in its answer, and [`trouble`] says what a failed one means for the next.
//! What is said over it is up to the kinds.

pub(crate) mod admission;
pub(crate) mod backoff;
pub(crate) mod breaker;
pub(crate) mod call;
pub(crate) mod provider;
pub(crate) mod route;
mod schema;
pub(crate) mod sse;
pub(crate) mod trouble;

pub use provider::{Api, ApiKey, InvalidProviderError, Provider, ProviderOptions, Providers};
