//! Opening the stores of a node.

use std::time::Duration;

use flowork_api_types::{Timestamp, engine::EngineLocation};
use flowork_control::{ControlStore, Policies};
use flowork_engine::{Clock, EngineSpec, Engines, EnginesOptions, KindRegistry, Retention};
use flowork_sync::{Sessions, SyncOptions};

use crate::{config::Config, data_dir::DataDir, start_error::StartError};

/// The engine every node has, in its own process.
const LOCAL_ENGINE: &str = "local";

pub(super) async fn open_stores(
    config: &Config,
    data_dir: &DataDir,
    clock: &Clock,
    registry: KindRegistry,
) -> Result<(ControlStore, Engines), StartError> {
    let control = ControlStore::open(&data_dir.control_db()).await.map_err(StartError::Control)?;
    if let Err(error) = ensure_local_engine(&control, config.shards, clock.now()).await {
        control.close().await;
        return Err(StartError::LocalEngine(error));
    }
    let engines = control.engines().into_iter().map(|record| EngineSpec {
        id: record.id,
        slot: record.slot,
        name: record.name,
        location: record.location,
        shards: record.shards,
    });
    let options = EnginesOptions {
        shards_dir: data_dir.shards(),
        engines: engines.collect(),
        workers: config.workers,
        autoscale: config.autoscale,
        // Nothing is claimed before it is known what people decided about the work.
        draining: true,
        queue_hard_cap: config.queue_hard_cap,
        clock: clock.clone(),
        retention: config.retention.clone(),
    };
    match Engines::open(options, registry).await {
        Ok(engines) => {
            let retention = &config.retention;
            engines.set_retention(Retention { default: retention.default, by_kind: retention.by_kind.clone() });
            engines.set_members(control.allow_list());
            recall_kinds(&control, &engines, clock.now()).await;
            flowork_gateway::enforce(&Policies::default(), &control.policies(), &engines);
            Ok((control, engines))
        }
        Err(error) => {
            control.close().await;
            Err(StartError::Engines(error))
        }
    }
}

async fn ensure_local_engine(
    control: &ControlStore,
    shards: u16,
    now: Timestamp,
) -> Result<(), flowork_control::CreateEngineError> {
    if control.engines().iter().any(|engine| engine.location == EngineLocation::Local) {
        return Ok(());
    }
    control.create_engine(LOCAL_ENGINE, EngineLocation::Local, shards, now).await.map(|_| ())
}

/// What engines elsewhere run, until they say it anew.
async fn recall_kinds(control: &ControlStore, engines: &Engines, now: Timestamp) {
    match control.engine_kinds(now).await {
        Ok(known) => known.into_iter().for_each(|(engine_id, kinds)| engines.recall_kinds(engine_id, kinds)),
        Err(error) => tracing::warn!(%error, "what engines elsewhere run is not known before they say it"),
    }
}

pub(super) async fn open_sync(
    config: &Config,
    data_dir: &DataDir,
    clock: &Clock,
    engines: &Engines,
) -> Result<Sessions, StartError> {
    // Sessions that ended stay, so that they can be looked at.
    let retention = if config.recovery { Duration::MAX } else { config.sync_retention };
    let options = SyncOptions {
        retention,
        switches: config.sync_switches,
        ..SyncOptions::new(&data_dir.sync_db(), clock.clone())
    };
    Sessions::open(options, engines.events().clone()).await.map_err(StartError::Sync)
}
