//! `GET /v1/autoscaler`

use axum::{Json, extract::State};
use flowork_api_types::autoscale::{Autoscaler, FixedWorkers};

use crate::{app::AppState, auth::credentials::Person};

/// Says how many workers the local engine has, what they go by, and why they last changed.
#[utoipa::path(
    get,
    path = "/v1/autoscaler",
    tag = "engines",
    responses((status = 200, description = "Workers, windows and decisions", body = Autoscaler))
)]
pub(crate) async fn get_autoscaler(State(app): State<AppState>, person: Person) -> Json<Autoscaler> {
    let described = app.state.engines.describe_workers();
    let workers = app.state.control.policies().workers;
    let fixed = described.engine_id.and_then(|engine_id| workers.get(&engine_id)).map(|record| FixedWorkers {
        workers: record.workers,
        since: record.since,
        by: person.caller().sees_all.then(|| record.by.clone()),
    });
    Json(Autoscaler { fixed, ..described })
}
