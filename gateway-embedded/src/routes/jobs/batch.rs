//! `POST /v1/jobs/batch`, `GET /v1/batches/{batch_id}`

use axum::{Json, extract::State};
use flowork_api_types::{
    BatchId,
    job::{BATCH_JOBS_MAX, Batch, BatchAnswer, BatchEntry, BatchItem, BatchRequest, EnqueueRequest},
};
use flowork_engine::jobs::{
    batch::NamedBatch,
    enqueue::{EnqueueError, Enqueued},
};

use crate::{
    app::{App, AppState},
    auth::{credentials::Person, kind_rights},
    edge::scope::Scope,
    error::ApiError,
    extract::{JsonBody, OptionalIdempotencyKey, PathId, from_value},
};

/// Room for 1,000 jobs of 16 KiB, or a few of the largest payload.
const BODY_BYTES_MAX: usize = 16 << 20;

/// Enqueues up to 1,000 jobs, each with its own idempotency key. One that is refused does not keep the others out.
#[utoipa::path(
    post,
    path = "/v1/jobs/batch",
    tag = "jobs",
    params((
        "Idempotency-Key" = Option<String>, Header,
        description = "Names the batch, so that it can be looked at, sent again, and followed by a callback"
    )),
    request_body = BatchRequest,
    responses(
        (status = 200, description = "One item an entry, in their order", body = BatchAnswer),
        (status = 400, description = "`MALFORMED_JSON`, `INVALID_IDEMPOTENCY_KEY`, `VALIDATION_ERROR` or \
                                     `UNKNOWN_KIND` about the batch itself or its callback"),
        (status = 403, description = "`FORBIDDEN`, `KIND_NOT_ALLOWED`: the kind is not open to the caller's role"),
        (status = 404, description = "`ENGINE_NOT_FOUND` about the callback"),
        (status = 413, description = "`BODY_TOO_LARGE`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 422, description = "`IDEMPOTENCY_KEY_REUSED`: the key names a batch of other jobs, or with another callback"),
        (status = 503, description = "`OVERLOADED`, with `Retry-After`")
    )
)]
pub(crate) async fn enqueue_batch(
    State(app): State<AppState>,
    person: Person,
    scope: Scope,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    JsonBody(request): JsonBody<BatchRequest, BODY_BYTES_MAX>,
) -> Result<Json<BatchAnswer>, ApiError> {
    if request.jobs.len() > BATCH_JOBS_MAX {
        return Err(ApiError::field("/jobs", format!("has more than {BATCH_JOBS_MAX} entries")));
    }
    let named = match (key, &request.callback) {
        (Some(idempotency_key), _) => Some(NamedBatch::new(idempotency_key, &request)),
        (None, None) => None,
        (None, Some(_)) => {
            return Err(ApiError::field(
                "/callback",
                "needs the header Idempotency-Key, which names the batch".to_owned(),
            ));
        }
    };
    let entries: Vec<_> = request.jobs.into_iter().map(parsed).collect();
    let refusals: Vec<_> = entries.iter().map(|(_, job)| refusal(&app, &person, job)).collect();
    if let Some(callback) = named.as_ref().and_then(|named| named.callback.as_ref()) {
        kind_rights::check(&app, &person, &callback.kind)?;
    }
    let allowed =
        std::iter::zip(entries, &refusals).map(|((key, job), refusal)| (key, unless_refused(job, refusal.as_ref())));
    let entries = allowed.collect();
    let trace_id = scope.trace_id.clone();
    let (batch_id, outcomes) = app.state.engines.enqueue_batch(&person.caller(), named, entries, trace_id).await?;
    let outcomes = std::iter::zip(outcomes, refusals);
    let items =
        outcomes.map(|(outcome, refusal)| refusal.map_or_else(|| item(outcome, &scope), |no| refused(&no, &scope)));
    let items = items.collect();
    Ok(Json(BatchAnswer { batch_id, items }))
}

/// Gives a batch: how many of its jobs have ended, and the job that followed.
#[utoipa::path(
    get,
    path = "/v1/batches/{batch_id}",
    tag = "jobs",
    params(("batch_id" = BatchId, Path)),
    responses(
        (status = 200, description = "The batch", body = Batch),
        (status = 400, description = "`INVALID_ID`"),
        (status = 404, description = "`BATCH_NOT_FOUND`, also for a batch of somebody else")
    )
)]
pub(crate) async fn get_batch(
    State(app): State<AppState>,
    person: Person,
    PathId(batch_id): PathId<BatchId>,
) -> Result<Json<Batch>, ApiError> {
    let batch = app.state.engines.batch(&person.caller(), batch_id).await?;
    Ok(Json(batch))
}

fn parsed(entry: BatchEntry) -> (String, Result<EnqueueRequest, EnqueueError>) {
    let request = from_value(entry.job).map_err(|error| EnqueueError::InvalidFields { errors: vec![error] });
    (entry.idempotency_key, request)
}

/// Why this person may not enqueue this job, whatever else may be wrong with it.
fn refusal(app: &App, person: &Person, job: &Result<EnqueueRequest, EnqueueError>) -> Option<ApiError> {
    kind_rights::check(app, person, &job.as_ref().ok()?.kind).err()
}

/// Nothing of what is refused reaches a queue; the answer says why in its place.
fn unless_refused(
    job: Result<EnqueueRequest, EnqueueError>,
    refusal: Option<&ApiError>,
) -> Result<EnqueueRequest, EnqueueError> {
    if refusal.is_some() { Err(EnqueueError::InvalidFields { errors: Vec::new() }) } else { job }
}

fn refused(error: &ApiError, scope: &Scope) -> BatchItem {
    BatchItem { job: None, replayed: false, error: Some(error.body(Some(&scope.request_id))) }
}

fn item(outcome: Result<Enqueued, EnqueueError>, scope: &Scope) -> BatchItem {
    match outcome {
        Ok(enqueued) => BatchItem { job: Some(enqueued.job), replayed: enqueued.replayed, error: None },
        Err(error) => refused(&error.into(), scope),
    }
}
