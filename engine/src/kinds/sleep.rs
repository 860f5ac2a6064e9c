//! `sleep`: takes as long as it is told.

use std::time::Duration;

use async_trait::async_trait;
use flowork_api_types::kind::KindDescriptor;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::{JobContext, JobFailure, JobKind};

/// How often a sleeping job says how far it is.
const REPORT_EVERY: Duration = Duration::from_millis(500);

/// Takes `{duration_ms}`; the result is `{slept_ms}`.
pub struct Sleep(KindDescriptor);

impl Default for Sleep {
    fn default() -> Self {
        Self(KindDescriptor {
            name: "sleep".to_owned(),
            title: "Sleep".to_owned(),
            description: "Waits for a while and reports how far it is. For drills and for trying things out."
                .to_owned(),
            payload_schema: json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "required": ["duration_ms"],
                "additionalProperties": false,
                "properties": {
                    "duration_ms": {
                        "type": "integer",
                        "title": "Duration in milliseconds",
                        "minimum": 0,
                        "maximum": 86_400_000,
                        "default": 5000,
                        "examples": [5000]
                    }
                }
            }),
            timeout_ms: 86_400_000,
            reaches_machine: false,
        })
    }
}

#[derive(Deserialize)]
struct Payload {
    duration_ms: u64,
}

#[async_trait]
impl JobKind for Sleep {
    fn descriptor(&self) -> &KindDescriptor {
        &self.0
    }

    async fn run(&self, context: JobContext) -> Result<Value, JobFailure> {
        let Payload { duration_ms } = serde_json::from_value(context.payload)
            .map_err(|error| JobFailure::permanent("INVALID_PAYLOAD", error.to_string()))?;
        let started = Instant::now();
        let end = started + Duration::from_millis(duration_ms);
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(json!({"slept_ms": started.elapsed().as_millis() as u64}));
            }
            let slept_ms = (now - started).as_millis() as u64;
            let message = format!("{slept_ms} of {duration_ms} ms");
            context.reporter.progress(Some(slept_ms as f64 / duration_ms as f64), Some(&message));
            tokio::select! {
                () = sleep_until(end.min(now + REPORT_EVERY)) => {}
                () = context.cancel.cancelled() => {
                    return Err(JobFailure::retryable("INTERRUPTED", format!("was interrupted after {slept_ms} ms")));
                }
            }
        }
    }
}
