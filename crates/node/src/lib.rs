//! Composes a node from its parts, once, for the `flowork` binary and the desktop app alike.
//!
//! [`Config`] says how, [`Node::start`] does it, [`NodeHandle`] stops it. [`access`] is for programs on the same
//! machine that talk to the node with rights of their own, such as the command line.
//!
//! Not here: rules about jobs (the engine), routes (the gateway), anything a person types.

pub mod access;
pub mod audit;
pub mod config;
pub mod owner_key;

mod data_dir;
mod instance_lock;
mod kinds;
mod logs;
mod node;
mod open_files;
mod port;
mod reset;
mod signing_keys;
mod start_error;

pub use config::{Config, ConfigError, Flags};
pub use data_dir::{DataDir, DataDirError};
pub use instance_lock::{Holder, InstanceLock, LockError};
pub use kinds::EngineKinds;
pub use logs::{LogError, LogGuard, log_beside_node, log_to_stderr};
pub use node::{Node, NodeHandle, ShutdownOutcome};
pub use port::PortHolder;
pub use reset::{Reset, ResetError, reset_access};
pub use start_error::StartError;

/// Which keys a reset takes away, too.
pub use flowork_control::Forget;
/// The GUI's own API document, made from the routes.
pub use flowork_gateway::openapi;
/// The version of the SQLite that is linked in.
pub use flowork_sqlite::sqlite_version;
