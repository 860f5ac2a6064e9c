//! `flowork engine list` and `flowork engine create`

use flowork_api_types::engine::{CreateEngineRequest, CreatedEngine, Engine, EngineList, EngineLocation, EngineState};

use crate::{
    client::Client,
    exit::Failure,
    output::{Format, table},
};

pub(super) async fn list(client: &Client, format: Format) -> Result<(), Failure> {
    let engines: EngineList = client.get("/v1/engines").await?;
    format.print(&engines, |engines| {
        let rows: Vec<_> = engines.items.iter().map(row).collect();
        table(&["ID", "NAME", "WHERE", "STATE", "BUSY", "QUEUED", "SCHEDULED", "LEASED"], &rows)
    })
}

pub(super) async fn create(name: String, client: &Client, format: Format) -> Result<(), Failure> {
    let created: CreatedEngine = client.post("/v1/engines", Some(&CreateEngineRequest { name })).await?;
    format.print(&created, |created| {
        format!(
            "{} {}\ntoken {}\nThe token is not shown again. On the other host, with the token in FLOWORK_ENGINE_TOKEN:\n  \
             flowork engine run --gateway URL",
            created.engine.id, created.engine.name, created.token
        )
    })
}

fn row(engine: &Engine) -> Vec<String> {
    let place = match engine.location {
        EngineLocation::Local => "local",
        EngineLocation::External => "external",
    };
    let state = match engine.state {
        EngineState::Up => "up",
        EngineState::Draining => "draining",
        EngineState::Stale => "stale",
    };
    vec![
        engine.id.to_string(),
        engine.name.clone(),
        place.to_owned(),
        state.to_owned(),
        // What a person decided stands out from what follows the load.
        format!("{}/{}{}", engine.busy, engine.workers, if engine.workers_fixed.is_some() { " (set)" } else { "" }),
        engine.queued.to_string(),
        engine.scheduled.to_string(),
        engine.leased.to_string(),
    ]
}
