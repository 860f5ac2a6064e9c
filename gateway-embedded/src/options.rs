//! What can be set about the gateway. Every bound has its default and its reason here.

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use flowork_admission::Rate;

/// Where the gateway listens, whom it believes, and how much it takes.
#[derive(Clone, Debug)]
pub struct GatewayOptions {
    /// Where to listen; port 0 lets the system pick.
    pub listen: SocketAddr,
    /// A second listener, for a tunnel.
    pub tunnel: Option<TunnelOptions>,
    /// Whether the listeners may have addresses that other machines reach.
    pub beyond_loopback: bool,
    /// `Host` values to accept besides the listener's own, such as `flowork.lan:7717`.
    pub extra_hosts: Vec<String>,
    /// Origins to accept besides the listeners' own, such as `https://gui.example`.
    pub extra_origins: Vec<String>,
    /// Chains whose accounts may sign in, the one for who names none first. Nothing is asked of a chain.
    pub chain_ids: Vec<u64>,
    /// The bounds.
    pub limits: Limits,
    /// How often anybody may ask.
    pub rates: Rates,
}

/// The listener that a tunnel speaks to. Everything on it is remote and untrusted.
#[derive(Clone, Debug)]
pub struct TunnelOptions {
    /// Where to listen; port 0 lets the system pick.
    pub listen: SocketAddr,
    /// The names under which the tunnel is reached, such as `node.example.com`; no other `Host` is answered.
    pub public_hosts: Vec<String>,
    /// What Cloudflare Access must have said about each request.
    pub access: Option<AccessOptions>,
}

/// Which tokens of Cloudflare Access let a request in.
#[derive(Clone, Debug)]
pub struct AccessOptions {
    /// The team's address, such as `https://team.cloudflareaccess.com`; the issuer of its tokens.
    pub team_domain: String,
    /// The application's audience tag.
    pub audience: String,
}

impl GatewayOptions {
    /// Listens on `listen` with the default bounds and believes only its own address.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tunnel: None,
            beyond_loopback: false,
            extra_hosts: Vec::new(),
            extra_origins: Vec::new(),
            chain_ids: vec![1],
            limits: Limits::default(),
            rates: Rates::default(),
        }
    }
}

/// Upper bounds of what clients may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// WebSockets at a time, which are not counted as connections once they are open. Each takes a file and some KiB.
    pub sockets_max: usize,
    /// Each WebSocket is sent a ping this often; one that left two unanswered is closed.
    pub ping_interval: Duration,
    /// Connections at a time on the local listener. When all are taken, the one goes that keeps us waiting for
    /// longest; if none does, further ones wait in the system's backlog. 1,024 fits the usual limit of 1,024 to 4,096
    /// open files together with the databases.
    pub connections_max: usize,
    /// The same on the tunnel's listener, which has its own, so that strangers can't use up the local one's.
    pub tunnel_connections_max: usize,
    /// Connections at a time from one address of another machine.
    pub connections_per_address_max: usize,
    /// Requests without credentials that one remote address may have in flight.
    pub in_flight_per_address_max: usize,
    /// Time for a request's head, and for the next request on an open connection. 10 s cuts clients that send slowly
    /// on purpose and hurts nobody.
    pub header_timeout: Duration,
    /// Time for a request's body, and a second more for each [`Limits::body_rate_min`] bytes of it that came: a large
    /// body on a slow line has its time, a byte now and then has not.
    pub body_timeout: Duration,
    /// Bytes of a body that have to come in a second, in the long run. The slowest of mobile lines brings as much.
    pub body_rate_min: NonZeroU32,
    /// Time in which something of a body has to come, as for the head.
    pub body_idle_timeout: Duration,
    /// A client that leaves an answer unread for this long is cut. Only bytes that could not leave count: a stream or
    /// a long poll that has nothing to say is not waiting for its client.
    pub answer_idle_timeout: Duration,
    /// A connection on which no byte moved for this long is cut. Longer than a long poll (30 s) and a keep-alive of
    /// an event stream (15 s).
    pub idle_timeout: Duration,
    /// Bytes of a request's head.
    pub head_bytes_max: usize,
    /// Bytes of a request's target. The longest that the GUI makes, a list with all of its filters, is far below.
    pub target_bytes_max: usize,
    /// Headers of a request.
    pub headers_max: usize,
    /// Bytes of request bodies held at a time by all requests together; beyond it the answer is 503 `OVERLOADED`.
    pub body_bytes_in_flight_max: usize,
    /// An event stream sends a comment this often, so that proxies and the idle timeout leave it alone.
    pub keep_alive_interval: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sockets_max: 10_000,
            ping_interval: Duration::from_secs(5),
            connections_max: 1_024,
            tunnel_connections_max: 512,
            connections_per_address_max: 256,
            in_flight_per_address_max: 64,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            body_rate_min: count(4 << 10),
            body_idle_timeout: Duration::from_secs(10),
            answer_idle_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            head_bytes_max: 32 << 10,
            target_bytes_max: 8 << 10,
            headers_max: 64,
            body_bytes_in_flight_max: 128 << 20,
            keep_alive_interval: Duration::from_secs(15),
        }
    }
}

/// How often anybody may ask; `None` is no limit.
///
/// Those without credentials are counted by address, and only where an address means something: on the tunnel's
/// listener, and for other machines. On loopback all programs share one address, so a budget by address would let any
/// of them lock the owner out.
#[derive(Clone, Debug)]
pub struct Rates {
    /// Requests without credentials or with a token that was not seen yet, and those of guests, by address.
    pub address: Option<Rate>,
    /// Sign-ins that are tried, by address.
    pub auth: Option<Rate>,
    /// Sign-ins that are gone on with, by address. No failures hold these up.
    pub refresh: Option<Rate>,
    /// Sign-ins that failed, by address. When they are used up none is tried any more.
    pub failures: Option<Rate>,
    /// `GET /v1/time`, by address: clocks that agree need some in a row, and many share an address.
    pub time: Option<Rate>,
    /// What a person reads.
    pub read: Option<Rate>,
    /// What a person changes.
    pub write: Option<Rate>,
    /// What a person asks of sync sessions; how often one of them is switched has a limit of its own.
    pub sessions: Option<Rate>,
    /// Calls of an engine.
    pub engine: Option<Rate>,
    /// In place of those by person and engine: the owner, operators and engines on the local listener.
    pub local: Option<Rate>,
}

impl Rates {
    /// Nothing is limited.
    pub const UNLIMITED: Self = Self {
        address: None,
        auth: None,
        refresh: None,
        failures: None,
        time: None,
        read: None,
        write: None,
        sessions: None,
        engine: None,
        local: None,
    };
}

const fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("rates are not zero")
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            // A page of the GUI with all its files is some thirty requests.
            address: Some(Rate::per_minute(count(1_200))),
            // A home with ten people that sign in at the same time.
            auth: Some(Rate::per_minute(count(60))),
            // Every window of as many people as `address` has room for, some times an hour.
            refresh: Some(Rate::per_minute(count(600))),
            failures: Some(Rate::per_minute(count(30))),
            time: Some(Rate::per_second(count(1_000))),
            // Several windows that refresh from events, and scripts besides.
            read: Some(Rate::per_minute(count(6_000))),
            write: Some(Rate::per_minute(count(3_000))),
            // More than a hand presses a clock; programs that look follow the session by a socket instead.
            sessions: Some(Rate::per_minute(count(100))),
            // 64 workers that claim and finish one by one, eight jobs a second each.
            engine: Some(Rate::per_minute(count(60_000))),
            // More than a node can answer; it bounds a program that has run wild, and nobody else.
            local: Some(Rate::per_second(count(100_000))),
        }
    }
}
