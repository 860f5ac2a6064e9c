//! For commands that open a node's files themselves, which nobody else may do meanwhile.

use flowork_engine::clock::wall_now;
use flowork_node::{Config, InstanceLock, LockError};

use crate::exit::{Exit, Failure};

/// Keeps every node from starting, for as long as it is held. `hint`: what to do where one runs.
pub(crate) fn lock(config: &Config, hint: &str) -> Result<InstanceLock, Failure> {
    // The lock would make its file in a directory that is none of ours.
    if !config.data_dir.is_dir() {
        let message = format!("there is no directory {}", config.data_dir.display());
        let failure = Failure::new(Exit::NotFound, "DATA_DIR", message);
        return Err(failure.hint("name the right --data-dir".to_owned()));
    }
    InstanceLock::take(&config.data_dir, wall_now()).map_err(|error| {
        let exit = if matches!(error, LockError::Held { .. }) { Exit::Taken } else { Exit::Failed };
        Failure::from_error(exit, "NODE_RUNNING", &error).hint(hint.to_owned())
    })
}
