//! `POST /v1/queues/{name}/resume`

use axum::{Json, extract::State};
use flowork_api_types::queue::{Queue, QueueName};

use crate::{app::AppState, auth::credentials::Person, error::ApiError, extract::PathId, policies};

/// Lets a queue go on. One that is not paused stays as it is.
#[utoipa::path(
    post,
    path = "/v1/queues/{name}/resume",
    tag = "queues",
    params(("name" = QueueName, Path)),
    responses(
        (status = 200, description = "The queue, which goes on", body = Queue),
        (status = 400, description = "`INVALID_ID`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn resume_queue(
    State(app): State<AppState>,
    person: Person,
    PathId(name): PathId<QueueName>,
) -> Result<Json<Queue>, ApiError> {
    let resumed = name.clone();
    policies::change(&app, move |control| async move { control.resume_queue(&resumed).await }).await?;
    Ok(Json(super::describe(&app, &name, &person).await))
}
