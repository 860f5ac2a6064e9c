//! Names whose address changes between two look-ups, served by a real DNS server on loopback.
//!
//! 127.0.0.2 stands in for the public internet: the policy allows it, and nothing of this machine has to be reached
//! from outside. 127.0.0.1 is what the attacker is after, with a canary that counts who connects.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "rebinding/dns.rs"]
mod dns;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use dns::{DnsClient, DnsServer, Records};
use flowork_egress::{Egress, EgressError, EgressPolicy, LookUp, Method, Request, Url};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const PUBLIC: &str = "127.0.0.2";
const PRIVATE: &str = "127.0.0.1";

/// Two servers on one port: one that may be reached, and one that must not.
struct Servers {
    port: u16,
    public: Arc<AtomicUsize>,
    private: Arc<AtomicUsize>,
}

impl Servers {
    /// The public one answers with `answer(port)`.
    async fn start(answer: fn(u16) -> String) -> Self {
        let (public_listener, private_listener) = listen_twice().await;
        let port = public_listener.local_addr().unwrap().port();
        let (public, private) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        serve(public_listener, Arc::clone(&public), answer(port));
        serve(private_listener, Arc::clone(&private), ok("secret"));
        Self { port, public, private }
    }

    fn url(&self) -> String {
        format!("http://rebind.example:{}/", self.port)
    }

    fn counts(&self) -> (usize, usize) {
        (self.public.load(Ordering::SeqCst), self.private.load(Ordering::SeqCst))
    }
}

/// A port that is free on both addresses.
async fn listen_twice() -> (TcpListener, TcpListener) {
    loop {
        let public = TcpListener::bind((PUBLIC, 0)).await.unwrap();
        if let Ok(private) = TcpListener::bind((PRIVATE, public.local_addr().unwrap().port())).await {
            return (public, private);
        }
    }
}

fn serve(listener: TcpListener, count: Arc<AtomicUsize>, answer: String) {
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let mut head = Vec::new();
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut buffer = [0; 1024];
                match socket.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => head.extend_from_slice(&buffer[..count]),
                }
            }
            socket.write_all(answer.as_bytes()).await.ok();
        }
    });
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Answers once with each of `first`, then for ever with the private address.
fn rebinding(first: &[&[&str]]) -> Records {
    let first = first.iter().map(|answer| answer.iter().map(|text| address(text)).collect()).collect();
    Records { first, then: vec![address(PRIVATE)] }
}

fn egress(dns: &DnsServer) -> Egress {
    let policy = EgressPolicy::parse(&[PUBLIC]).unwrap();
    Egress::with_names(policy, Arc::new(DnsClient { server: dns.address }))
}

async fn get(egress: &Egress, url: &str) -> Result<u16, EgressError> {
    Ok(egress.send(Request::new(Method::GET, url).unwrap()).await?.status.as_u16())
}

/// The control: a guard that looks a name up, checks what it got, and lets the HTTP client look it up again.
async fn check_then_fetch(dns: &DnsServer, url: &str) -> Result<(), String> {
    let url = Url::parse(url).unwrap();
    let names = DnsClient { server: dns.address };
    let policy = EgressPolicy::parse(&[PUBLIC]).unwrap();
    let found = names.look_up(url.host_str().unwrap()).await.map_err(|error| error.to_string())?;
    if found.iter().any(|address| policy.refused_class(*address).is_some()) {
        return Err("refused".to_owned());
    }
    let again = names.look_up(url.host_str().unwrap()).await.map_err(|error| error.to_string())?;
    let target = SocketAddr::new(again[0], 0);
    let client = reqwest::Client::builder().no_proxy().resolve(url.host_str().unwrap(), target).build().unwrap();
    client.get(url).send().await.map(|_| ()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_its_checked_address_is_the_one_connected_to() {
    let servers = Servers::start(|_| ok("public")).await;
    let dns = DnsServer::start(rebinding(&[&[PUBLIC]])).await;
    assert_eq!(get(&egress(&dns), &servers.url()).await.unwrap(), 200);
    assert_eq!(servers.counts(), (1, 0));
    assert_eq!(dns.rounds(), 1, "a second look-up would have given the private address");

    let dns = DnsServer::start(rebinding(&[&[PUBLIC]])).await;
    check_then_fetch(&dns, &servers.url()).await.unwrap();
    assert_eq!(servers.counts(), (1, 1), "the control is fooled");
}

#[tokio::test]
async fn each_new_connection_is_checked_anew() {
    let servers = Servers::start(|_| ok("public")).await;
    let dns = DnsServer::start(rebinding(&[&[PUBLIC], &[PUBLIC]])).await;
    let egress = egress(&dns);
    for _ in 0..2 {
        assert_eq!(get(&egress, &servers.url()).await.unwrap(), 200);
    }
    for _ in 0..100 {
        let error = get(&egress, &servers.url()).await.unwrap_err();
        assert!(matches!(error, EgressError::Refused { .. }), "{error:?}");
    }
    assert_eq!(servers.counts(), (2, 0));
}

#[tokio::test]
async fn a_redirect_to_the_same_name_is_checked_anew() {
    let back = |port| {
        format!(
            "HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: http://rebind.example:{port}/x\r\ncontent-length: 0\r\n\r\n"
        )
    };
    let servers = Servers::start(back).await;
    let dns = DnsServer::start(rebinding(&[&[PUBLIC]])).await;
    let error = get(&egress(&dns), &servers.url()).await.unwrap_err();
    assert!(matches!(error, EgressError::Refused { .. }), "{error:?}");
    assert_eq!(servers.counts(), (1, 0));
}

#[tokio::test]
async fn a_private_address_among_public_ones_is_never_fallen_back_to() {
    let (public, private) = listen_twice().await;
    let port = public.local_addr().unwrap().port();
    // Nobody answers at the public address any more, so a client would try the next one.
    drop(public);
    let count = Arc::<AtomicUsize>::default();
    serve(private, Arc::clone(&count), ok("secret"));
    let both: &[&str] = &[PUBLIC, PRIVATE];
    let dns = DnsServer::start(rebinding(&[both; 20])).await;
    let egress = egress(&dns);
    for _ in 0..20 {
        let error = get(&egress, &format!("http://rebind.example:{port}/")).await.unwrap_err();
        assert!(matches!(error, EgressError::Connect { .. }), "{error:?}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn names_of_special_addresses_are_refused_in_both_families() {
    for special in [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "::1",
        "::ffff:127.0.0.1",
        "fd00::1",
        "fe80::1",
        "64:ff9b::7f00:1",
    ] {
        let dns = DnsServer::start(Records { first: vec![], then: vec![address(special)] }).await;
        let error = get(&egress(&dns), "http://rebind.example/").await.unwrap_err();
        assert!(matches!(error, EgressError::Refused { .. }), "{special}: {error:?}");
        assert!(dns.rounds() > 0, "the server was asked");
    }
}

#[tokio::test]
async fn callers_that_connect_by_themselves_get_checked_addresses() {
    let public = "93.184.216.34";
    let dns = DnsServer::start(rebinding(&[&[public, "192.168.0.1"]])).await;
    let (egress, url) = (egress(&dns), Url::parse("https://rebind.example/").unwrap());
    assert_eq!(egress.addresses(&url).await.unwrap(), [SocketAddr::new(address(public), 443)]);
    assert!(matches!(egress.addresses(&url).await.unwrap_err(), EgressError::Refused { .. }));
}
