//! Sends a request: check, connect, follow redirects by hand.

use std::{
    error::Error,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use crate::{
    error::EgressError,
    policy::{EgressPolicy, Route},
    redirect,
    request::{Request, check_headers},
    resolve::{LookUp, LookUpError, RefusedAddress, Resolver, SystemLookUp, UnresolvedName},
    response::Response,
};

/// How long a TCP and TLS handshake may take; a server that needs longer is as good as down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an unused connection is kept for the next request.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Unused connections kept for one host.
const POOL_IDLE_PER_HOST_MAX: usize = 4;

/// The way out. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Egress {
    policy: Arc<EgressPolicy>,
    names: Arc<dyn LookUp>,
    /// Made on first use: loading root certificates takes milliseconds that a start does not have.
    clients: Arc<Clients>,
}

#[derive(Default)]
struct Clients {
    open: OnceLock<reqwest::Client>,
    guarded: OnceLock<reqwest::Client>,
}

impl Egress {
    /// A way out under `policy`.
    pub fn new(policy: EgressPolicy) -> Self {
        Self::with_names(policy, Arc::new(SystemLookUp))
    }

    /// A way out under `policy` that asks somebody else than the system for the addresses of names.
    pub fn with_names(policy: EgressPolicy, names: Arc<dyn LookUp>) -> Self {
        Self { policy: Arc::new(policy), names, clients: Arc::default() }
    }

    /// What may be reached.
    pub fn policy(&self) -> &EgressPolicy {
        &self.policy
    }

    /// Sends `request` and follows its redirects; returns once the head of the last answer is there.
    ///
    /// # Errors
    /// The URL, a redirect or an address is refused; the host can't be found or reached; a time limit was hit.
    pub async fn send(&self, mut request: Request) -> Result<Response, EgressError> {
        check_headers(&request.headers)?;
        let deadline = Instant::now() + request.limits.total_timeout;
        let mut redirects = Vec::new();
        loop {
            let inner = self.hop(&request, deadline).await?;
            let (status, headers) = (inner.status(), inner.headers().clone());
            match redirect::target(status, &headers) {
                Some(_) if redirects.len() >= request.limits.redirects_max && request.limits.redirects_max > 0 => {
                    return Err(EgressError::TooManyRedirects {
                        host: host_of(&request.url),
                        max: request.limits.redirects_max,
                    });
                }
                Some(location) if request.limits.redirects_max > 0 => {
                    redirects.push(redirect::follow(&mut request, status, location)?);
                }
                _ => {
                    let Request { url, limits, .. } = request;
                    return Ok(Response { status, headers, url, redirects, inner, deadline, limits, received: 0 });
                }
            }
        }
    }

    /// Addresses of `url`'s host that may be connected to, for callers that speak something else than HTTP.
    ///
    /// # Errors
    /// The URL is refused, the name does not resolve, or all its addresses are refused.
    pub async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, EgressError> {
        let route = self.policy.route(url)?;
        let port = url.port_or_known_default().unwrap_or(443);
        let addresses = match url.host() {
            Some(Host::Ipv4(address)) => return Ok(vec![(address, port).into()]),
            Some(Host::Ipv6(address)) => return Ok(vec![(address, port).into()]),
            Some(Host::Domain(name)) => self.resolver(route).addresses(name).await,
            None => return Err(EgressError::InvalidUrl { reason: "it names no host".to_owned() }),
        };
        let mut addresses = addresses.map_err(|error| match error {
            LookUpError::Refused(refused) => refused_error(url, &refused),
            LookUpError::Unresolved(UnresolvedName(source)) => EgressError::Dns { host: host_of(url), source },
        })?;
        for address in &mut addresses {
            address.set_port(port);
        }
        Ok(addresses)
    }

    async fn hop(&self, request: &Request, deadline: Instant) -> Result<reqwest::Response, EgressError> {
        let route = self.policy.route(&request.url)?;
        let mut outgoing =
            self.client(route)?.request(request.method.clone(), request.url.clone()).headers(request.headers.clone());
        if let Some(body) = &request.body {
            outgoing = outgoing.body(body.clone());
        }
        let head_deadline = Instant::now() + request.limits.read_timeout;
        match timeout_at(deadline.min(head_deadline), outgoing.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(explain(&request.url, error)),
            Err(_) => Err(EgressError::Timeout {
                host: host_of(&request.url),
                phase: "answer",
                limit: request.limits.total_timeout.min(request.limits.read_timeout),
            }),
        }
    }

    fn client(&self, route: Route) -> Result<&reqwest::Client, EgressError> {
        let cell = match route {
            Route::Open => &self.clients.open,
            Route::Guarded => &self.clients.guarded,
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let client = reqwest::Client::builder()
            .dns_resolver(self.resolver(route))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .pool_max_idle_per_host(POOL_IDLE_PER_HOST_MAX)
            .user_agent(concat!("flowork/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|source| EgressError::Client { source: Box::new(source) })?;
        Ok(cell.get_or_init(|| client))
    }

    fn resolver(&self, route: Route) -> Resolver {
        Resolver { names: Arc::clone(&self.names), policy: (route == Route::Guarded).then(|| Arc::clone(&self.policy)) }
    }
}

fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

fn refused_error(url: &Url, refused: &RefusedAddress) -> EgressError {
    EgressError::Refused {
        host: host_of(url),
        port: url.port_or_known_default().unwrap_or_default(),
        address: Some(refused.address),
        class: refused.class,
    }
}

/// Finds out from the chain of causes what went wrong. The HTTP library has one error type for all of it.
fn explain(url: &Url, error: reqwest::Error) -> EgressError {
    let host = host_of(url);
    let port = url.port_or_known_default().unwrap_or_default();
    let mut causes = Vec::new();
    let mut next: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(cause) = next {
        if let Some(refused) = cause.downcast_ref::<RefusedAddress>() {
            return refused_error(url, refused);
        }
        if let Some(LookUpError::Refused(refused)) = cause.downcast_ref::<LookUpError>() {
            return refused_error(url, refused);
        }
        if let Some(LookUpError::Unresolved(UnresolvedName(source))) = cause.downcast_ref::<LookUpError>() {
            let source = std::io::Error::new(source.kind(), source.to_string());
            return EgressError::Dns { host, source };
        }
        causes.push(cause.to_string());
        // An io::Error hides what it wraps from `source`.
        next = match cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    if error.is_timeout() {
        return EgressError::Timeout { host, phase: "connect", limit: CONNECT_TIMEOUT };
    }
    let innermost = causes.pop().unwrap_or_default();
    if error.is_connect() && url.scheme() == "https" && mentions_tls(&innermost) {
        return EgressError::Tls { host, port, reason: innermost };
    }
    let is_connect = error.is_connect();
    let source = Box::new(error.without_url());
    if is_connect { EgressError::Connect { host, port, source } } else { EgressError::Transfer { host, source } }
}

/// The TLS library's errors arrive as text here: its type belongs to a crate this one does not depend on.
fn mentions_tls(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["certificate", "tls", "handshake", "received corrupt message", "received fatal alert", "peer is incompatible"]
        .iter()
        .any(|word| text.contains(word))
}
