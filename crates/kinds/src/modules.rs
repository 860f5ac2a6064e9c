//! `module.<id>`: a user's program in a folder, run as a child process.
//!
//! [`manifest`] reads and checks a folder, [`run`] starts its program and speaks the protocol of [`protocol`], [`host`]
//! keeps the kinds in step with the modules directory.
//! [`check`] and [`template`] are for people who write modules.
//!
//! What a manifest declares under `permissions` is shown to people and not enforced: a module may do whatever the user
//! that runs the node may do.

mod check;
mod environment;
pub(crate) mod fuzzing;
mod host;
mod lines;
mod manifest;
mod protocol;
mod run;
mod template;

use std::path::PathBuf;

pub use check::{Finding, FindingLevel, ModuleReport, RunReport, check_module};
pub use host::{ModuleHost, ModuleHostError, Notice};
pub use manifest::ManifestError;
pub use template::{NewModuleError, ParseTemplateError, Template, new_module};

/// What modules need from the configuration.
#[derive(Clone, Debug, Default)]
pub struct ModuleOptions {
    /// `egress.allow_hosts`, handed to each module in its request as `policy.allow_hosts`.
    pub allow_hosts: Vec<String>,
    /// What `{flowork}` stands for in a command; the running program if `None`.
    pub program: Option<PathBuf>,
    /// Where each attempt gets an empty folder of its own; the system's temporary folder if `None`.
    pub work_dir: Option<PathBuf>,
    /// Where running modules are recorded for [`end_orphans`](crate::end_orphans); nowhere if `None`. It exists.
    pub pid_dir: Option<PathBuf>,
}
