//! Starts real nodes, and stand-ins for third parties that can't be reached from a test. For tests only.
//!
//! A [`TestNode`] is the real `flowork` binary with a data directory, a vault and a port of its own. What is faked is
//! only what is somebody else's: [`LlmStandIn`] speaks a language model's protocol on loopback, [`AccessIssuer`] is
//! Cloudflare Access.

mod access;
mod llm;
mod node;
pub mod sessions;

pub use access::{AccessIssuer, AccessKey};
pub use llm::{LlmBehavior, LlmStandIn};
pub use node::{NotReady, TestHome, TestNode, flowork, output_of};
