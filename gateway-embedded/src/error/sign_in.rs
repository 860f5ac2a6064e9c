//! What goes wrong around signing in.

use flowork_control::{CreateEngineError, OpenSessionError, RefreshError};
use http::{HeaderValue, StatusCode, header};

use super::ApiError;

const NEW_LINK: &str = "run `flowork link` on the node's machine, or open the app there, for a new link";

impl ApiError {
    /// 401 with the challenge header that the status asks for.
    pub(crate) fn unauthorized(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, message)
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 401 `UNAUTHENTICATED`.
    pub(crate) fn unauthenticated() -> Self {
        Self::unauthorized("UNAUTHENTICATED", "this call needs a sign-in").hint(
            "send `Authorization: Bearer <token>`; `flowork token create` prints a token, `flowork link` signs a \
             browser in",
        )
    }
}

impl From<OpenSessionError> for ApiError {
    fn from(error: OpenSessionError) -> Self {
        let message = error.to_string();
        match error {
            OpenSessionError::UnknownCode => Self::unauthorized("LINK_UNKNOWN", message).hint(NEW_LINK),
            OpenSessionError::UsedCode => Self::unauthorized("LINK_USED", message).hint(NEW_LINK),
            OpenSessionError::ExpiredCode => Self::unauthorized("LINK_EXPIRED", message).hint(NEW_LINK),
            OpenSessionError::Store(error) => error.into(),
        }
    }
}

impl From<RefreshError> for ApiError {
    fn from(error: RefreshError) -> Self {
        let message = error.to_string();
        match error {
            RefreshError::Unknown => Self::unauthorized("REFRESH_UNKNOWN", message).hint(NEW_LINK),
            RefreshError::Reused { session_id } => {
                tracing::warn!(%session_id, "a refresh token came a second time; the session is ended");
                Self::unauthorized("REFRESH_REUSED", message).hint(NEW_LINK)
            }
            RefreshError::Ended => Self::unauthorized("SESSION_ENDED", message).hint(NEW_LINK),
            RefreshError::Expired => Self::unauthorized("REFRESH_EXPIRED", message).hint(NEW_LINK),
            RefreshError::Store(error) => error.into(),
        }
    }
}

impl From<CreateEngineError> for ApiError {
    fn from(error: CreateEngineError) -> Self {
        let message = error.to_string();
        match error {
            CreateEngineError::InvalidName => Self::field("/name", message),
            CreateEngineError::NameTaken { .. } => {
                Self::new(StatusCode::CONFLICT, "ENGINE_NAME_TAKEN", message).hint("pick another name")
            }
            CreateEngineError::NoSlots => Self::new(StatusCode::CONFLICT, "ENGINES_FULL", message),
            CreateEngineError::Store(error) => error.into(),
        }
    }
}
