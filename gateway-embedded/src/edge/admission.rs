//! How often anybody may ask, and what is answered to who asks more often.
//!
//! [`admit_address`] stands before the sign-in and counts by address; [`admit_caller`] stands behind it and counts by
//! person or engine. See [`Rates`] for who is counted where. A token that was not seen before takes one from the budget
//! of its address before anything of it is checked, so that tokens that are made up cost no more than that; whoever has
//! one that was seen, or that this node made since its start, is not held up by neighbors.

use std::time::{Duration, Instant};

use axum::{extract::Request, response::Response};
use flowork_admission::{InFlight, Limiter, Network, Place, Rate, Verdict};
use flowork_api_types::auth::Role;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::{client::Client, route_of};
use crate::{
    app::App,
    auth::{
        credentials::{Account, CallingEngine, Person},
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
/// The same for people, guests and engines.
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
    read: Budget<Account>,
    write: Budget<Account>,
    sessions: Budget<Account>,
    engine: Budget<Account>,
    local: Budget<Account>,
    in_flight: InFlight<Network>,
}

/// A budget with the name that its headers give it.
struct Budget<K> {
    name: &'static str,
    limiter: Option<Limiter<K>>,
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
    /// The same with a token that no call came with yet: its signature has to be checked, which is work that anybody can
    /// ask for with a token that is made up.
    Unseen,
}

impl Kind {
    /// Whether the route asks for credentials.
    fn is_protected(self) -> bool {
        matches!(self, Self::Protected | Self::Unseen)
    }
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
            Kind::Open | Kind::Unseen => self.address.take(&network, now).map(|_| ()),
            Kind::Refresh => self.refresh.take(&network, now).map(|_| ()),
            Kind::Auth => {
                self.failures.look(&network, now)?;
                self.auth.take(&network, now).map(|_| ())
            }
        }
    }

    /// Counts a request that was refused for its credentials; an error if there were too many.
    fn count_failure(&self, network: Network, kind: Kind, failure: Failure) -> Result<(), ApiError> {
        let now = self.now();
        if kind != Kind::Unseen {
            // That one was counted when it came.
            self.address.take(&network, now)?;
        }
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

/// A request from another machine that has shown nobody's credentials yet.
pub(crate) struct Stranger<'a> {
    admission: &'a Admission,
    network: Network,
    kind: Kind,
    known_as: Naming,
    /// Whoever has credentials is not held up by neighbors behind the same address.
    _place: Option<Place<Network>>,
}

/// Counts by address what comes from other machines without credentials, and credentials that are refused.
pub(crate) fn admit_address<'a>(
    app: &'a App,
    client: Client,
    request: &Request,
) -> Result<Option<Stranger<'a>>, ApiError> {
    if client.is_here {
        return Ok(None);
    }
    let admission = &app.admission;
    let network = Network::from(client.address);
    let path = route_of(request);
    let known_as = Naming::of(path);
    let kind = kind_of(app, request.method(), path, request.headers());
    admission.admit_stranger(network, kind).map_err(|refusal| known_as.name(refusal))?;
    let place = match kind {
        Kind::Protected | Kind::Unseen => None,
        Kind::Open | Kind::Auth | Kind::Refresh | Kind::Time => {
            let place = admission.in_flight.enter(network);
            Some(place.ok_or_else(|| known_as.name(too_many_at_once(&admission.in_flight)))?)
        }
    };
    Ok(Some(Stranger { admission, network, kind, known_as, _place: place }))
}

impl Stranger<'_> {
    /// Counts credentials that were refused; the error is the answer of one who had too many.
    pub(crate) fn settle(self, response: Response) -> Result<Response, ApiError> {
        if let Some(failure) = failure_of(&response, self.kind) {
            let counted = self.admission.count_failure(self.network, self.kind, failure);
            counted.map_err(|refusal| self.known_as.name(refusal))?;
        }
        Ok(response)
    }
}

/// What a call took from a budget that its answer tells of.
pub(crate) struct Charge(Option<(&'static str, Verdict)>);

/// Counts by name what signed-in people and engines do.
pub(crate) fn admit_caller(app: &App, client: Client, request: &Request) -> Result<Charge, ApiError> {
    let admission = &app.admission;
    let known_as = Naming::of(route_of(request));
    let now = admission.now();
    let here = client.is_here;
    let extensions = request.extensions();
    let (budget, account) = if let Some(CallingEngine(engine)) = extensions.get() {
        (if here { &admission.local } else { &admission.engine }, Account::Engine(*engine))
    } else if let Some(person) = extensions.get::<Person>() {
        if matches!(person.standing(), Standing::Guest(_)) && !here {
            // Guests are made by anybody, so a budget for each would be none.
            let network = Network::from(client.address);
            admission.address.take(&network, now).map_err(|refusal| known_as.name(refusal))?;
        }
        let trusted =
            here && matches!(person.standing(), Standing::Person(Role::Owner | Role::Operator) | Standing::Admin(_));
        let budget = match request.method() {
            _ if trusted => &admission.local,
            _ if route_of(request).is_some_and(|path| path.starts_with(SESSION_ROUTES)) => &admission.sessions,
            &Method::GET | &Method::HEAD => &admission.read,
            _ => &admission.write,
        };
        (budget, person.account(client.address))
    } else {
        return Ok(Charge(None));
    };
    let verdict = budget.take(&account, now).map_err(|refusal| known_as.name(refusal))?;
    let told = !std::ptr::eq(budget, &raw const admission.local);
    Ok(Charge(verdict.filter(|_| told).map(|verdict| (budget.name, verdict))))
}

impl Charge {
    /// Says in the answer what is left.
    pub(crate) fn tell(self, mut response: Response) -> Response {
        if let Some((name, verdict)) = self.0 {
            response.headers_mut().extend(describe(name, &verdict));
        }
        response
    }
}

fn kind_of(app: &App, method: &Method, path: Option<&str>, headers: &HeaderMap) -> Kind {
    let permission = path.and_then(|path| app.permissions.of(method, path));
    match (path, permission) {
        (Some(TIME_ROUTE), _) => Kind::Time,
        (Some(REFRESH_ROUTE), _) => Kind::Refresh,
        (Some(path), Some(Permission::Public)) if path.starts_with(AUTH_ROUTES) => Kind::Auth,
        (_, None | Some(Permission::Public)) => Kind::Open,
        (_, Some(_)) if has_unseen_token(app, headers) => Kind::Unseen,
        (_, Some(_)) => Kind::Protected,
    }
}

/// Whether a request has a token whose signature has to be checked. Engines' own tokens and tickets are looked up.
fn has_unseen_token(app: &App, headers: &HeaderMap) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|value| {
        let token = value.to_str().ok().and_then(|text| Some(text.split_once(' ')?.1.trim()));
        !token.is_some_and(|token| app.state.tokens.remembers(token))
    })
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
        (StatusCode::UNAUTHORIZED, Some("TOKEN_INVALID" | "ENGINE_TOKEN_INVALID")) if kind.is_protected() => {
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

/// What clients of a route call a refusal: the interface of sync sessions has a code of its own, whichever budget was
/// used up.
#[derive(Clone, Copy, Debug)]
enum Naming {
    Usual,
    OfSessions,
}

impl Naming {
    fn of(path: Option<&str>) -> Self {
        match path {
            Some(path) if path.starts_with(SESSION_ROUTES) || matches!(path, TIME_ROUTE | SOCKET_ROUTE) => {
                Self::OfSessions
            }
            _ => Self::Usual,
        }
    }

    fn name(self, refusal: ApiError) -> ApiError {
        match self {
            Self::Usual => refusal,
            Self::OfSessions => refusal.named("RATE_LIMIT_EXCEEDED"),
        }
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
