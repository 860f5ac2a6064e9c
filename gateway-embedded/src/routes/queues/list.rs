//! `GET /v1/queues`

use axum::{Json, extract::State};
use flowork_api_types::queue::QueueList;

use crate::{app::AppState, auth::credentials::Person};

/// Lists the queues that have open jobs, are paused, or had jobs in the last minute.
#[utoipa::path(
    get,
    path = "/v1/queues",
    tag = "queues",
    responses((status = 200, description = "The queues, by name", body = QueueList))
)]
pub(crate) async fn list_queues(State(app): State<AppState>, person: Person) -> Json<QueueList> {
    Json(QueueList { items: super::describe_all(&app, &person).await })
}
