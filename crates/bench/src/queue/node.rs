//! Engines on fresh files.

use std::{path::Path, sync::Arc};

use flowork_api_types::{EngineId, engine::EngineLocation, job::EnqueueRequest};
use flowork_engine::{Clock, EngineSpec, Engines, EnginesOptions, KindRegistry, jobs::Caller};

/// A new engine's id; its files are named by it.
pub(crate) fn new_id() -> EngineId {
    EngineId::from_uuid(uuid::Uuid::now_v7())
}

/// Opens one local engine below `directory`.
pub(crate) async fn open(
    directory: &Path,
    id: EngineId,
    shards: u16,
    workers: u32,
    kinds: KindRegistry,
) -> anyhow::Result<Engines> {
    let spec = EngineSpec { id, slot: 0, name: "bench".to_owned(), location: EngineLocation::Local, shards };
    let options = EnginesOptions {
        shards_dir: directory.to_owned(),
        engines: vec![spec],
        workers,
        queue_hard_cap: u64::MAX,
        clock: Clock::System,
    };
    Ok(Engines::open(options, kinds).await?)
}

/// Who enqueues.
pub(crate) fn caller() -> Caller {
    Caller { subject: Arc::from("bench"), sees_all: true, may_act: true }
}

/// A small job, as most are.
pub(crate) fn request(kind: &str) -> EnqueueRequest {
    let body = serde_json::json!({"kind": kind, "payload": {"to": "someone@example.test", "template": "welcome"}});
    serde_json::from_value(body).expect("a constant request is valid")
}

/// A trace id that nobody follows.
pub(crate) fn trace_id() -> String {
    "0".repeat(32)
}
