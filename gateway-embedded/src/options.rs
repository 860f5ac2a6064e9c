//! What can be set about the gateway. Every bound has its default and its reason here.

use std::{net::SocketAddr, time::Duration};

/// Where the gateway listens, whom it believes, and how much it takes.
#[derive(Clone, Debug)]
pub struct GatewayOptions {
    /// Where to listen; port 0 lets the system pick.
    pub listen: SocketAddr,
    /// `Host` values to accept besides the listener's own, such as `flowork.lan:7717`.
    pub extra_hosts: Vec<String>,
    /// Origins to accept besides the listener's own, such as `https://gui.example`.
    pub extra_origins: Vec<String>,
    /// The bounds.
    pub limits: Limits,
}

impl GatewayOptions {
    /// Listens on `listen` with the default bounds and believes only its own address.
    pub fn new(listen: SocketAddr) -> Self {
        Self { listen, extra_hosts: Vec::new(), extra_origins: Vec::new(), limits: Limits::default() }
    }
}

/// Upper bounds of what clients may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time. Further ones wait in the system's backlog. 1,024 fits the usual limit of 1,024 to 4,096
    /// open files together with the databases.
    pub connections_max: usize,
    /// Time for a request's head, and for the next request on an open connection. 10 s cuts clients that send slowly
    /// on purpose and hurts nobody.
    pub header_timeout: Duration,
    /// Time for a request's body.
    pub body_timeout: Duration,
    /// A connection on which no byte moved for this long is cut. Longer than a long poll (30 s) and a keep-alive of
    /// an event stream (15 s).
    pub idle_timeout: Duration,
    /// Bytes of a request's head.
    pub head_bytes_max: usize,
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
            connections_max: 1_024,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            head_bytes_max: 32 << 10,
            headers_max: 64,
            body_bytes_in_flight_max: 128 << 20,
            keep_alive_interval: Duration::from_secs(15),
        }
    }
}
