//! A reconnect storm: everybody who follows a sync session is cut off at once and comes back at once.
//!
//! The worst that clients can do: all of them lose their sockets to one `kill -9`, and none waits before its first try.
//! Each must be told the state that was last acknowledged, and hear the next change, once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use flowork_test_support::{TestHome, TestNode};
use futures_util::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::Barrier, task::JoinSet, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use super::scaled;

/// Sockets, in CI and at full scale.
const SOCKETS: (usize, usize) = (500, 5_000);
/// How long a client waits after a try that broke in the crowd.
const RETRY_AFTER: Duration = Duration::from_millis(50);
/// Sockets on each session.
const PER_SESSION: usize = 10;
/// Files of this process besides its sockets.
const OTHER_FILES: usize = 200;
/// Far longer than anything here takes; only a hang waits for it.
const PATIENCE: Duration = Duration::from_mins(3);

type Socket = WebSocketStream<TcpStream>;

/// What became of the storm.
#[derive(Debug, Default)]
struct Outcome {
    /// Clients that were told a state again.
    back: usize,
    /// Clients that were told that there is no room.
    refused: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_comes_back_at_once_and_is_told_what_was_acknowledged() -> anyhow::Result<()> {
    let sockets = sockets()?;
    // Places of sockets that broke in the crowd may be free again only a moment later.
    let outcome = storm(sockets, 2 * sockets).await?;
    ensure!((outcome.back, outcome.refused) == (sockets, 0), "{outcome:?} of {sockets}");
    Ok(())
}

/// The negative control: with room for half of them no more than that are back, and the node stays well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_no_room_the_rest_is_told_so() -> anyhow::Result<()> {
    let sockets = scaled(200, 1_000);
    let room = sockets / 2;
    let outcome = storm(sockets, room).await?;
    ensure!(outcome.back > 0 && outcome.back <= room, "{outcome:?}, with room for {room} of {sockets}");
    ensure!(outcome.back + outcome.refused == sockets, "{outcome:?} of {sockets}");
    Ok(())
}

/// Follows sessions with so many sockets, kills the node, and has all of them come back to one with `room`.
async fn storm(sockets: usize, room: usize) -> anyhow::Result<Outcome> {
    let home = TestHome::new()?
        .with_setting("FLOWORK_SYNC_SWITCHES_PER_SECOND", &0)
        .with_setting("FLOWORK_GATEWAY_SOCKETS_MAX", &room);
    let node = home.start().await?;
    let sessions = sockets.div_ceil(PER_SESSION);
    for number in 0..=sessions {
        start(&node, number).await?;
    }
    // Before: as many as find room.
    let mut before = JoinSet::new();
    for number in 0..sockets.min(room) {
        before.spawn(follow(place(&node), number / PER_SESSION));
    }
    let mut cut_off = Vec::new();
    while let Some(opened) = before.join_next().await {
        let (socket, version) = opened??.context("no room for those who came first")?;
        ensure!(version == 2, "it was started: {version}");
        cut_off.push(socket);
    }
    // Each session is one further when the node dies.
    for number in 0..sessions {
        ensure!(switch(&node, number).await? == 3, "the switch before the kill");
    }
    let node = node.kill().await?.start().await?;
    drop(cut_off);

    let began = Instant::now();
    let (together, back) = (Arc::new(Barrier::new(sockets)), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for number in 0..sockets {
        let (node, together, back) = (place(&node), Arc::clone(&together), Arc::clone(&back));
        clients.spawn(async move {
            together.wait().await;
            let followed = follow(node, number / PER_SESSION).await?;
            back.fetch_add(1, Ordering::SeqCst);
            anyhow::Ok((number / PER_SESSION, followed))
        });
    }
    let mut followers = Vec::new();
    let mut outcome = Outcome::default();
    // Whoever has nothing to do with it is served meanwhile.
    let mut served = 0;
    while back.load(Ordering::SeqCst) < sockets {
        ensure!(began.elapsed() < PATIENCE, "{} of {sockets} are back", back.load(Ordering::SeqCst));
        ensure!(switch(&node, sessions).await? == 3 + served, "a session that nobody follows");
        served += 1;
        while let Some(ended) = clients.try_join_next() {
            gather(ended??, &mut outcome, &mut followers)?;
        }
    }
    while let Some(ended) = clients.join_next().await {
        gather(ended??, &mut outcome, &mut followers)?;
    }
    println!("{} sockets were back after {:?}; {served} other calls meanwhile", outcome.back, began.elapsed());

    for number in 0..sessions {
        ensure!(switch(&node, number).await? == 4, "the switch after the storm");
    }
    for (session, socket) in &mut followers {
        let next = state(socket).await?;
        ensure!(next == ("STATE_UPDATE".to_owned(), 4), "session {session}: {next:?}");
    }
    Ok(outcome)
}

fn gather(
    (session, followed): (usize, Option<(Socket, u64)>),
    outcome: &mut Outcome,
    followers: &mut Vec<(usize, Socket)>,
) -> anyhow::Result<()> {
    let Some((socket, version)) = followed else {
        outcome.refused += 1;
        return Ok(());
    };
    ensure!(version == 3, "session {session} is at {version}, and 3 was acknowledged");
    outcome.back += 1;
    followers.push((session, socket));
    Ok(())
}

/// A socket on a session with the version it begins with, however often it takes; nothing if there is no room.
async fn follow((url, token): (String, String), session: usize) -> anyhow::Result<Option<(Socket, u64)>> {
    let following = async {
        loop {
            match connect(&url, &token, session).await {
                Ok(Some(mut socket)) => match state(&mut socket).await {
                    Ok((name, version)) if name == "STATE_SYNC" => return anyhow::Ok(Some((socket, version))),
                    Ok((name, _)) => bail!("{name} came first"),
                    // A socket that broke before it said anything is one more try.
                    Err(_) => {}
                },
                Ok(None) => return Ok(None),
                // A connection that was cut in the crowd is one more try.
                Err(Error::Io(_) | Error::Protocol(_)) => {}
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    };
    timeout(PATIENCE, following).await.with_context(|| format!("session {session} was never followed"))?
}

async fn connect(url: &str, token: &str, session: usize) -> Result<Option<Socket>, Error> {
    let address = url.trim_start_matches("http://");
    let mut request = format!("ws://{address}/ws?sessionId={}", session_id(session)).into_client_request()?;
    let bearer = format!("Bearer {token}").parse().expect("a token is header text");
    request.headers_mut().insert("authorization", bearer);
    let stream = TcpStream::connect(address).await?;
    match client_async(request, stream).await {
        Ok((socket, _)) => Ok(Some(socket)),
        Err(Error::Http(response)) if response.status().as_u16() == 503 => Ok(None),
        Err(error) => Err(error),
    }
}

/// The next message with a state: its type, and the version.
async fn state(socket: &mut Socket) -> anyhow::Result<(String, u64)> {
    loop {
        let message = timeout(PATIENCE, socket.next()).await?.context("the socket has ended")??;
        let Message::Text(text) = message else { continue };
        let said: Value = serde_json::from_str(&text)?;
        if let Some(version) = said["state"]["version"].as_u64() {
            return Ok((said["type"].as_str().context("no type")?.to_owned(), version));
        }
    }
}

fn session_id(number: usize) -> String {
    format!("{number:08x}-0000-4000-8000-000000000000")
}

/// Makes a session of two people with a day each, and starts it.
async fn start(node: &TestNode, number: usize) -> anyhow::Result<()> {
    let player = |index: usize| {
        let id = format!("{index:08x}-1111-4111-8111-111111111111");
        json!({"participant_id": id, "participant_index": index, "total_time_ms": 86_400_000})
    };
    let body = json!({
        "session_id": session_id(number), "sync_mode": "per_participant", "total_time_ms": 86_400_000,
        "participants": [player(0), player(1)],
    });
    let made = node.request(Method::POST, "/v1/sessions").json(&body).send().await?;
    ensure!(made.status() == StatusCode::CREATED, "{}", made.text().await?);
    let path = format!("/v1/sessions/{}/start", session_id(number));
    let started = node.request(Method::POST, &path).send().await?;
    ensure!(started.status() == StatusCode::OK, "{}", started.text().await?);
    Ok(())
}

/// Switches a session and answers its version.
async fn switch(node: &TestNode, number: usize) -> anyhow::Result<u64> {
    let path = format!("/v1/sessions/{}/switch", session_id(number));
    let answer = node.request(Method::POST, &path).send().await?;
    ensure!(answer.status() == StatusCode::OK, "{}", answer.text().await?);
    answer.json::<Value>().await?["data"]["version"].as_u64().context("no version")
}

fn place(node: &TestNode) -> (String, String) {
    (node.url().to_owned(), node.token().to_owned())
}

/// How many sockets there are: as many as are wanted, if this process may open that many files, and never fewer than in
/// CI: with a handful of them this would show nothing.
fn sockets() -> anyhow::Result<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = scaled(SOCKETS.0, SOCKETS.1);
    let maximum = getrlimit(Resource::Nofile).maximum;
    // Where that is not allowed, fewer sockets have to do at full scale.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let files = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |files| files as usize);
    let sockets = wanted.min(files.saturating_sub(OTHER_FILES));
    let least = SOCKETS.0;
    ensure!(sockets >= least, "{files} open files are room for {sockets} sockets, and this needs {least}");
    println!("{sockets} of {wanted} sockets");
    Ok(sockets)
}
