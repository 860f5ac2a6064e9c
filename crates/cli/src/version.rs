//! What this binary is made of.

use std::sync::LazyLock;

/// For `--version` and `flowork version`.
pub(crate) static VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{} (SQLite {})", env!("CARGO_PKG_VERSION"), flowork_node::sqlite_version()));
