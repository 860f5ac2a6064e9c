//! What goes wrong around signing in.

use flowork_control::{CreateEngineError, OpenSessionError, RefreshError, SignInError};
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

    /// 401 `SIGN_IN_REFUSED`, the same for every reason, so that nobody learns whose keys this node knows. The reason is
    /// in the log.
    pub(crate) fn sign_in_refused(reason: impl std::error::Error + Send + Sync + 'static) -> Self {
        let error = Self::unauthorized("SIGN_IN_REFUSED", "this sign-in was refused")
            .hint(
                "ask for a new message, sign it unchanged with a key that the owner has added, and send it within 5 \
                 minutes; the node's log has the reason under this request_id",
            )
            .source(reason);
        tracing::info!(reason = error.chain(), "a sign-in was refused");
        error
    }
}

impl From<SignInError> for ApiError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::NotMember { .. } | SignInError::Disabled { .. } => Self::sign_in_refused(error),
            SignInError::Store(error) => error.into(),
        }
    }
}

impl From<OpenSessionError> for ApiError {
    fn from(error: OpenSessionError) -> Self {
        let message = error.to_string();
        match error {
            OpenSessionError::UnknownCode => Self::unauthorized("LINK_UNKNOWN", message).hint(NEW_LINK),
            OpenSessionError::UsedCode => Self::unauthorized("LINK_USED", message).hint(NEW_LINK),
            OpenSessionError::ExpiredCode => Self::unauthorized("LINK_EXPIRED", message).hint(NEW_LINK),
            OpenSessionError::Key(error) => Self::new(StatusCode::CONFLICT, "DEVICE_KEY_REFUSED", error.to_string())
                .hint("make another key in this browser; the link can still be used"),
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
