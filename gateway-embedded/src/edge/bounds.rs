//! The length of a request's target. Heads are bounded before there is a request, bodies where they are read.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::StatusCode;

use crate::{app::AppState, error::ApiError};

/// Refuses targets that are longer than any of ours.
pub(crate) async fn check(State(app): State<AppState>, request: Request, next: Next) -> Result<Response, ApiError> {
    let max = app.limits.target_bytes_max;
    let uri = request.uri();
    let bytes = uri.path_and_query().map_or(0, |target| target.as_str().len());
    if bytes > max {
        let message = format!("the request's target is longer than {max} bytes");
        return Err(ApiError::new(StatusCode::URI_TOO_LONG, "URI_TOO_LONG", message)
            .hint("send what is long in the body of a POST"));
    }
    Ok(next.run(request).await)
}
