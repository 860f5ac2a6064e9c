//! Real servers that count who connects: a refused request makes no connection at all.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use flowork_egress::{Egress, EgressError, EgressPolicy, Method, Request, header};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A server that answers every request with `answer` and remembers what it was sent.
struct Canary {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Canary {
    async fn start(answer: impl Fn(SocketAddr) -> String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let requests = Arc::<std::sync::Mutex<Vec<String>>>::default();
        let (counter, seen, answer) = (Arc::clone(&connections), Arc::clone(&requests), answer(address));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let mut head = Vec::new();
                // 0x16 opens a TLS handshake: there will be no end of a head.
                while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.first() != Some(&0x16) {
                    let mut buffer = [0; 1024];
                    match socket.read(&mut buffer).await {
                        Ok(0) | Err(_) => break,
                        Ok(count) => head.extend_from_slice(&buffer[..count]),
                    }
                }
                seen.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
                socket.write_all(answer.as_bytes()).await.ok();
            }
        });
        Self { address, connections, requests }
    }

    fn count(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn redirect(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}

fn egress(allow: &[String]) -> Egress {
    Egress::new(EgressPolicy::parse(allow).unwrap())
}

#[tokio::test]
async fn loopback_gets_no_connection_unless_the_owner_allows_it() {
    let canary = Canary::start(|_| ok("hello")).await;
    for host in ["127.0.0.1", "localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]"] {
        let url = format!("http://{host}:{}/", canary.address.port());
        let error = egress(&[]).send(Request::new(Method::GET, &url).unwrap()).await.unwrap_err();
        assert!(matches!(error, EgressError::Refused { .. }), "{url}: {error:?}");
    }
    assert_eq!(canary.count(), 0, "a refused request must not connect");

    // The control: the same request under a policy that allows the host does connect.
    for allow in [canary.address.to_string(), "127.0.0.0/8".to_owned()] {
        let url = format!("http://{}/", canary.address);
        let mut response = egress(&[allow]).send(Request::new(Method::GET, &url).unwrap()).await.unwrap();
        assert_eq!(&response.bytes().await.unwrap()[..], b"hello");
    }
    assert_eq!(canary.count(), 2);
}

#[tokio::test]
async fn a_name_that_resolves_to_loopback_gets_no_connection() {
    // `localhost` goes to the resolver once some loopback address is allowed, and the resolver refuses the others.
    let canary = Canary::start(|_| ok("hello")).await;
    let url = format!("http://localhost:{}/", canary.address.port());
    let error = egress(&["127.9.9.9".to_owned()]).send(Request::new(Method::GET, &url).unwrap()).await.unwrap_err();
    let EgressError::Refused { address, .. } = &error else { panic!("{error:?}") };
    assert!(address.unwrap().is_loopback());
    assert_eq!(canary.count(), 0);
    let allowed = egress(&["127.0.0.0/8".to_owned()]).send(Request::new(Method::GET, &url).unwrap()).await.unwrap();
    assert_eq!(allowed.status, 200, "the control connects");
    assert_eq!(canary.count(), 1);
}

#[tokio::test]
async fn redirect_to_a_refused_address_gets_no_connection() {
    let canary = Canary::start(|_| ok("secret")).await;
    let port = canary.address.port();
    for target in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("//[::1]:{port}/"),
        "http://169.254.169.254/latest/".to_owned(),
        "file:///etc/passwd".to_owned(),
        format!("http://a:b@127.0.0.1:{port}/"),
    ] {
        let front = Canary::start(|_| redirect(&target)).await;
        let url = format!("http://{}/", front.address);
        let policy = [front.address.to_string()];
        let error = egress(&policy).send(Request::new(Method::GET, &url).unwrap()).await.unwrap_err();
        assert!(
            matches!(
                error,
                EgressError::Refused { .. }
                    | EgressError::SchemeNotAllowed { .. }
                    | EgressError::CredentialsInUrl { .. }
            ),
            "{target}: {error:?}"
        );
        assert_eq!(front.count(), 1, "{target}");
    }
    assert_eq!(canary.count(), 0);

    let front = Canary::start(|_| redirect(&format!("http://127.0.0.1:{port}/"))).await;
    let url = format!("http://{}/", front.address);
    let policy = [front.address.to_string(), canary.address.to_string()];
    let response = egress(&policy).send(Request::new(Method::GET, &url).unwrap()).await.unwrap();
    assert_eq!((response.status.as_u16(), response.redirects.len()), (200, 1), "the control follows");
    assert_eq!(canary.count(), 1);
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect_to_another_origin() {
    let target = Canary::start(|_| ok("end")).await;
    let front = Canary::start(|_| redirect(&format!("http://{}/", target.address))).await;
    let mut request = Request::new(Method::GET, &format!("http://{}/", front.address)).unwrap();
    for (name, value) in [(header::AUTHORIZATION, "Bearer canary"), (header::COOKIE, "c=canary")] {
        request.headers.insert(name, value.parse().unwrap());
    }
    request.headers.insert("x-vendor-key", "canary".parse().unwrap());
    egress(&["127.0.0.0/8".to_owned()]).send(request).await.unwrap();
    assert!(front.requests.lock().unwrap()[0].contains("canary"), "the control: the first origin gets them");
    assert!(!target.requests.lock().unwrap()[0].contains("canary"));
}

#[tokio::test]
async fn endless_redirects_and_long_bodies_end() {
    let spinning = Canary::start(|address| redirect(&format!("http://{address}/again"))).await;
    let url = format!("http://{}/", spinning.address);
    let error = egress(&["127.0.0.1".to_owned()]).send(Request::new(Method::GET, &url).unwrap()).await.unwrap_err();
    assert!(matches!(error, EgressError::TooManyRedirects { max: 5, .. }), "{error:?}");
    assert_eq!(spinning.count(), 6);

    let announced = Canary::start(|_| ok(&"x".repeat(100))).await;
    let silent = Canary::start(|_| format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(100))).await;
    for canary in [announced, silent] {
        let mut request = Request::new(Method::GET, &format!("http://{}/", canary.address)).unwrap();
        request.limits.response_bytes_max = 99;
        let mut response = egress(&["127.0.0.1".to_owned()]).send(request).await.unwrap();
        let error = response.bytes().await.unwrap_err();
        assert!(matches!(error, EgressError::ResponseTooLarge { max: 99, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn silent_absent_and_broken_servers_are_told_apart() {
    let egress = egress(&["127.0.0.1".to_owned()]);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut request = Request::new(Method::GET, &format!("http://{}/", silent.local_addr().unwrap())).unwrap();
    request.limits.total_timeout = Duration::from_millis(100);
    let error = egress.send(request).await.unwrap_err();
    assert!(matches!(error, EgressError::Timeout { phase: "answer", .. }), "{error:?}");

    let closed = silent.local_addr().unwrap();
    drop(silent);
    let error = egress.send(Request::new(Method::GET, &format!("http://{closed}/")).unwrap()).await.unwrap_err();
    assert!(matches!(error, EgressError::Connect { .. }), "{error:?}");
    assert!(error.is_transient() && error.hint().is_some() && error.chain().contains("refused"), "{}", error.chain());

    let garbage = Canary::start(|_| "this is not HTTP\r\n\r\n".to_owned()).await;
    let url = format!("http://{}/secret-path?key=canary", garbage.address);
    let error = egress.send(Request::new(Method::GET, &url).unwrap()).await.unwrap_err();
    assert!(matches!(error, EgressError::Transfer { .. }), "{error:?}");
    assert!(!error.chain().contains("canary"), "a query may hold a secret: {}", error.chain());

    let plain = Canary::start(|_| ok("no TLS here")).await;
    let url = format!("https://{}/", plain.address);
    let error = egress.send(Request::new(Method::GET, &url).unwrap()).await.unwrap_err();
    assert!(matches!(error, EgressError::Tls { .. }), "{error:?}");
}
