//! `GET /v1/keys` and `POST /v1/keys/rotate`

use axum::{Json, extract::State};
use flowork_api_types::admin::{RotateKeysRequest, SigningKeyList, TokenSet};
use flowork_engine::clock::wall_now;
use flowork_tokens::KEY_LIFE;

use super::SMALL_BODY_BYTES_MAX;
use crate::{
    app::{App, AppState},
    auth::credentials::Person,
    edge::audit::AuditNote,
    error::ApiError,
    extract::JsonBody,
};

const DAY_S: u64 = 24 * 60 * 60;

/// Lists the keys that sign tokens, and those that did and still check them.
#[utoipa::path(
    get,
    path = "/v1/keys",
    tag = "auth",
    responses((status = 200, description = "The keys", body = SigningKeyList))
)]
pub(crate) async fn list_keys(State(app): State<AppState>) -> Json<SigningKeyList> {
    Json(list(&app))
}

/// Makes new keys that sign from now on. Tokens of the old ones count until they end by themselves, unless `end_old`.
#[utoipa::path(
    post,
    path = "/v1/keys/rotate",
    tag = "auth",
    request_body = RotateKeysRequest,
    responses(
        (status = 200, description = "The keys", body = SigningKeyList),
        (status = 400, description = "`VALIDATION_ERROR`, `MALFORMED_JSON`"),
        (status = 415, description = "`UNSUPPORTED_MEDIA_TYPE`"),
        (status = 503, description = "`VAULT_FAILING`, with `Retry-After`")
    )
)]
pub(crate) async fn rotate_keys(
    State(app): State<AppState>,
    person: Person,
    note: AuditNote,
    JsonBody(request): JsonBody<RotateKeysRequest, SMALL_BODY_BYTES_MAX>,
) -> Result<Json<SigningKeyList>, ApiError> {
    note.detail(serde_json::json!({"set": request.set, "end_old": request.end_old}));
    // What is asked for with a token that ends here comes to be before, or not at all.
    let _shut = if request.end_old { Some(app.door.shut(&app.state, &person).await?) } else { None };
    let tokens = app.state.tokens.clone();
    let rotate = move || {
        let with_keys = tokens.list();
        let has_keys = |set: &TokenSet| with_keys.iter().any(|key| key.set == *set);
        let sets = match request.set {
            Some(set) => vec![set],
            None => TokenSet::ALL.into_iter().filter(has_keys).collect(),
        };
        sets.into_iter().try_for_each(|set| tokens.rotate(set, request.end_old, wall_now()))
    };
    tokio::task::spawn_blocking(rotate).await.map_err(ApiError::internal)??;
    app.keys_changed.notify_one();
    Ok(Json(list(&app)))
}

fn list(app: &App) -> SigningKeyList {
    let rotates_after_days = (KEY_LIFE.as_secs() / DAY_S) as u32;
    SigningKeyList { items: app.state.tokens.list(), rotates_after_days }
}
