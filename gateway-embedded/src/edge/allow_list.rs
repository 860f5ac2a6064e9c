//! Which `Host` and `Origin` values are ours, on each listener.
//!
//! A foreign `Host` means that some name was pointed at this machine (DNS rebinding); a foreign `Origin` means that a
//! page from elsewhere calls. Both are refused before anything else happens. Nothing is reflected: an allowed origin is
//! answered from this list. A WebSocket's opening request passes here like any other.

use std::{collections::HashSet, net::SocketAddr, sync::Arc};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::{
    client::{Ingress, SiteOrigin},
    route_of,
};
use crate::{app::App, error::ApiError};

/// How long a browser may remember the answer to a preflight, in seconds.
const PREFLIGHT_MAX_AGE_S: &str = "600";
const CORS_REQUEST_HEADERS: &str =
    "authorization, content-type, idempotency-key, last-event-id, traceparent, x-request-id";
const CORS_RESPONSE_HEADERS: &str =
    "idempotency-replayed, location, ratelimit, ratelimit-policy, retry-after, x-request-id";

/// The lists of both listeners.
#[derive(Debug)]
pub(crate) struct AllowLists {
    pub(crate) local: AllowList,
    pub(crate) tunnel: AllowList,
}

/// The values that are ours on one listener.
#[derive(Debug, Default)]
pub(crate) struct AllowList {
    hosts: HashSet<String>,
    origins: HashSet<String>,
    /// Origins of this listener itself, whose pages need no CORS headers.
    own_origins: HashSet<String>,
    /// Which setting adds a host, for the hint.
    setting: &'static str,
}

impl AllowLists {
    pub(crate) fn of(&self, ingress: Ingress) -> &AllowList {
        match ingress {
            Ingress::Local => &self.local,
            Ingress::Tunnel => &self.tunnel,
        }
    }
}

impl AllowList {
    /// What is ours on the local listener.
    pub(crate) fn local(local: SocketAddr, extra_hosts: &[String], extra_origins: &[String]) -> Self {
        let port = local.port();
        let mut hosts = HashSet::new();
        for name in ["127.0.0.1".to_owned(), "localhost".to_owned(), "[::1]".to_owned(), bracketed(local)] {
            if port == 80 {
                hosts.insert(name.clone());
            }
            hosts.insert(format!("{name}:{port}"));
        }
        for host in extra_hosts {
            let host = host.to_ascii_lowercase();
            // Browsers name the port unless it is the scheme's own, as it is behind a proxy.
            if !has_port(&host) {
                hosts.insert(format!("{host}:{port}"));
            }
            hosts.insert(host);
        }
        Self::new(hosts, "http", extra_origins, "gateway.allowed_hosts")
    }

    /// What is ours on the tunnel's listener: the public names only, by HTTPS only.
    pub(crate) fn tunnel(public_hosts: &[String], extra_origins: &[String]) -> Self {
        let hosts = public_hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        Self::new(hosts, "https", extra_origins, "gateway.public_hosts")
    }

    fn new(hosts: HashSet<String>, scheme: &str, extra_origins: &[String], setting: &'static str) -> Self {
        let own_origins: HashSet<_> = hosts.iter().map(|host| format!("{scheme}://{host}")).collect();
        let mut origins = own_origins.clone();
        origins.extend(extra_origins.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()));
        Self { hosts, origins, own_origins, setting }
    }

    /// Says which of our hosts the request is for.
    fn check_host<'a>(&self, request: &'a Request) -> Result<&'a str, ApiError> {
        let headers = request.headers();
        let mut named = headers.get_all(header::HOST).iter();
        let host = match (named.next(), named.next()) {
            (Some(host), None) => host.to_str().unwrap_or_default(),
            _ => "",
        };
        // An absolute request target overrules the header (RFC 9112, section 3.2.2), so both must be ours.
        let target = request.uri().authority().map_or(host, http::uri::Authority::as_str);
        for value in [host, target] {
            if !self.hosts.contains(value) && !self.hosts.contains(&value.to_ascii_lowercase()) {
                let message = format!("this node does not serve the host {:?}", shown(value));
                return Err(ApiError::new(StatusCode::MISDIRECTED_REQUEST, "HOST_NOT_ALLOWED", message)
                    .hint(format!("use the address the node printed, or add the host to {}", self.setting)));
            }
        }
        Ok(host)
    }

    /// `Ok(Some)` is an allowed origin of another place, which needs CORS headers.
    fn check_origin(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, ApiError> {
        let mut named = headers.get_all(header::ORIGIN).iter();
        let origin = match (named.next(), named.next()) {
            (None, _) => return Ok(None),
            (Some(origin), None) => origin,
            (Some(_), Some(_)) => return Err(foreign_origin("more than one")),
        };
        let text = origin.to_str().unwrap_or_default().to_ascii_lowercase();
        if !self.origins.contains(&text) {
            return Err(foreign_origin(&shown(&text)));
        }
        Ok((!self.own_origins.contains(&text)).then(|| origin.clone()))
    }
}

/// Whether an allowed page of another place asks, which needs CORS headers to read the answer.
pub(crate) struct Origin(Option<HeaderValue>);

/// Where a browser finds the node under one of its public names.
pub(crate) fn public_url(host: &str) -> Arc<str> {
    format!("https://{}", host.to_ascii_lowercase()).into()
}

/// Refuses foreign hosts and origins, and says which origin of ours a request is for and which asks.
pub(crate) fn check(app: &App, ingress: Ingress, request: &mut Request) -> Result<Origin, ApiError> {
    let allowed = app.allowed.of(ingress);
    let host = allowed.check_host(request)?;
    let site = match ingress {
        Ingress::Local => Arc::clone(&app.base_url),
        Ingress::Tunnel => public_url(host),
    };
    let origin = Origin(allowed.check_origin(request.headers())?);
    request.extensions_mut().insert(SiteOrigin(site));
    Ok(origin)
}

impl Origin {
    /// Lets the page that asked read the answer.
    pub(crate) fn allow(self, mut response: Response) -> Response {
        if let Some(origin) = self.0 {
            let headers = response.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(CORS_RESPONSE_HEADERS));
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        response
    }
}

/// Answers `OPTIONS` of a route, with what a preflight asks for where a page of another place sent it.
pub(crate) fn options(app: &App, request: &Request, origin: &Origin) -> Option<Response> {
    if request.method() != Method::OPTIONS {
        return None;
    }
    let methods = app.permissions.methods(route_of(request)?)?;
    let methods = HeaderValue::from_str(&methods).expect("method names are header text");
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    if origin.0.is_some() {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(CORS_REQUEST_HEADERS));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_MAX_AGE_S));
    }
    headers.insert(header::ALLOW, methods);
    Some(response)
}

fn foreign_origin(origin: &str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "ORIGIN_NOT_ALLOWED", format!("pages from {origin:?} may not call this node"))
        .hint("open the GUI at the address the node printed, or add the origin to gateway.allowed_origins")
}

fn bracketed(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
        && (!host.starts_with('[') || host.contains("]:"))
}

fn shown(value: &str) -> String {
    value.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_a_port_is_answered_at_the_listeners_port_too() {
        let extra = ["Flowork.lan", "other.lan:81", "[fd00::1]"].map(str::to_owned);
        let list = AllowList::local("127.0.0.1:7717".parse().unwrap(), &extra, &[]);
        let is_ours = |host: &str| {
            list.check_host(&Request::get("/").header("host", host).body(axum::body::Body::empty()).unwrap()).is_ok()
        };
        for host in ["flowork.lan", "FLOWORK.LAN:7717", "other.lan:81", "[fd00::1]:7717", "[fd00::1]", "localhost:7717"]
        {
            assert!(is_ours(host), "{host}");
        }
        for host in ["flowork.lan:81", "other.lan", "other.lan:7717", "x.flowork.lan", "flowork.lan.evil.example", ""] {
            assert!(!is_ours(host), "{host}");
        }
    }
}
