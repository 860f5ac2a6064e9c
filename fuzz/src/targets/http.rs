//! The gateway of a real node, over real connections.
//!
//! Whatever is sent, the node answers in its own words (no 5xx but those that say when to come back), and lets nobody in
//! who has no token.

use std::{fmt::Write as _, sync::OnceLock, time::Duration};

use flowork_gateway::{Permission, RouteEntry, route_table};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    time::timeout,
};

use crate::node::{Fuzzed, node, runtime};

/// No request here may take longer: those that wait on purpose are left out.
const HANG: Duration = Duration::from_secs(30);
/// More of an answer is not looked at.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// An id of every kind of thing, of nothing that is there.
const ID_DIGITS: &str = "01930c5ea2f07a3c8000000000000000";

/// The bytes of one connection; `HOST` stands for where the node listens, or every request would end at its door.
pub(super) fn connection(data: &[u8]) {
    let mut bytes = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(4).position(|word| word == b"HOST") {
        bytes.extend(rest[..at].iter().chain(node().address.as_bytes()));
        rest = &rest[at + 4..];
    }
    bytes.extend(rest);
    if let Some(answer) = exchange(&bytes, Ending::Sender) {
        check(&answer, "these bytes");
    }
}

/// The first byte picks a route that takes a body, the rest is the body.
pub(super) fn body(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else { return };
    let routes = routes(|route| route.method != "GET");
    let route = routes[usize::from(*choice) % routes.len()];
    // Waits for a job, at most half a minute: that is what it is for. And new keys take a second to make.
    let is_slow = body.windows(4).any(|word| word == b"wait") || route.path.ends_with("/rotate");
    if is_slow {
        return;
    }
    let path = filled(&route.path, |name| format!("{}_{ID_DIGITS}", prefix(name)));
    let mut head = head(route, &path);
    let _ = write!(head, "content-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    let answer = exchange(&[head.as_bytes(), body].concat(), Ending::Node).expect("a whole request is answered");
    check(&answer, &format!("{} {path}", route.method));
}

/// The first byte picks a route, the first line is what stands for the names in its path, the rest is the query.
pub(super) fn query(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    let routes = routes(|route| route.method == "GET");
    let route = routes[usize::from(*choice) % routes.len()];
    let (inside, query) = match rest.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (&b""[..], rest),
    };
    let path = filled(&route.path, |name| match inside {
        b"" => format!("{}_{ID_DIGITS}", prefix(name)),
        inside => encoded(inside, false),
    });
    let target = format!("{path}?{}", encoded(query, true));
    let request = format!("{}\r\n", head(route, &target));
    if let Some(answer) = exchange(request.as_bytes(), Ending::Node) {
        check(&answer, &format!("{} {target}", route.method));
    }
}

/// Lines of a digit that picks a header, and its value.
pub(super) fn headers(data: &[u8]) {
    const NAMES: [&str; 12] = [
        "traceparent",
        "x-request-id",
        "idempotency-key",
        "origin",
        "host",
        "last-event-id",
        "content-type",
        "content-length",
        "transfer-encoding",
        "accept-encoding",
        "cf-connecting-ip",
        "x-forwarded-for",
    ];
    let mut request =
        format!("POST /v1/jobs HTTP/1.1\r\nconnection: close\r\nauthorization: Bearer {}\r\n", node().owner)
            .into_bytes();
    let mut named_host = false;
    for line in data.split(|byte| *byte == b'\n') {
        let Some((choice, value)) = line.split_first() else { continue };
        let name = NAMES[usize::from(*choice) % NAMES.len()];
        named_host |= name == "host";
        request.extend(name.bytes().chain(*b": ").chain(value.iter().copied()).chain(*b"\r\n"));
    }
    if !named_host {
        request.extend(format!("host: {}\r\n", node().address).bytes());
    }
    request.extend(b"\r\n{\"kind\":\"noop\"}");
    if let Some(answer) = exchange(&request, Ending::Sender) {
        check(&answer, "these headers");
    }
}

/// The first byte picks the carrier, the rest is the token, its parts on three lines where it has some.
pub(super) fn token(data: &[u8]) {
    let Some((choice, token)) = data.split_first() else { return };
    let owner = &node().owner;
    let (head, tail) = owner.split_once('.').expect("a token has three parts");
    let (_, signature) = tail.split_once('.').expect("a token has three parts");
    let parts: Vec<String> = token.splitn(3, |byte| *byte == b'\n').map(base64url).collect();
    let assembled = parts.join(".");
    let plain: String = token.iter().map(|byte| char::from(byte.clamp(&b'!', &b'~').to_owned())).collect();
    let (path, header) = match choice % 8 {
        0 => ("/v1/auth/me", format!("authorization: Bearer {plain}")),
        1 => ("/v1/auth/me", format!("authorization: Bearer {assembled}")),
        // A sound head and signature around other claims, and sound claims under another head.
        2 => ("/v1/auth/me", format!("authorization: Bearer {head}.{}.{signature}", base64url(token))),
        3 => ("/v1/auth/me", format!("authorization: Bearer fla_{assembled}")),
        4 => ("/v1/auth/me", format!("authorization: {plain}")),
        5 => ("/v1/engine/directives", format!("x-engine-token: {plain}")),
        6 => ("/v1/engine/directives", format!("x-engine-token: fle_{plain}")),
        _ => ("/v1/engine/directives", format!("authorization: Bearer {assembled}")),
    };
    let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{header}\r\n\r\n", node().address);
    if let Some(answer) = exchange(request.as_bytes(), Ending::Node) {
        assert!((400..500).contains(&answer.status), "{header} was let in: {}", answer.status);
        check(&answer, &header);
    }
}

/// Who ends the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The node, after its answer: the request is whole and asks for that.
    Node,
    /// This side, which says that nothing more will come.
    Sender,
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

/// Sends the bytes and reads what comes; nothing where the node says nothing.
fn exchange(bytes: &[u8], ending: Ending) -> Option<Answer> {
    let node = node();
    let answer = runtime().block_on(async { timeout(HANG, talk(node, bytes, ending)).await });
    let answer = answer.expect("an answer, or the end of the connection, within the time").unwrap_or_default();
    let at = answer.windows(4).position(|end| end == b"\r\n\r\n")?;
    let head = String::from_utf8(answer[..at].to_vec()).expect("the head of an answer is text").to_ascii_lowercase();
    let status = head.strip_prefix("http/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    // What follows is the answer to a second request.
    let body = &answer[at + 4..];
    let body = body[..length.unwrap_or(body.len()).min(body.len())].to_vec();
    Some(Answer { status: status.expect("a status line"), head, body })
}

async fn talk(node: &Fuzzed, bytes: &[u8], ending: Ending) -> std::io::Result<Vec<u8>> {
    let socket = TcpSocket::new_v4()?;
    // Closed by a reset: a port that rests for a minute after each of these connections would soon be the last one.
    socket.set_zero_linger()?;
    let mut stream = socket.connect(node.address.parse().expect("an address")).await?;
    // A node that has heard enough closes before all is sent.
    let sent = stream.write_all(bytes).await;
    if ending == Ending::Sender {
        drop(stream.shutdown().await);
    }
    let mut answer = Vec::new();
    let mut buffer = vec![0; 16 << 10];
    loop {
        let length = match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => length,
        };
        answer.extend_from_slice(&buffer[..length]);
        // A stream of events has no end.
        let head = answer.windows(4).position(|end| end == b"\r\n\r\n").map(|at| &answer[..at]);
        let is_stream = head.is_some_and(|head| head.windows(17).any(|word| word == b"text/event-stream"));
        if is_stream || answer.len() > ANSWER_BYTES_MAX {
            break;
        }
    }
    sent.map(|()| answer)
}

fn check(answer: &Answer, what: &str) {
    let text = String::from_utf8_lossy(&answer.body);
    let shown: String = text.chars().take(400).collect();
    // What says when to come back is an answer and no fault, and so is that of a version of HTTP that is not spoken.
    let comes_back = matches!(answer.status, 503 | 507) && answer.head.contains("retry-after");
    let may_be = comes_back || matches!(answer.status, 100..500 | 505);
    assert!(may_be, "{what}: {} {shown}", answer.status);
    // An answer to HEAD has no body, whatever it is.
    if answer.status >= 400 && answer.head.contains("application/json") && !answer.body.is_empty() {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        assert!(body["error"]["code"].is_string(), "{what}: {} without the envelope: {shown}", answer.status);
    }
}

fn head(route: &RouteEntry, target: &str) -> String {
    let node = node();
    let credentials = match route.permission {
        Permission::Public => String::new(),
        Permission::EngineCall => format!("x-engine-token: {}\r\n", engine_token()),
        _ => format!("authorization: Bearer {}\r\n", node.owner),
    };
    format!(
        "{} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nidempotency-key: fuzz\r\n{credentials}",
        route.method, node.address
    )
}

/// The token of an engine that the owner made for this.
fn engine_token() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN.get_or_init(|| {
        let body = r#"{"name":"fuzz"}"#;
        let node = node();
        let request = format!(
            "POST /v1/engines HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            node.address,
            node.owner,
            body.len()
        );
        let answer = exchange(request.as_bytes(), Ending::Node).expect("an engine is made");
        let made: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let token = made["token"].as_str().or_else(|| made["engine_token"].as_str());
        token.unwrap_or_else(|| panic!("no token: {} {made}", answer.status)).to_owned()
    })
}

fn routes(wanted: impl Fn(&RouteEntry) -> bool) -> Vec<&'static RouteEntry> {
    // The table is put together with the whole document, which takes a while.
    static ROUTES: OnceLock<Vec<RouteEntry>> = OnceLock::new();
    ROUTES.get_or_init(route_table).iter().filter(|route| wanted(route)).collect()
}

/// Puts something in the place of each name in braces.
fn filled(path: &str, value: impl Fn(&str) -> String) -> String {
    let parts = path.split('/').map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some(name) => value(name),
        None => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

/// The prefix of an id, by what its place in the path is called.
fn prefix(name: &str) -> &str {
    match name {
        "engine_id" => "eng",
        "session_id" => "ses",
        "schedule_id" => "sch",
        "batch_id" => "bat",
        "subject" => "m",
        _ => "job",
    }
}

/// Percent-encodes what can't stand in a request line; in a query, its own punctuation stays.
fn encoded(bytes: &[u8], is_query: bool) -> String {
    let mut text = String::new();
    for byte in bytes {
        let stays = byte.is_ascii_graphic() && !b"#\"<>".contains(byte) && (is_query || !b"/?".contains(byte));
        if stays {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// Without padding (RFC 4648, section 5).
pub(super) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.as_ref().chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..=chunk.len() {
            text.push(char::from(LETTERS[(bits >> (18 - 6 * index) & 63) as usize]));
        }
    }
    text
}
