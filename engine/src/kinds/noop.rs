//! `noop`: gives its payload back.

use async_trait::async_trait;
use flowork_api_types::kind::KindDescriptor;
use serde_json::{Value, json};

use crate::{JobContext, JobFailure, JobKind};

/// Takes any JSON; the result is `{"echo": payload}`.
pub struct Noop(KindDescriptor);

impl Default for Noop {
    fn default() -> Self {
        Self(KindDescriptor {
            name: "noop".to_owned(),
            title: "Do nothing".to_owned(),
            description: "Takes any JSON and gives it back. For benchmarks and drills.".to_owned(),
            payload_schema: json!({"$schema": "https://json-schema.org/draft/2020-12/schema"}),
            timeout_ms: 10_000,
            reaches_machine: false,
        })
    }
}

#[async_trait]
impl JobKind for Noop {
    fn descriptor(&self) -> &KindDescriptor {
        &self.0
    }

    async fn run(&self, context: JobContext) -> Result<Value, JobFailure> {
        Ok(json!({"echo": context.payload}))
    }
}
