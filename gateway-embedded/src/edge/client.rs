//! Who sent a request, as far as the network tells: by which listener it came, and from which address.
//!
//! Behind a tunnel every peer is the tunnel's own program on loopback, so there the address is what
//! `CF-Connecting-IP` says. That header, and every other one that claims an address, is believed nowhere else: on the
//! local listener anybody could send it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::extract::{FromRequestParts, Request};
use http::{HeaderMap, HeaderName, StatusCode, header, request::Parts, uri::Authority};

use crate::error::ApiError;

/// Where Cloudflare's edge puts the address of the one who called it.
const CONNECTING_IP: HeaderName = HeaderName::from_static("cf-connecting-ip");

/// Which listener a request came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ingress {
    /// The listener for this machine. That alone gives nobody rights.
    Local,
    /// The listener that a tunnel speaks to. Everything on it is remote and untrusted.
    Tunnel,
}

/// How a connection arrived; the listener puts it into each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// The other end of the connection.
    pub(crate) peer: SocketAddr,
    /// Whose connection it is.
    pub(crate) ingress: Ingress,
}

/// The address of the one who called: the peer's on the local listener, Cloudflare's word on the tunnel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientIp(pub(crate) IpAddr);

/// The origin under which the caller reaches this node, such as `http://127.0.0.1:7717` or `https://node.example.com`.
/// Links that are made for the caller begin with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SiteOrigin(pub(crate) Arc<str>);

impl Arrival {
    /// A connection of no listener at all, as in tests that call the router itself.
    const NOWHERE: Self = Self { peer: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0), ingress: Ingress::Local };

    /// How `request` arrived.
    pub(crate) fn of(request: &Request) -> Self {
        request.extensions().get().copied().unwrap_or(Self::NOWHERE)
    }
}

/// Who called, for what stands before the route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) ingress: Ingress,
    pub(crate) address: IpAddr,
    /// A program of this machine: it came to the local listener, from loopback, and under loopback's name. There all
    /// programs share one address, and it is not a stranger's. A proxy on loopback, which speaks for others, asks for
    /// the name under which they know it.
    pub(crate) is_here: bool,
}

/// Finds out the client's address and puts it, as [`ClientIp`] and [`Ingress`], into the request.
pub(crate) fn identify(request: &mut Request) -> Result<Client, ApiError> {
    let arrival = Arrival::of(request);
    let address = match arrival.ingress {
        Ingress::Local => arrival.peer.ip(),
        Ingress::Tunnel => connecting_ip(request.headers())?,
    };
    let address = address.to_canonical();
    let extensions = request.extensions_mut();
    extensions.insert(arrival.ingress);
    extensions.insert(ClientIp(address));
    let is_here = arrival.ingress == Ingress::Local && address.is_loopback() && asks_for_loopback(request);
    Ok(Client { ingress: arrival.ingress, address, is_here })
}

fn asks_for_loopback(request: &Request) -> bool {
    let mut named = request.headers().get_all(header::HOST).iter();
    let (Some(host), None) = (named.next(), named.next()) else { return false };
    let Some(host) = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) else { return false };
    [Some(&host), request.uri().authority()].into_iter().flatten().all(is_loopback_name)
}

fn is_loopback_name(authority: &Authority) -> bool {
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// The one address that the tunnel's edge tells. None, several or nonsense means that something else than the edge
/// speaks here, and then nothing about the request can be believed.
fn connecting_ip(headers: &HeaderMap) -> Result<IpAddr, ApiError> {
    let mut values = headers.get_all(CONNECTING_IP).iter();
    let address = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().and_then(|text| text.parse().ok()),
        _ => None,
    };
    address.ok_or_else(|| {
        let message = "this listener is for a tunnel, and the request does not say whom it is from";
        ApiError::new(StatusCode::BAD_REQUEST, "CLIENT_ADDRESS_INVALID", message)
            .hint("requests must come through Cloudflare, which sends CF-Connecting-IP exactly once")
    })
}

impl<S: Sync> FromRequestParts<S> for ClientIp {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get().copied().ok_or_else(ApiError::unexplained)
    }
}

impl<S: Sync> FromRequestParts<S> for Ingress {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get().copied().ok_or_else(ApiError::unexplained)
    }
}

impl<S: Sync> FromRequestParts<S> for SiteOrigin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get().cloned().ok_or_else(ApiError::unexplained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[&str], expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONNECTING_IP, value.parse().unwrap());
        }
        let found = connecting_ip(&headers).ok().map(|address| address.to_string());
        assert_eq!(found.as_deref(), expected, "{values:?}");
    }

    #[test]
    fn exactly_one_address_is_believed() {
        check(&["203.0.113.9"], Some("203.0.113.9"));
        check(&["2001:db8::7"], Some("2001:db8::7"));
        for bad in ["", " ", "203.0.113.9, 10.0.0.1", "203.0.113.9:443", "[2001:db8::7]", "unknown", "0x7f.1", "127.1"]
        {
            check(&[bad], None);
        }
        check(&[], None);
        check(&["203.0.113.9", "203.0.113.9"], None);
    }
}
