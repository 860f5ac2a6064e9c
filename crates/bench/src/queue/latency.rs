//! How long a job waits when nothing else happens: from before the enqueue to its worker's first instruction.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use anyhow::Context;
use async_trait::async_trait;
use flowork_api_types::kind::KindDescriptor;
use flowork_engine::{JobContext, JobFailure, JobKind, KindRegistry};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::node::{caller, new_id, open, request, trace_id};

/// Says when it runs.
struct Stamp {
    descriptor: KindDescriptor,
    ran: Mutex<mpsc::UnboundedSender<Instant>>,
}

#[async_trait]
impl JobKind for Stamp {
    fn descriptor(&self) -> &KindDescriptor {
        &self.descriptor
    }

    async fn run(&self, _: JobContext) -> Result<Value, JobFailure> {
        // The measurement is over when nobody listens.
        let _ = self.ran.lock().unwrap_or_else(PoisonError::into_inner).send(Instant::now());
        Ok(Value::Null)
    }
}

/// Microseconds from enqueue to run, for `jobs` jobs one after another.
pub(crate) async fn idle(directory: &Path, shards: u16, jobs: u64) -> anyhow::Result<Histogram<u64>> {
    let (ran, mut runs) = mpsc::unbounded_channel();
    let registry = KindRegistry::default();
    registry.register(Arc::new(Stamp {
        descriptor: KindDescriptor {
            name: "stamp".to_owned(),
            title: "Stamp".to_owned(),
            description: "Says when it runs.".to_owned(),
            payload_schema: json!({}),
            timeout_ms: 10_000,
        },
        ran: Mutex::new(ran),
    }))?;
    let engines = open(directory, new_id(), shards, 4, registry).await?;
    let mut latency = Histogram::new(3)?;
    for index in 0..jobs {
        let before = Instant::now();
        engines.enqueue(&caller(), &format!("key-{index}"), request("stamp"), trace_id()).await?;
        let ran = runs.recv().await.context("the kind is gone")?;
        latency.record((ran - before).as_micros() as u64)?;
        // Its finish is over before the next begins.
        while engines.list().iter().any(|engine| engine.leased > 0) {
            tokio::task::yield_now().await;
        }
    }
    engines.shutdown().await;
    Ok(latency)
}
