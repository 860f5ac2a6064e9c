//! `flowork version`

use serde_json::json;

use crate::{exit::Failure, output::Format, version::VERSION};

pub(super) fn run(format: Format) -> Result<(), Failure> {
    let document = json!({"version": env!("CARGO_PKG_VERSION"), "sqlite_version": flowork_node::sqlite_version()});
    format.print(&document, |_| format!("flowork {}", *VERSION))
}
