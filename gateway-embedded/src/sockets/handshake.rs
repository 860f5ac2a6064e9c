//! From a request to a WebSocket. Source: RFC 6455, section 4.2.

use axum::{
    body::Body,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header, request::Parts};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::wire::Wire;
use crate::error::ApiError;

/// The one version there is.
const VERSION: &str = "13";

/// Bytes of a key.
const KEY_BYTES: usize = 16;

/// A request for a WebSocket.
pub(crate) struct Handshake {
    accept: HeaderValue,
    upgrade: OnUpgrade,
}

impl<S: Sync> FromRequestParts<S> for Handshake {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let headers = &parts.headers;
        let asked = parts.method == Method::GET
            && parts.version == Version::HTTP_11
            && names(headers, &header::CONNECTION, "upgrade")
            && names(headers, &header::UPGRADE, "websocket");
        if !asked {
            return Err(not_an_upgrade("it does not ask for one"));
        }
        if only(headers, &header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
            return Err(not_an_upgrade("it asks for a version that there is not")
                .header(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION)));
        }
        let key = only(headers, &header::SEC_WEBSOCKET_KEY);
        let is_key = |key: &&HeaderValue| STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == KEY_BYTES);
        let Some(key) = key.filter(is_key) else {
            return Err(not_an_upgrade("it has not one key of 16 bytes"));
        };
        let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).expect("base64 is header text");
        let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
            return Err(not_an_upgrade("its connection can't become one"));
        };
        Ok(Self { accept, upgrade })
    }
}

impl Handshake {
    /// Answers the request, and talks over the socket once the client has the answer. Whatever `talk` holds is given back
    /// also when the client never gets it.
    pub(crate) fn accept<T: Future<Output = ()> + Send + 'static>(
        self,
        talk: impl FnOnce(Wire) -> T + Send + 'static,
    ) -> Response {
        let Self { accept, upgrade } = self;
        tokio::spawn(async move {
            if let Ok(upgraded) = upgrade.await {
                talk(Wire::new(TokioIo::new(upgraded)).await).await;
            }
        });
        let headers = [
            (header::CONNECTION, HeaderValue::from_static("upgrade")),
            (header::UPGRADE, HeaderValue::from_static("websocket")),
            (header::SEC_WEBSOCKET_ACCEPT, accept),
        ];
        (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
    }
}

/// Whether a header, which may be a list, names something.
fn names(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(wanted))
}

/// The value of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

fn not_an_upgrade(why: &str) -> ApiError {
    let message = format!("this is a WebSocket, and the request is not for one: {why}");
    ApiError::new(StatusCode::UPGRADE_REQUIRED, "UPGRADE_REQUIRED", message)
        .hint("open it with a WebSocket client, such as `new WebSocket(url)`")
        .header(header::UPGRADE, HeaderValue::from_static("websocket"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refusal(headers: &[(HeaderName, &str)]) -> (String, bool) {
        let mut request = http::Request::new(());
        for (name, value) in headers {
            request.headers_mut().append(name, value.parse().unwrap());
        }
        let (mut parts, ()) = request.into_parts();
        let Err(error) = Handshake::from_request_parts(&mut parts, &()).await else { panic!("let in") };
        assert_eq!((error.status(), error.code()), (StatusCode::UPGRADE_REQUIRED, "UPGRADE_REQUIRED"));
        let response = error.clone().into_response();
        (error.body(None).message, response.headers().contains_key(header::SEC_WEBSOCKET_VERSION))
    }

    #[tokio::test]
    async fn what_is_no_handshake_is_told_what_is_missing() {
        let connection = (header::CONNECTION, "keep-alive, Upgrade");
        let upgrade = (header::UPGRADE, "WebSocket");
        let version = (header::SEC_WEBSOCKET_VERSION, "13");
        let key = (header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==");
        let check = async |headers: &[(HeaderName, &str)], missing: &str, told: bool| {
            let (message, version) = refusal(headers).await;
            assert!(message.contains(missing), "{message}");
            assert_eq!(version, told);
        };
        check(&[], "ask for one", false).await;
        check(
            &[(header::CONNECTION, "keep-alive"), upgrade.clone(), version.clone(), key.clone()],
            "ask for one",
            false,
        )
        .await;
        check(&[connection.clone(), (header::UPGRADE, "h2c"), version.clone(), key.clone()], "ask for one", false)
            .await;
        let other = (header::SEC_WEBSOCKET_VERSION, "8");
        check(&[connection.clone(), upgrade.clone(), other.clone(), key.clone()], "version", true).await;
        let list = (header::SEC_WEBSOCKET_VERSION, "13, 8");
        check(&[connection.clone(), upgrade.clone(), list, key.clone()], "version", true).await;
        check(&[connection.clone(), upgrade.clone(), version.clone(), other, key.clone()], "version", true).await;
        check(&[connection.clone(), upgrade.clone(), version.clone()], "one key", false).await;
        for bad in ["", "x", "dGhlIHNhbXBsZQ==", "dGhlIHNhbXBsZSBub25jZSBpcyBsb25nZXI=", "dGhlIHNhbXBsZSBub25jZQ"] {
            let bad = (header::SEC_WEBSOCKET_KEY, bad);
            check(&[connection.clone(), upgrade.clone(), version.clone(), bad], "one key", false).await;
        }
        check(&[connection.clone(), upgrade.clone(), version.clone(), key.clone(), key.clone()], "one key", false)
            .await;
        check(&[connection, upgrade, version, key], "connection", false).await;
    }

    /// The request of RFC 6455, section 1.3.
    fn sample() -> Parts {
        let request = http::Request::get("/ws")
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==")
            .extension(hyper::upgrade::on(http::Request::new(())));
        request.body(()).unwrap().into_parts().0
    }

    #[tokio::test]
    async fn a_handshake_is_answered_as_in_the_rfc() {
        let Ok(handshake) = Handshake::from_request_parts(&mut sample(), &()).await else { panic!("not let in") };
        let response = handshake.accept(|_| std::future::ready(()));
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(response.headers()[header::SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[tokio::test]
    async fn an_older_http_has_no_upgrades() {
        let mut parts = sample();
        parts.version = Version::HTTP_10;
        assert!(Handshake::from_request_parts(&mut parts, &()).await.is_err());
    }
}
