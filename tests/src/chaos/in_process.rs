//! The engine without a node around it: for disks that are looked at by the hundred, and for clocks that are set.

use std::path::Path;

use flowork_engine::{Clock, EngineSpec, Engines, EnginesOptions, KindRegistry, OpenError, jobs::Caller, kinds};

/// Jobs that may wait: more than any suite enqueues.
const HARD_CAP: u64 = 10_000_000;

/// Opens one engine's shards; nothing runs in this process.
pub(super) async fn open(shards_dir: &Path, spec: EngineSpec, clock: Clock) -> Result<Engines, OpenError> {
    let registry = KindRegistry::default();
    kinds::register(&registry).expect("the built-in kinds have schemas");
    let options = EnginesOptions {
        shards_dir: shards_dir.to_owned(),
        engines: vec![spec],
        workers: 0,
        autoscale: None,
        draining: false,
        queue_hard_cap: HARD_CAP,
        clock,
        retention: flowork_engine::Retention::default(),
    };
    Engines::open(options, registry).await
}

/// Somebody who sees everything.
pub(super) fn owner() -> Caller {
    Caller { subject: "owner".into(), sees_all: true, may_act: true }
}
