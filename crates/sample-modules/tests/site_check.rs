//! `site-check` on real servers of this machine.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/lines.rs"]
mod support;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivatePkcs8KeyDer};
use serde_json::json;
use support::{expect_error, run, value};

/// Answers `METHOD path` by `answer` (status and body), and counts connections.
fn serve(answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let (counter, answer) = (Arc::clone(&count), Arc::new(answer));
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            counter.fetch_add(1, Ordering::SeqCst);
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || respond(socket, &*answer));
        }
    });
    (address, count)
}

fn respond(mut socket: impl Read + Write, answer: &dyn Fn(&str) -> (u16, String)) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1");
    let (status, body) = answer(line);
    let location = if status == 302 { format!("location: {body}\r\n") } else { String::new() };
    let text = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\n{location}content-type: text/html\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(text.as_bytes()).ok();
    if !line.starts_with("HEAD") {
        socket.write_all(body.as_bytes()).ok();
    }
    socket.flush().ok();
}

#[test]
fn a_page_and_its_links_are_checked() {
    let (address, _) = serve(|line| match line {
        "GET /" => (302, "/home".to_owned()),
        "GET /home" => (
            200,
            "<title>Home</title><a href=/good>g</a><a href=/gone>x</a><a href=/no-head>n</a><a href=/secret>s</a>\
             <a href=http://169.254.169.254/>m</a>"
                .to_owned(),
        ),
        "HEAD /good" | "GET /no-head" => (200, String::new()),
        "HEAD /no-head" => (405, String::new()),
        "HEAD /secret" | "GET /secret" => (403, String::new()),
        _ => (404, String::new()),
    });
    let url = format!("http://{address}/");
    let report = value(run("site-check", &json!({"url": url}), &[address.to_string()]));
    assert_eq!((&report["status"], &report["title"], &report["tls"]), (&json!(200), &json!("Home"), &json!(null)));
    assert_eq!(report["redirects"], json!([{"status": 302, "url": format!("{url}home")}]));
    let verdicts: Vec<_> = report["links"]["items"].as_array().unwrap().iter().map(|link| &link["verdict"]).collect();
    assert_eq!(verdicts, ["ok", "broken", "ok", "restricted", "refused"], "{report}");
    assert_eq!((&report["links"]["found"], &report["links"]["broken"]), (&json!(5), &json!(1)));
    let few = value(run("site-check", &json!({"url": url, "max_links": 1}), &[address.to_string()]));
    assert_eq!((&few["links"]["found"], &few["links"]["checked"]), (&json!(5), &json!(1)));
}

#[test]
fn loopback_is_refused_unless_the_owner_allows_it() {
    let (address, count) = serve(|_| (200, String::new()));
    let inputs = json!({"url": format!("http://{address}/")});
    expect_error(&run("site-check", &inputs, &[]), "EGRESS_REFUSED");
    assert_eq!(count.load(Ordering::SeqCst), 0);
    value(run("site-check", &inputs, &[address.to_string()]));
    assert_eq!(count.load(Ordering::SeqCst), 1, "the control connects");
}

#[test]
fn a_certificate_that_is_not_trusted_is_a_result() {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    for (not_after, expired) in [(4_000, false), (2_001, true)] {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params =
            rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned(), "site.example".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2_000, 1, 1);
        params.not_after = rcgen::date_time_ymd(not_after, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let stream: StreamOwned<ServerConnection, TcpStream> = StreamOwned::new(connection, socket);
                std::thread::spawn(move || respond(stream, &|_| (200, "<title>never seen</title>".to_owned())));
            }
        });
        let url = format!("https://{address}/");
        let report = value(run("site-check", &json!({"url": url}), &["127.0.0.1".to_owned()]));
        assert_eq!((&report["reachable"], &report["title"]), (&json!(false), &json!(null)), "{report}");
        let tls = &report["tls"];
        assert_eq!((&tls["trusted"], &tls["expired"]), (&json!(false), &json!(expired)), "{report}");
        assert_eq!(tls["days_left"].as_i64().unwrap() < 0, expired);
        assert_eq!(tls["names"], json!(["127.0.0.1", "site.example"]));
        assert!(report["problem"].as_str().unwrap().contains("TLS"), "{report}");
    }
}

#[test]
fn sites_that_are_not_there_fail_with_a_hint() {
    let allow = ["127.0.0.1".to_owned()];
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let line = run("site-check", &json!({"url": format!("http://{closed}/")}), &allow);
    expect_error(&line, "SITE_UNREACHABLE");
    assert_eq!(line["retryable"], true);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let inputs = json!({"url": format!("http://{}/", silent.local_addr().unwrap()), "timeout_ms": 100});
    expect_error(&run("site-check", &inputs, &allow), "SITE_TIMEOUT");
    expect_error(&run("site-check", &json!({"url": "ftp://example.com/"}), &[]), "INVALID_URL");
    expect_error(&run("site-check", &json!({"url": "nonsense"}), &[]), "INVALID_URL");
}
