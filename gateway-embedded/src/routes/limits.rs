//! `GET /v1/limits`, `PUT /v1/limits/{target}` and `DELETE /v1/limits/{target}`

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use flowork_api_types::{
    error::FieldError,
    limit::{Limit, LimitAction, LimitList, LimitRule, LimitTarget, SetLimitRequest},
};
use flowork_control::LimitRecord;
use http::StatusCode;

use super::SMALL_BODY_BYTES_MAX;
use crate::{
    app::AppState,
    auth::{credentials::Person, permission::Permission},
    error::ApiError,
    extract::{JsonBody, PathId},
    policies,
};

/// More jobs than any node runs at once.
const CONCURRENCY_MAX: u32 = 1_000_000;
/// More starts than any node makes in a period.
const RATE_COUNT_MAX: u32 = 1_000_000;
/// A day.
const RATE_PER_MS_MAX: u64 = 86_400_000;

/// Lists the limits. Who sees only their own jobs sees no limits of other users, and none of concurrency keys.
#[utoipa::path(
    get,
    path = "/v1/limits",
    tag = "queues",
    responses((status = 200, description = "The limits", body = LimitList))
)]
pub(crate) async fn list_limits(State(app): State<AppState>, person: Person) -> Json<LimitList> {
    let limits = app.state.control.policies().limits;
    let usage = app.state.engines.limit_usage();
    let seen = limits.into_values().filter(|record| sees(&person, &record.rule.target));
    let may_set = Permission::Operate.allows(person.standing());
    Json(LimitList {
        items: seen.map(|record| to_wire(record, &usage, &person)).collect(),
        allowed_actions: if may_set { vec![LimitAction::Set] } else { Vec::new() },
    })
}

/// Sets how many jobs of a target may run at once, how often they may start, or both. Holds at once, for all workers.
#[utoipa::path(
    put,
    path = "/v1/limits/{target}",
    tag = "queues",
    params(("target" = LimitTarget, Path, description = "Such as `kind:llm.chat`")),
    request_body = SetLimitRequest,
    responses(
        (status = 200, description = "The limit as it is now", body = Limit),
        (status = 400, description = "`INVALID_ID`, `VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 409, description = "`LIMITS_FULL`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn set_limit(
    State(app): State<AppState>,
    person: Person,
    PathId(target): PathId<LimitTarget>,
    JsonBody(request): JsonBody<SetLimitRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<Json<Limit>, ApiError> {
    check(&request)?;
    let rule = LimitRule { target, concurrency: request.concurrency, rate: request.rate };
    let now = app.state.clock.now();
    let record = policies::change(&app, move |control| async move { control.set_limit(rule, now).await }).await?;
    Ok(Json(to_wire(record, &app.state.engines.limit_usage(), &person)))
}

/// Removes the limit of a target.
#[utoipa::path(
    delete,
    path = "/v1/limits/{target}",
    tag = "queues",
    params(("target" = LimitTarget, Path, description = "Such as `kind:llm.chat`")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 400, description = "`INVALID_ID`"),
        (status = 404, description = "`LIMIT_NOT_FOUND`"),
        (status = 507, description = "`STORAGE_FULL`")
    )
)]
pub(crate) async fn remove_limit(
    State(app): State<AppState>,
    PathId(target): PathId<LimitTarget>,
) -> Result<StatusCode, ApiError> {
    policies::change(&app, move |control| async move { control.remove_limit(target).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn check(request: &SetLimitRequest) -> Result<(), ApiError> {
    if request.concurrency.is_none() && request.rate.is_none() {
        return Err(ApiError::field("", "a limit has a concurrency, a rate, or both")
            .hint("DELETE the limit to let everything pass"));
    }
    let mut errors = Vec::new();
    let mut out_of = |field: &str, found: u64, min: u64, max: u64| {
        if !(min..=max).contains(&found) {
            errors.push(FieldError {
                field: field.to_owned(),
                message: format!("{found} is not between {min} and {max}"),
            });
        }
    };
    if let Some(concurrency) = request.concurrency {
        out_of("/concurrency", u64::from(concurrency), 0, u64::from(CONCURRENCY_MAX));
    }
    if let Some(rate) = request.rate {
        out_of("/rate/count", u64::from(rate.count), 1, u64::from(RATE_COUNT_MAX));
        out_of("/rate/per_ms", rate.per_ms, 1, RATE_PER_MS_MAX);
    }
    if errors.is_empty() { Ok(()) } else { Err(ApiError::validation(&errors)) }
}

fn sees(person: &Person, target: &LimitTarget) -> bool {
    match target {
        LimitTarget::Kind(_) | LimitTarget::Queue(_) | LimitTarget::Provider(_) => true,
        LimitTarget::User(name) => person.sees(Some(name)),
        // Keys tell of other people's work.
        LimitTarget::Key(_) => person.caller().sees_all,
    }
}

fn to_wire(record: LimitRecord, usage: &BTreeMap<LimitTarget, u32>, person: &Person) -> Limit {
    let may_set = Permission::Operate.allows(person.standing());
    let allowed_actions = if may_set { vec![LimitAction::Set, LimitAction::Remove] } else { Vec::new() };
    let running = usage.get(&record.rule.target).copied().unwrap_or_default();
    Limit { rule: record.rule, running, set_at: record.set_at, allowed_actions }
}
