//! How late it is told that time ran out.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use flowork_test_support::{TestHome, TestNode};
use futures_util::{StreamExt, future::try_join_all};
use reqwest::{Client, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::{client, participant_id, post, session, session_id};

/// Sessions whose time runs out one after the other.
const SESSIONS: usize = 20;
/// From one to the next.
const APART: Duration = Duration::from_millis(150);
/// The least that somebody may have.
const FIRST: Duration = Duration::from_secs(1);
/// Far more than it takes, since a machine is busy at times, and far less than if somebody looked every second.
const LATE: Duration = Duration::from_millis(250);
/// Only a defect is late in all of them.
const ROUNDS: usize = 5;
/// Only a hang waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_that_runs_out_is_told_at_its_instant() -> anyhow::Result<()> {
    let (node, client) = (TestHome::new()?.start().await?, client());
    let mut medians = Vec::new();
    for round in 0..ROUNDS {
        let sessions = (0..SESSIONS).map(|place| (round * SESSIONS + place, FIRST + APART * place as u32));
        let mut late = try_join_all(sessions.map(|(number, time)| lateness(&client, &node, number, time))).await?;
        late.sort_unstable();
        let median = late[SESSIONS / 2];
        if median <= LATE {
            return Ok(());
        }
        medians.push(median);
    }
    bail!("half of the sessions of each round were told so long after their instant: {medians:?}")
}

/// The negative control: a node that is held up is seen to be late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_late_is_found_to_be_late() -> anyhow::Result<()> {
    let (node, client) = (TestHome::new()?.start().await?, client());
    let pid = node.pid().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).context("it runs")?;
    let time = 2 * FIRST;
    for number in 0..ROUNDS {
        let told = follow(&client, &node, number, time).await?;
        let asked = Instant::now();
        let due = start(&client, &node, number, time).await?;
        kill_process(pid, Signal::STOP)?;
        // Otherwise the instant may have been there before.
        let held = asked.elapsed() < FIRST;
        let rang = rung(due).await;
        tokio::time::sleep(4 * LATE).await;
        kill_process(pid, Signal::CONT)?;
        let late = told.await??.saturating_duration_since(rang);
        if held {
            ensure!(late > LATE, "{late:?} after the instant, from a node that was held up for {:?} more", 4 * LATE);
            return Ok(());
        }
    }
    bail!("this machine takes {FIRST:?} to start a session")
}

/// How long it is from the instant at which the time of a session runs out until it is told.
async fn lateness(client: &Client, node: &TestNode, number: usize, time: Duration) -> anyhow::Result<Duration> {
    let told = follow(client, node, number, time).await?;
    let rang = rung(start(client, node, number, time).await?).await;
    Ok(told.await??.saturating_duration_since(rang))
}

/// Makes a session of one who has so much time, with which it ends, and listens to it; answers when that is told.
async fn follow(
    client: &Client,
    node: &TestNode,
    number: usize,
    time: Duration,
) -> anyhow::Result<JoinHandle<anyhow::Result<Instant>>> {
    let player = json!({
        "participant_id": participant_id(0), "participant_index": 0, "total_time_ms": u64::try_from(time.as_millis())?,
    });
    let body = session(number, &json!({"participants": [player], "action_on_timeout": "end_session"}));
    let (status, made) = post(client, (node.url(), node.token()), "/v1/sessions", &body).await.context("no answer")?;
    ensure!(status == StatusCode::CREATED, "{status} {made}");
    let url = format!("{}/ws?sessionId={}", node.url().replacen("http", "ws", 1), session_id(number));
    let mut request = url.into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {}", node.token()).parse()?);
    let (mut socket, _) = timeout(PATIENCE, connect_async(request)).await.context("no socket")??;
    while status_told(&mut socket).await? != "pending" {}
    // Read all the time, which answers pings too.
    Ok(tokio::spawn(async move {
        while status_told(&mut socket).await? != "expired" {}
        Ok(Instant::now())
    }))
}

/// Starts a session; answers when its time runs out, or up to the way of the answer later.
async fn start(client: &Client, node: &TestNode, number: usize, time: Duration) -> anyhow::Result<Instant> {
    let path = format!("/v1/sessions/{}/start", session_id(number));
    let answer = post(client, (node.url(), node.token()), &path, &json!({})).await.context("no answer")?;
    ensure!(answer.0 == StatusCode::OK, "{answer:?}");
    Ok(Instant::now() + time)
}

/// Waits for an instant; answers when our own timer rang. A machine that is too busy for it is too busy for the node's.
async fn rung(due: Instant) -> Instant {
    tokio::time::sleep_until(due).await;
    Instant::now()
}

/// How the session stands, in the next message that says so.
async fn status_told(socket: &mut Socket) -> anyhow::Result<String> {
    loop {
        let message = timeout(PATIENCE, socket.next()).await.context("nothing was told")?;
        let Message::Text(text) = message.context("the socket was closed")?? else { continue };
        let told: Value = serde_json::from_str(&text)?;
        if let Some(status) = told["state"]["status"].as_str() {
            return Ok(status.to_owned());
        }
    }
}
