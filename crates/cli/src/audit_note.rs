//! What a command does with the node's secrets itself, for the audit log.

use flowork_node::{Config, audit};
use serde_json::Value;

use crate::exit::{Exit, Failure};

/// Leaves a note for the node, which writes it to the audit log. What is not noted is not to be given out.
pub(crate) fn leave(config: &Config, action: &str, detail: &Value) -> Result<(), Failure> {
    audit::note(config, action, detail).map_err(|error| {
        let message = format!("this can't be noted for the audit log in {}: {error}", config.data_dir.display());
        Failure::new(Exit::Failed, "AUDIT", message)
            .hint("run this as the account that the node runs as, on a disk with room".to_owned())
    })
}
