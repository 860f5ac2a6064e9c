//! JSON bodies that may be left out.

use axum::extract::{FromRequest, Request};
use http::header;
use hyper::body::Body as _;
use serde::de::DeserializeOwned;

use super::JsonBody;
use crate::{app::AppState, error::ApiError};

/// A JSON body of at most `MAX` bytes, or nothing, which stands for the default.
pub(crate) struct OptionalJsonBody<T, const MAX: usize>(pub(crate) T);

impl<T: DeserializeOwned + Default, const MAX: usize> FromRequest<AppState> for OptionalJsonBody<T, MAX> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, ApiError> {
        let says_nothing = !request.headers().contains_key(header::CONTENT_TYPE) && request.body().is_end_stream();
        if says_nothing {
            return Ok(Self(T::default()));
        }
        JsonBody::<T, MAX>::from_request(request, app).await.map(|JsonBody(body)| Self(body))
    }
}
