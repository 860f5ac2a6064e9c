//! The length of a request's target. Heads are bounded before there is a request, bodies where they are read.

use axum::extract::Request;
use http::StatusCode;

use crate::{error::ApiError, options::Limits};

/// Refuses targets that are longer than any of ours.
pub(crate) fn check(limits: &Limits, request: &Request) -> Result<(), ApiError> {
    let max = limits.target_bytes_max;
    let uri = request.uri();
    let bytes = uri.path_and_query().map_or(0, |target| target.as_str().len());
    if bytes > max {
        let message = format!("the request's target is longer than {max} bytes");
        return Err(ApiError::new(StatusCode::URI_TOO_LONG, "URI_TOO_LONG", message)
            .hint("send what is long in the body of a POST"));
    }
    Ok(())
}
