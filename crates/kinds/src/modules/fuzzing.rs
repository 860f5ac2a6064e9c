//! What a module writes, without a module.

use flowork_engine::Reporter;

use super::{manifest::parse, run};

/// Reads `bytes` as what a module wrote to stdout, and says whether it was within the bounds.
pub async fn output(bytes: &[u8], output_bytes_max: u64) -> bool {
    run::take_output(bytes, output_bytes_max, Reporter::default()).await.is_ok()
}

/// Reads `text` as the manifest of a module, and says whether it is one.
pub fn manifest(text: &str) -> bool {
    parse(text).is_ok()
}
