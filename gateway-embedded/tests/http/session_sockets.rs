//! WebSockets of sync sessions.

use std::time::Duration;

use flowork_api_types::auth::Role;
use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, client_async, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::CloseFrame},
};

use super::{
    gateway::{Gateway, HANG, read},
    sessions::{ANN, BOB, ID, create, done},
};

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    /// Opens a socket as the owner.
    async fn open(gateway: &Gateway, query: &str) -> Self {
        Self::try_open(gateway, query, Some(&gateway.owner)).await.unwrap()
    }

    async fn try_open(gateway: &Gateway, query: &str, token: Option<&str>) -> Result<Self, Error> {
        let url = format!("{}/ws{query}", gateway.url.replace("http://", "ws://"));
        let mut request = url.into_client_request().unwrap();
        if let Some(token) = token {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        connect_async(request).await.map(|(stream, _)| Self(stream))
    }

    /// A socket that has said its first two messages.
    async fn follow(gateway: &Gateway) -> Self {
        let mut client = Self::open(gateway, &format!("?sessionId={ID}")).await;
        assert_eq!(client.next().await["type"], "CONNECTED");
        assert_eq!(client.next().await["type"], "STATE_SYNC");
        client
    }

    /// The same, for whom the system keeps little: it has read nothing but its first two messages.
    async fn with_little_room(gateway: &Gateway) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        let stream = socket.connect(gateway.handle.as_ref().unwrap().local_addr()).await.unwrap();
        let url = format!("{}/ws?sessionId={ID}", gateway.url.replace("http://", "ws://"));
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {}", gateway.owner).parse().unwrap());
        let (stream, _) = client_async(request, MaybeTlsStream::Plain(stream)).await.unwrap();
        let mut client = Self(stream);
        assert_eq!(client.next().await["type"], "CONNECTED");
        assert_eq!(client.next().await["type"], "STATE_SYNC");
        client
    }

    /// The next message; pings are answered on the way.
    async fn next(&mut self) -> Value {
        match self.frame().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    async fn frame(&mut self) -> Message {
        loop {
            let frame = timeout(HANG, self.0.next()).await.expect("a frame comes");
            match frame.expect("the socket is open").unwrap() {
                Message::Ping(_) | Message::Pong(_) => {}
                frame => return frame,
            }
        }
    }

    async fn closed(&mut self) -> (u16, String) {
        match self.frame().await {
            Message::Close(Some(CloseFrame { code, reason })) => (code.into(), reason.to_string()),
            other => panic!("{other:?}"),
        }
    }

    async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }
}

#[tokio::test]
async fn a_socket_is_told_everything_and_then_every_change() {
    let gateway = Gateway::start().await;
    create(&gateway, json!({})).await;
    let mut client = Client::open(&gateway, &format!("?sessionId={ID}")).await;
    let connected = client.next().await;
    assert_eq!((&connected["type"], &connected["sessionId"]), (&json!("CONNECTED"), &json!(ID)));
    assert!(connected["timestamp"].as_i64().unwrap() > 1_700_000_000_000, "milliseconds since the epoch");
    let sync = client.next().await;
    assert_eq!(
        (&sync["type"], &sync["sessionId"], &sync["state"]["version"]),
        (&json!("STATE_SYNC"), &json!(ID), &json!(1))
    );
    for (verb, status, version) in [("start", "running", 2), ("switch", "running", 3), ("pause", "paused", 4)] {
        done(&gateway, verb).await;
        let update = client.next().await;
        assert_eq!((&update["type"], &update["sessionId"]), (&json!("STATE_UPDATE"), &json!(ID)));
        assert_eq!((&update["state"]["status"], &update["state"]["version"]), (&json!(status), &json!(version)));
        let state = read(gateway.get(&format!("/v1/sessions/{ID}"))).await.json()["data"].clone();
        assert_eq!(update["state"]["participants"], state["participants"]);
    }
    client.say(r#"{"type":"RECONNECT"}"#).await;
    let again = client.next().await;
    assert_eq!((&again["type"], &again["state"]["version"]), (&json!("STATE_SYNC"), &json!(4)));
    assert_eq!(
        read(gateway.request(Method::DELETE, &format!("/v1/sessions/{ID}"))).await.status,
        StatusCode::NO_CONTENT
    );
    let deleted = client.next().await;
    assert_eq!((&deleted["type"], &deleted["sessionId"]), (&json!("SESSION_DELETED"), &json!(ID)));
    assert_eq!(client.closed().await.0, 1_000);
}

#[tokio::test]
async fn time_that_runs_out_is_told_without_a_call() {
    let gateway = Gateway::start().await;
    let player =
        |id: &str, index: u32| json!({"participant_id": id, "participant_index": index, "total_time_ms": 1_000});
    create(&gateway, json!({"participants": [player(ANN, 0), player(BOB, 1)], "action_on_timeout": "auto_advance"}))
        .await;
    let mut client = Client::follow(&gateway).await;
    done(&gateway, "start").await;
    let mut update = client.next().await;
    let mut versions = vec![update["state"]["version"].as_u64().unwrap()];
    while update["state"]["status"] != "expired" {
        assert_eq!(update["type"], "STATE_UPDATE");
        update = client.next().await;
        versions.push(update["state"]["version"].as_u64().unwrap());
    }
    assert!(versions[0] == 2 && versions.ends_with(&[5]), "{versions:?}");
    assert!(!versions.contains(&3), "Ann's expiry and the switch to Bob are told as one: {versions:?}");
    let used: Vec<_> =
        update["state"]["participants"].as_array().unwrap().iter().map(|one| one["time_used_ms"].clone()).collect();
    assert_eq!(used, [1_000, 1_000]);
}

#[tokio::test]
async fn messages_are_answered_and_nonsense_leaves_the_socket_open() {
    let gateway = Gateway::start().await;
    create(&gateway, json!({})).await;
    let mut client = Client::follow(&gateway).await;
    for (text, code) in [
        ("nonsense", "MALFORMED_MESSAGE"),
        ("[]", "MALFORMED_MESSAGE"),
        (r#"{"type":"STATE_UPDATE"}"#, "UNKNOWN_MESSAGE"),
    ] {
        client.say(text).await;
        let error = client.next().await;
        assert_eq!((&error["type"], &error["code"]), (&json!("ERROR"), &json!(code)));
        assert!(!error["message"].as_str().unwrap().is_empty());
    }
    client.0.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(client.next().await["code"], "MALFORMED_MESSAGE");
    client.say(r#"{"type":"PING"}"#).await;
    let pong = client.next().await;
    assert_eq!(pong["type"], "PONG");
    assert!(pong["timestamp"].is_i64());
}

#[tokio::test]
async fn a_socket_without_a_session_is_closed_with_the_reason() {
    let gateway = Gateway::start().await;
    for query in
        ["", "?sessionId=", "?sessionId=7", &format!("?sessionId={ID}&sessionId={ID}"), &format!("?session_id={ID}")]
    {
        let mut client = Client::open(&gateway, query).await;
        assert_eq!(client.next().await["type"], "ERROR", "{query}");
        let (code, reason) = client.closed().await;
        assert_eq!(code, 1_008, "{query}");
        assert!(reason.contains("sessionId"), "{reason}");
    }
    let mut client = Client::open(&gateway, &format!("?sessionId={ID}")).await;
    assert_eq!(client.next().await["code"], "SESSION_NOT_FOUND");
    assert_eq!(client.closed().await.0, 1_008);
}

#[tokio::test]
async fn a_ticket_opens_one_socket_and_nothing_else_does() {
    let gateway = Gateway::start().await;
    create(&gateway, json!({})).await;
    let status = |outcome: Result<Client, Error>| match outcome {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
        Ok(_) => 101,
    };
    let query = format!("?sessionId={ID}");
    assert_eq!(status(Client::try_open(&gateway, &query, None).await), 401);
    let issued = read(gateway.post("/v1/auth/ticket").json(&json!({"path": "/ws"}))).await.json();
    let with_ticket = format!("{query}&ticket={}", issued["ticket"].as_str().unwrap());
    let mut client = Client::try_open(&gateway, &with_ticket, None).await.unwrap();
    assert_eq!(client.next().await["type"], "CONNECTED");
    assert_eq!(status(Client::try_open(&gateway, &with_ticket, None).await), 401, "it works once");
    let member = gateway.token("somebody", Role::Member);
    let mut stranger = Client::try_open(&gateway, &query, Some(&member)).await.unwrap();
    assert_eq!(stranger.next().await["code"], "SESSION_NOT_FOUND", "a member follows their own");
    let viewer = gateway.token("somebody", Role::Viewer);
    let mut viewer = Client::try_open(&gateway, &query, Some(&viewer)).await.unwrap();
    assert_eq!(viewer.next().await["type"], "CONNECTED");
    let plain = read(gateway.get(&format!("/ws?sessionId={ID}"))).await;
    assert_eq!((plain.status, plain.code().as_str()), (StatusCode::UPGRADE_REQUIRED, "UPGRADE_REQUIRED"));
}

#[tokio::test]
async fn sockets_have_a_bound_of_their_own_and_give_their_place_back() {
    let gateway = Gateway::start_with(|options| {
        options.limits.sockets_max = 2;
        options.limits.connections_max = 8;
    })
    .await;
    create(&gateway, json!({})).await;
    let (one, _other) = (Client::follow(&gateway).await, Client::follow(&gateway).await);
    let full = Client::try_open(&gateway, &format!("?sessionId={ID}"), Some(&gateway.owner)).await;
    let Err(Error::Http(response)) = full else { panic!("a third one was let in") };
    assert_eq!(response.status().as_u16(), 503);
    assert!(response.headers().contains_key("retry-after"));
    drop(one);
    let reopened = async {
        loop {
            match Client::try_open(&gateway, &format!("?sessionId={ID}"), Some(&gateway.owner)).await {
                Ok(client) => return client,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    timeout(HANG, reopened).await.expect("the place comes back");
}

#[tokio::test]
async fn more_sockets_than_connections_leave_room_for_requests() {
    let gateway = Gateway::start_with(|options| options.limits.connections_max = 8).await;
    create(&gateway, json!({})).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(Client::follow(&gateway).await);
    }
    done(&gateway, "start").await;
    for client in &mut clients {
        assert_eq!(client.next().await["state"]["status"], "running");
    }
}

#[tokio::test]
async fn a_message_that_is_too_long_ends_only_its_own_socket() {
    let gateway = Gateway::start().await;
    create(&gateway, json!({})).await;
    let (mut loud, mut other) = (Client::follow(&gateway).await, Client::follow(&gateway).await);
    loud.say(&"x".repeat(8 << 10)).await;
    assert_eq!(loud.closed().await.0, 1_009);
    let mut louder = Client::follow(&gateway).await;
    // The gateway may close before all of it has left.
    let _ = louder.0.send(Message::text("x".repeat(1 << 20))).await;
    let ended = async { while let Some(Ok(_)) = louder.0.next().await {} };
    timeout(HANG, ended).await.expect("it ends too");
    other.say(r#"{"type":"PING"}"#).await;
    assert_eq!(other.next().await["type"], "PONG");
}

#[tokio::test]
async fn a_client_that_does_not_read_costs_only_itself() {
    const ROUNDS: u32 = 40;
    let gateway = Gateway::start().await;
    // Some 300 KiB each time, so that the sockets' buffers are full after a few.
    let player = |index: u32| {
        let id = format!("{index:08x}-1111-4111-8111-111111111111");
        json!({"participant_id": id, "participant_index": index, "total_time_ms": 60_000})
    };
    create(&gateway, json!({"participants": (0..1_000).map(player).collect::<Vec<_>>()})).await;
    let (mut slow, mut quick) = (Client::with_little_room(&gateway).await, Client::follow(&gateway).await);
    done(&gateway, "start").await;
    quick.next().await;
    let mut version = 2;
    for round in 0..ROUNDS {
        done(&gateway, if round % 2 == 0 { "pause" } else { "resume" }).await;
        version += 1;
        assert_eq!(quick.next().await["state"]["version"], version, "the other is told at once");
    }
    // It had the first state before the session was started, and has read nothing since.
    let mut got = 0;
    let mut last = 1;
    while last < version {
        let state = slow.next().await["state"].clone();
        assert!(state["version"].as_i64().unwrap() > last, "never out of order");
        last = state["version"].as_i64().unwrap();
        got += 1;
    }
    assert!(got < ROUNDS, "{got} of {ROUNDS}: what does not fit into the system's own buffers is not kept");
}

#[tokio::test]
async fn a_client_that_says_goodbye_is_answered() {
    let gateway = Gateway::start().await;
    create(&gateway, json!({})).await;
    let mut client = Client::follow(&gateway).await;
    let goodbye = CloseFrame { code: 1_000.into(), reason: "enough".into() };
    client.0.send(Message::Close(Some(goodbye))).await.unwrap();
    assert_eq!(client.closed().await.0, 1_000, "with the code that it gave");
    assert!(timeout(HANG, client.0.next()).await.unwrap().is_none(), "and that is the end");
}

/// Opens a socket by hand, so that nothing answers pings for it.
async fn silent(gateway: &Gateway) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.handle.as_ref().unwrap().local_addr()).await.unwrap();
    let head = format!(
        "GET /ws?sessionId={ID} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        gateway.url.trim_start_matches("http://"),
        gateway.owner
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn who_answers_pings_stays_and_who_leaves_two_unanswered_is_closed() {
    let gateway = Gateway::start_with(|options| options.limits.ping_interval = Duration::from_secs(1)).await;
    create(&gateway, json!({})).await;
    let mut client = Client::follow(&gateway).await;
    let mut mute = silent(&gateway).await;
    let (mut heard, mut pings) = (Vec::new(), 0);
    {
        let mut closing = std::pin::pin!(timeout(HANG, mute.read_to_end(&mut heard)));
        let closed = loop {
            tokio::select! {
                closed = &mut closing => break closed,
                // Each is answered by the library while the next is waited for.
                frame = client.0.next() => {
                    pings += u32::from(matches!(frame.expect("it stays open").unwrap(), Message::Ping(_)));
                }
            }
        };
        closed.expect("the gateway closes").unwrap();
    }
    // The other one is asked as often, and more.
    while pings < 5 {
        let frame = timeout(HANG, client.0.next()).await.expect("a ping comes");
        pings += u32::from(matches!(frame.expect("it stays open").unwrap(), Message::Ping(_)));
    }
    let reason = b"no answer to pings";
    assert!(heard.windows(reason.len()).any(|window| window == reason), "it says why");
    client.say(r#"{"type":"PING"}"#).await;
    assert_eq!(client.next().await["type"], "PONG", "the other one stays");
}

#[tokio::test]
async fn a_machine_that_slept_asks_who_is_there_and_gives_them_time_to_answer() {
    // No turn of the timer comes in this test.
    let gateway = Gateway::start_with(|options| options.limits.ping_interval = Duration::from_hours(1)).await;
    create(&gateway, json!({})).await;
    let mut mute = silent(&gateway).await;
    let waker = gateway.handle.as_ref().unwrap().waker();
    let mut heard = Vec::new();
    let pings = |heard: &[u8]| heard.windows(2).filter(|bytes| *bytes == [0x89, 0]).count();
    // Its state first: from then on it is asked.
    while !String::from_utf8_lossy(&heard).contains("STATE_SYNC") {
        timeout(HANG, mute.read_buf(&mut heard)).await.expect("it is told").unwrap();
    }
    for asked in 1..=5 {
        waker.resumed();
        while pings(&heard) < asked {
            let read = timeout(HANG, mute.read_buf(&mut heard)).await.expect("a ping comes").unwrap();
            assert!(read > 0, "let go after {asked}, though no turn has passed");
        }
    }
}

#[tokio::test]
async fn a_client_that_reads_nothing_does_not_keep_a_gateway_from_stopping() {
    let mut gateway = Gateway::start().await;
    let player = |index: u32| {
        let id = format!("{index:08x}-1111-4111-8111-111111111111");
        json!({"participant_id": id, "participant_index": index, "total_time_ms": 60_000})
    };
    create(&gateway, json!({"participants": (0..1_000).map(player).collect::<Vec<_>>()})).await;
    let (stuck, mut quick) = (Client::with_little_room(&gateway).await, Client::follow(&gateway).await);
    done(&gateway, "start").await;
    quick.next().await;
    // More than the system takes for a socket that nobody reads.
    for round in 0..30 {
        done(&gateway, if round % 2 == 0 { "pause" } else { "resume" }).await;
        quick.next().await;
    }
    drop(quick);
    // Less than a message may take to leave, and more than a goodbye.
    let outcome = gateway.handle.take().unwrap().shutdown(Duration::from_secs(8)).await;
    assert_eq!(outcome.cut, 0, "nobody had to be cut");
    drop(stuck);
}

#[tokio::test]
async fn ending_the_old_keys_closes_sockets_of_their_tokens_and_their_tickets_open_none() {
    let gateway = Gateway::start().await;
    create(&gateway, json!({})).await;
    let ticket = async || {
        let made = read(gateway.post("/v1/auth/ticket").json(&json!({"path": "/ws"}))).await.json();
        format!("?sessionId={ID}&ticket={}", made["ticket"].as_str().unwrap())
    };
    let (used, late) = (ticket().await, ticket().await);
    let mut clients = [Client::follow(&gateway).await, Client::try_open(&gateway, &used, None).await.unwrap()];
    assert_eq!(clients[1].next().await["type"], "CONNECTED");
    assert_eq!(clients[1].next().await["type"], "STATE_SYNC");
    let end = gateway.post("/v1/keys/rotate").json(&json!({"set": "user", "end_old": true}));
    assert_eq!(read(end).await.status, StatusCode::OK);
    for client in &mut clients {
        assert_eq!(client.closed().await, (1_008, "token_expired".to_owned()));
    }
    let Err(Error::Http(refused)) = Client::try_open(&gateway, &late, None).await else { panic!("it was let in") };
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_gateway_that_stops_says_goodbye() {
    let mut gateway = Gateway::start().await;
    create(&gateway, json!({})).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(Client::follow(&gateway).await);
    }
    let handle = gateway.handle.take().unwrap();
    let stopped = tokio::spawn(handle.shutdown(HANG));
    for client in &mut clients {
        assert_eq!(client.closed().await.0, 1_001);
    }
    drop(clients);
    let outcome = timeout(HANG + Duration::from_secs(5), stopped).await.unwrap().unwrap();
    assert_eq!(outcome.cut, 0, "nobody had to be cut");
}
