//! The two kinds that need nothing from outside: for benchmarks and drills.

mod noop;
mod sleep;

use std::sync::Arc;

pub use noop::Noop;
pub use sleep::Sleep;

use crate::{KindRegistry, kind::InvalidSchemaError};

/// Adds `noop` and `sleep`.
///
/// # Errors
/// Never in practice: their schemas are constants, and a test registers them.
pub fn register(registry: &KindRegistry) -> Result<(), InvalidSchemaError> {
    registry.register(Arc::new(Noop::default()))?;
    registry.register(Arc::new(Sleep::default()))
}
