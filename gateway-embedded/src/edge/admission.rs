//! How often anybody may ask, and what is answered to who asks more often.
//!
//! [`admit_address`] stands before the sign-in and counts by address; [`admit_caller`] stands behind it and counts by
//! person or engine. See [`Rates`] for who is counted where.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use flowork_admission::{InFlight, Limiter, Network, Rate, Verdict};
use flowork_api_types::{EngineId, auth::Role};
use http::{HeaderName, HeaderValue, Method, StatusCode, header, uri::Authority};

use super::client::{ClientIp, Ingress};
use crate::{
    app::{App, AppState},
    auth::{
        credentials::{CallingEngine, Person},
        permission::{Permission, Standing},
    },
    error::ApiError,
    options::{Limits, Rates},
};

/// Source: draft-ietf-httpapi-ratelimit-headers-10.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Addresses that are told apart at a time: more than ever call a node at once, in half a MiB for each budget.
const ADDRESSES: usize = 1 << 15;
/// The same for people and engines, who are known by name.
const CALLERS: usize = 1 << 12;

/// What lets a request in costs nothing of the budget of addresses here: it has one of its own.
const TIME_ROUTE: &str = "/v1/time";
const AUTH_ROUTES: &str = "/v1/auth/";
/// Goes on with a sign-in. What it asks for is too long to be guessed.
const REFRESH_ROUTE: &str = "/v1/auth/refresh";
/// Sync sessions, which have a budget of their own.
const SESSION_ROUTES: &str = "/v1/sessions";
/// Follows a sync session.
const SOCKET_ROUTE: &str = "/ws";

/// All budgets.
pub(crate) struct Admission {
    started: Instant,
    address: Budget<Network>,
    auth: Budget<Network>,
    refresh: Budget<Network>,
    failures: Budget<Network>,
    time: Budget<Network>,
    read: Budget<Caller>,
    write: Budget<Caller>,
    sessions: Budget<Caller>,
    engine: Budget<Caller>,
    local: Budget<Caller>,
    in_flight: InFlight<Network>,
}

/// A budget with the name that its headers give it.
struct Budget<K> {
    name: &'static str,
    limiter: Option<Limiter<K>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Caller {
    Person(Arc<str>),
    Engine(EngineId),
}

/// What a request without credentials counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Anything that is for everybody: pages, `/health`, what is no route at all.
    Open,
    /// A try to sign in.
    Auth,
    /// Goes on with a sign-in, so that whoever is in stays in while a neighbor guesses.
    Refresh,
    Time,
    /// Asks for credentials, so whoever has them is counted by name.
    Protected,
}

/// Why a request was refused for its credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// It had none, or such as were good once.
    Stale,
    /// They never were.
    Wrong,
}

impl Admission {
    pub(crate) fn new(rates: &Rates, limits: &Limits) -> Self {
        Self {
            started: Instant::now(),
            address: Budget::new("address", rates.address, ADDRESSES),
            auth: Budget::new("auth", rates.auth, ADDRESSES),
            refresh: Budget::new("refresh", rates.refresh, ADDRESSES),
            failures: Budget::new("failures", rates.failures, ADDRESSES),
            time: Budget::new("time", rates.time, ADDRESSES),
            read: Budget::new("read", rates.read, CALLERS),
            write: Budget::new("write", rates.write, CALLERS),
            sessions: Budget::new("sessions", rates.sessions, CALLERS),
            engine: Budget::new("engine", rates.engine, CALLERS),
            local: Budget::new("local", rates.local, CALLERS),
            in_flight: InFlight::new(limits.in_flight_per_address_max),
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Counts a request of `network` before anything else is known about it.
    fn admit_stranger(&self, network: Network, kind: Kind) -> Result<(), ApiError> {
        let now = self.now();
        match kind {
            Kind::Protected => Ok(()),
            Kind::Time => self.time.take(&network, now).map(|_| ()),
            Kind::Open => self.address.take(&network, now).map(|_| ()),
            Kind::Refresh => self.refresh.take(&network, now).map(|_| ()),
            Kind::Auth => {
                self.failures.look(&network, now)?;
                self.auth.take(&network, now).map(|_| ())
            }
        }
    }

    /// Counts a request that was refused for its credentials; an error if there were too many.
    fn count_failure(&self, network: Network, failure: Failure) -> Result<(), ApiError> {
        let now = self.now();
        self.address.take(&network, now)?;
        match failure {
            Failure::Stale => Ok(()),
            Failure::Wrong => self.failures.take(&network, now).map(|_| ()),
        }
    }
}

impl<K: std::hash::Hash> Budget<K> {
    fn new(name: &'static str, rate: Option<Rate>, keys: usize) -> Self {
        Self { name, limiter: rate.map(|rate| Limiter::new(rate, keys)) }
    }

    /// How the budget stands after one was taken; `None` without a limit.
    fn take(&self, key: &K, now: Duration) -> Result<Option<Verdict>, ApiError> {
        self.decide(self.limiter.as_ref().map(|limiter| limiter.take(key, now)))
    }

    fn look(&self, key: &K, now: Duration) -> Result<Option<Verdict>, ApiError> {
        self.decide(self.limiter.as_ref().map(|limiter| limiter.look(key, now)))
    }

    fn decide(&self, verdict: Option<Verdict>) -> Result<Option<Verdict>, ApiError> {
        match verdict {
            Some(verdict) if !verdict.allowed => Err(refusal(self.name, &verdict)),
            verdict => Ok(verdict),
        }
    }
}

/// Counts by address what comes from other machines without credentials, and credentials that are refused.
pub(crate) async fn admit_address(
    State(app): State<AppState>,
    ClientIp(address): ClientIp,
    ingress: Ingress,
    matched: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if is_this_machine(ingress, address, &request) {
        return Ok(next.run(request).await);
    }
    let network = Network::from(address);
    let path = matched.as_ref().map(MatchedPath::as_str);
    let kind = kind_of(&app, request.method(), path);
    app.admission.admit_stranger(network, kind).map_err(|refusal| known_as(path, refusal))?;
    // Whoever has credentials is not held up by neighbors behind the same address.
    let _place = match kind {
        Kind::Protected => None,
        _ => {
            let in_flight = &app.admission.in_flight;
            Some(in_flight.enter(network).ok_or_else(|| known_as(path, too_many_at_once(in_flight)))?)
        }
    };
    let response = next.run(request).await;
    if let Some(failure) = failure_of(&response, kind) {
        app.admission.count_failure(network, failure).map_err(|refusal| known_as(path, refusal))?;
    }
    Ok(response)
}

/// Counts by name what signed-in people and engines do.
pub(crate) async fn admit_caller(
    State(app): State<AppState>,
    ClientIp(address): ClientIp,
    ingress: Ingress,
    matched: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let admission = &app.admission;
    let path = matched.as_ref().map(MatchedPath::as_str);
    let of_sessions = path.is_some_and(|path| path.starts_with(SESSION_ROUTES));
    let now = admission.now();
    let here = is_this_machine(ingress, address, &request);
    let extensions = request.extensions();
    let (budget, caller) = if let Some(CallingEngine(engine)) = extensions.get() {
        (if here { &admission.local } else { &admission.engine }, Caller::Engine(*engine))
    } else if let Some(person) = extensions.get::<Person>() {
        if matches!(person.standing(), Standing::Guest(_)) && !here {
            // Guests are made by anybody, so a budget for each would be none.
            admission.address.take(&Network::from(address), now).map_err(|refusal| known_as(path, refusal))?;
        }
        let trusted =
            here && matches!(person.standing(), Standing::Person(Role::Owner | Role::Operator) | Standing::Admin(_));
        let budget = match request.method() {
            _ if trusted => &admission.local,
            _ if of_sessions => &admission.sessions,
            &Method::GET | &Method::HEAD => &admission.read,
            _ => &admission.write,
        };
        (budget, Caller::Person(Arc::clone(&person.subject)))
    } else {
        return Ok(next.run(request).await);
    };
    let verdict = budget.take(&caller, now).map_err(|refusal| known_as(path, refusal))?;
    let mut response = next.run(request).await;
    if let Some(verdict) = verdict
        && !std::ptr::eq(budget, &raw const admission.local)
    {
        for (name, value) in describe(budget.name, &verdict) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// On loopback all programs share one address, and it is not a stranger's. A proxy there, which speaks for others, asks
/// for the name under which they know it.
fn is_this_machine(ingress: Ingress, address: IpAddr, request: &Request) -> bool {
    ingress == Ingress::Local && address.is_loopback() && asks_for_loopback(request)
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

fn kind_of(app: &App, method: &Method, path: Option<&str>) -> Kind {
    let permission = path.and_then(|path| app.permissions.of(method, path));
    match (path, permission) {
        (Some(TIME_ROUTE), _) => Kind::Time,
        (Some(REFRESH_ROUTE), _) => Kind::Refresh,
        (Some(path), Some(Permission::Public)) if path.starts_with(AUTH_ROUTES) => Kind::Auth,
        (_, None | Some(Permission::Public)) => Kind::Open,
        (_, Some(_)) => Kind::Protected,
    }
}

/// What a refused request of a stranger counts as.
fn failure_of(response: &Response, kind: Kind) -> Option<Failure> {
    let code = response.extensions().get::<ApiError>().map(ApiError::code);
    match (response.status(), code) {
        // A window that wakes up asks for everything with a token that was good.
        (StatusCode::UNAUTHORIZED, Some("UNAUTHENTICATED" | "TOKEN_EXPIRED" | "TOKEN_NOT_YET" | "SESSION_ENDED")) => {
            Some(Failure::Stale)
        }
        // Nobody guesses a token or a key, and a program with one that was revoked must not shut its neighbors out.
        (StatusCode::UNAUTHORIZED, Some("TOKEN_INVALID" | "ENGINE_TOKEN_INVALID")) if kind == Kind::Protected => {
            Some(Failure::Stale)
        }
        (StatusCode::UNAUTHORIZED, _) if kind == Kind::Refresh => Some(Failure::Stale),
        (StatusCode::UNAUTHORIZED, _) | (_, Some("ACCESS_REFUSED")) => Some(Failure::Wrong),
        _ => None,
    }
}

fn too_many_at_once(in_flight: &InFlight<Network>) -> ApiError {
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", "too many requests at the same time")
        .hint(format!("one address may have {} requests in flight without a sign-in", in_flight.max()))
        .details(serde_json::json!({"retry_after_ms": 1_000, "retry_after_seconds": 1}))
        .header(RATE_LIMIT, HeaderValue::from_static("\"in_flight\";r=0;t=1"))
        .retry_after(Duration::from_secs(1))
}

/// The refusal as clients of this route know it: the interface of sync sessions has a code of its own, whichever budget
/// was used up.
fn known_as(path: Option<&str>, refusal: ApiError) -> ApiError {
    match path {
        Some(path) if path.starts_with(SESSION_ROUTES) || matches!(path, TIME_ROUTE | SOCKET_ROUTE) => {
            refusal.named("RATE_LIMIT_EXCEEDED")
        }
        _ => refusal,
    }
}

fn refusal(name: &'static str, verdict: &Verdict) -> ApiError {
    let rate = verdict.rate;
    let wait_ms = verdict.retry_in.as_millis() as u64;
    let wait_s = wait_ms.div_ceil(1_000).max(1);
    let message = format!("more than {rate} requests of this kind");
    let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", message)
        .hint(format!(
            "wait for as long as Retry-After says; the owner of the node sets gateway.rates.{name} in config.toml"
        ))
        .details(serde_json::json!({
            "budget": name, "rate": rate.to_string(), "retry_after_ms": wait_ms, "retry_after_seconds": wait_s,
        }))
        .retry_after(verdict.retry_in);
    describe(name, verdict).into_iter().fold(error, |error, (name, value)| error.header(name, value))
}

/// The budget and what is left of it, for programs that pace themselves.
fn describe(name: &'static str, verdict: &Verdict) -> [(HeaderName, HeaderValue); 2] {
    let wait = if verdict.allowed { verdict.full_in } else { verdict.retry_in };
    let seconds = wait.as_millis().div_ceil(1_000);
    let left = format!("\"{name}\";r={};t={seconds}", verdict.remaining);
    let policy = format!("\"{name}\";q={};w={}", verdict.rate.quota(), verdict.rate.window().as_secs());
    let value = |text: String| HeaderValue::from_str(&text).expect("names and numbers are header text");
    [(RATE_LIMIT, value(left)), (RATE_LIMIT_POLICY, value(policy))]
}
