//! `POST /v1/jobs/batch`

use axum::{Json, extract::State};
use flowork_api_types::job::{BATCH_JOBS_MAX, BatchAnswer, BatchEntry, BatchItem, BatchRequest, EnqueueRequest};
use flowork_engine::jobs::enqueue::{EnqueueError, Enqueued};

use crate::{
    app::AppState,
    auth::credentials::Person,
    edge::scope::Scope,
    error::ApiError,
    extract::{JsonBody, from_value},
};

/// Room for 1,000 jobs of 16 KiB, or a few of the largest payload.
const BODY_BYTES_MAX: usize = 16 << 20;

/// Enqueues up to 1,000 jobs, each with its own idempotency key. One that is refused does not keep the others out.
#[utoipa::path(
    post,
    path = "/v1/jobs/batch",
    tag = "jobs",
    request_body = BatchRequest,
    responses(
        (status = 200, description = "One item an entry, in their order", body = BatchAnswer),
        (status = 400, description = "`MALFORMED_JSON`, `VALIDATION_ERROR` about the batch itself"),
        (status = 413, description = "`BODY_TOO_LARGE`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 503, description = "`OVERLOADED`, with `Retry-After`")
    )
)]
pub(crate) async fn enqueue_batch(
    State(app): State<AppState>,
    person: Person,
    scope: Scope,
    JsonBody(request): JsonBody<BatchRequest, BODY_BYTES_MAX>,
) -> Result<Json<BatchAnswer>, ApiError> {
    if request.jobs.len() > BATCH_JOBS_MAX {
        return Err(ApiError::field("/jobs", format!("has more than {BATCH_JOBS_MAX} entries")));
    }
    let entries = request.jobs.into_iter().map(parsed).collect();
    let outcomes = app.state.engines.enqueue_batch(&person.caller(), entries, scope.trace_id.clone()).await;
    let items = outcomes.into_iter().map(|outcome| item(outcome, &scope)).collect();
    Ok(Json(BatchAnswer { items }))
}

fn parsed(entry: BatchEntry) -> (String, Result<EnqueueRequest, EnqueueError>) {
    let request = from_value(entry.job).map_err(|error| EnqueueError::InvalidFields { errors: vec![error] });
    (entry.idempotency_key, request)
}

fn item(outcome: Result<Enqueued, EnqueueError>, scope: &Scope) -> BatchItem {
    match outcome {
        Ok(enqueued) => BatchItem { job: Some(enqueued.job), replayed: enqueued.replayed, error: None },
        Err(error) => {
            let error = ApiError::from(error).body(Some(&scope.request_id));
            BatchItem { job: None, replayed: false, error: Some(error) }
        }
    }
}
