//! How engines elsewhere are.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How an engine's process and its machine are, as far as it knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Vitals {
    /// Memory its process has in RAM.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    /// Memory of its machine.
    #[serde(default)]
    pub machine_memory_bytes: Option<u64>,
    /// Of that, what is free or can be made so.
    #[serde(default)]
    pub machine_memory_free_bytes: Option<u64>,
    /// The share of its machine's processors that was busy since its last heartbeat, 0 to 1.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1)]
    pub machine_cpu: Option<f64>,
}

impl Vitals {
    /// Numbers as a person can take them, whatever was sent.
    #[must_use]
    pub fn bounded(self) -> Self {
        /// Past this JavaScript can't tell integers apart.
        const BYTES_MAX: u64 = 1 << 53;
        let bytes = |bytes: Option<u64>| bytes.map(|bytes| bytes.min(BYTES_MAX));
        Self {
            memory_bytes: bytes(self.memory_bytes),
            machine_memory_bytes: bytes(self.machine_memory_bytes),
            machine_memory_free_bytes: bytes(self.machine_memory_free_bytes),
            machine_cpu: self.machine_cpu.map(|share| share.clamp(0.0, 1.0)),
        }
    }
}
