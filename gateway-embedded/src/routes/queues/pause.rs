//! `POST /v1/queues/{name}/pause`

use axum::{Json, extract::State};
use flowork_api_types::queue::{Queue, QueueName};

use crate::{app::AppState, auth::credentials::Person, error::ApiError, extract::PathId, policies};

/// Claims no more jobs of a queue, on all engines and across restarts. Jobs that run go on; new ones are taken and wait.
#[utoipa::path(
    post,
    path = "/v1/queues/{name}/pause",
    tag = "queues",
    params(("name" = QueueName, Path)),
    responses(
        (status = 200, description = "The queue, paused", body = Queue),
        (status = 400, description = "`INVALID_ID`"),
        (status = 409, description = "`PAUSED_QUEUES_FULL`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn pause_queue(
    State(app): State<AppState>,
    person: Person,
    PathId(name): PathId<QueueName>,
) -> Result<Json<Queue>, ApiError> {
    let (paused, by) = (name.clone(), person.subject.to_string());
    let now = app.state.clock.now();
    policies::change(&app, move |control| async move { control.pause_queue(&paused, &by, now).await }).await?;
    Ok(Json(super::describe(&app, &name, &person).await))
}
