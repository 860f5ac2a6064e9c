//! `POST /v1/jobs`

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use flowork_api_types::job::{EnqueueRequest, Job, PAYLOAD_BYTES_MAX};
use flowork_engine::jobs::enqueue::Enqueued;
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::{
    app::AppState,
    auth::{credentials::Person, kind_rights},
    edge::scope::Scope,
    error::ApiError,
    extract::{IdempotencyKey, JsonBody},
};

/// The payload and 64 KiB for everything else.
const BODY_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + (64 << 10);
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Enqueues a job. Once this has answered, the job survives a crash and a power cut.
///
/// The same key with the same body gives the original job again; with another body it is an error.
#[utoipa::path(
    post,
    path = "/v1/jobs",
    tag = "jobs",
    params((
        "Idempotency-Key" = String, Header,
        description = "A new random text for each new job, the same text for a repeated request; at most 255 bytes"
    )),
    request_body = EnqueueRequest,
    responses(
        (
            status = 202, description = "Accepted", body = Job,
            headers(
                ("Location" = String, description = "Path of the job"),
                ("Idempotency-Replayed" = Option<String>, description = "`true` if the job was there before")
            )
        ),
        (
            status = 400,
            description = "`IDEMPOTENCY_KEY_REQUIRED`, `INVALID_IDEMPOTENCY_KEY`, `MALFORMED_JSON`, \
                           `VALIDATION_ERROR`, `UNKNOWN_KIND`"
        ),
        (status = 403, description = "`FORBIDDEN`, `KIND_NOT_ALLOWED`: the kind is not open to the caller's role"),
        (status = 404, description = "`ENGINE_NOT_FOUND`"),
        (status = 409, description = "`KIND_UNAVAILABLE`: the engine asked for does not run this kind; `UNIQUE_KEY_HELD`"),
        (status = 413, description = "`PAYLOAD_TOO_LARGE`, `BODY_TOO_LARGE`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 422, description = "`IDEMPOTENCY_KEY_REUSED`"),
        (status = 429, description = "`QUEUE_FULL`, with `Retry-After`"),
        (status = 503, description = "`SHARD_QUARANTINED`, `DRAINING`, `OVERLOADED`, `SHUTTING_DOWN`, with `Retry-After`"),
        (status = 507, description = "`STORAGE_FULL`, with `Retry-After`")
    )
)]
pub(crate) async fn enqueue_job(
    State(app): State<AppState>,
    person: Person,
    scope: Scope,
    IdempotencyKey(key): IdempotencyKey,
    JsonBody(request): JsonBody<EnqueueRequest, BODY_BYTES_MAX>,
) -> Result<Response, ApiError> {
    kind_rights::check(&app, &person, &request.kind)?;
    let enqueued = app.state.engines.enqueue(&person.caller(), &key, request, scope.trace_id).await?;
    Ok(accepted(enqueued))
}

fn accepted(enqueued: Enqueued) -> Response {
    let location = format!("/v1/jobs/{}", enqueued.job.summary.id);
    let mut response = (StatusCode::ACCEPTED, Json::<Job>(enqueued.job)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::from_str(&location).expect("ids are header text"));
    if enqueued.replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
