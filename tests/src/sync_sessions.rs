//! Sync sessions across kills: what was acknowledged is there, the audit has each change once, and time went on.

#[cfg(target_os = "linux")]
mod expiry;
#[cfg(target_os = "linux")]
mod idle;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context, ensure};
use flowork_api_types::Timestamp;
use flowork_test_support::{TestHome, TestNode};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinSet};

/// Sessions that are switched at the same time, each by a client of its own.
const SESSIONS: usize = 16;
/// Acknowledged switches after which the node is killed.
const SWITCHES: usize = 600;

/// Who was active after each version that was acknowledged.
type Ledger = BTreeMap<u64, String>;

fn client() -> Client {
    Client::builder().no_proxy().build().expect("a plain client")
}

fn session_id(number: usize) -> String {
    format!("{number:08x}-0000-4000-8000-000000000000")
}

fn participant_id(number: usize) -> String {
    format!("{number:08x}-1111-4111-8111-111111111111")
}

/// Three people with a day each, and other fields.
fn session(number: usize, more: &Value) -> Value {
    let player = |index: usize| json!({"participant_id": participant_id(index), "participant_index": index, "total_time_ms": 86_400_000});
    let mut body = json!({
        "session_id": session_id(number), "sync_mode": "per_participant", "total_time_ms": 86_400_000,
        "participants": [player(0), player(1), player(2)],
    });
    let fields = body.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    body
}

async fn post(client: &Client, node: (&str, &str), path: &str, body: &Value) -> Option<(StatusCode, Value)> {
    let (url, token) = node;
    let answer = client.post(format!("{url}{path}")).bearer_auth(token).json(body).send().await.ok()?;
    let status = answer.status();
    Some((status, answer.json().await.ok()?))
}

async fn start_session(node: &TestNode, number: usize, more: &Value) -> anyhow::Result<Value> {
    let (client, at) = (client(), (node.url(), node.token()));
    let (status, made) = post(&client, at, "/v1/sessions", &session(number, more)).await.context("no answer")?;
    ensure!(status == StatusCode::CREATED, "{status} {made}");
    let path = format!("/v1/sessions/{}/start", session_id(number));
    let (status, started) = post(&client, at, &path, &json!({})).await.context("no answer")?;
    ensure!(status == StatusCode::OK, "{status} {started}");
    Ok(started["data"].clone())
}

async fn events(node: &TestNode, number: usize) -> anyhow::Result<Vec<Value>> {
    let path = format!("/v1/sessions/{}/events?limit=200", session_id(number));
    let mut all = Vec::new();
    let mut page = node.get(&path).await?["data"].clone();
    loop {
        all.extend(page["items"].as_array().context("no items")?.clone());
        let Some(cursor) = page["next_cursor"].as_str() else { return Ok(all) };
        page = node.get(&format!("{path}&cursor={cursor}")).await?["data"].clone();
    }
}

/// Switches one session until the node is gone.
async fn switch_until_killed(
    url: String,
    token: String,
    number: usize,
    count: Arc<AtomicUsize>,
    enough: Arc<Notify>,
) -> Ledger {
    let client = client();
    let mut ledger = Ledger::new();
    let path = format!("/v1/sessions/{}/switch", session_id(number));
    let mut version = 2_u64;
    loop {
        let body = json!({"expected_version": version});
        // After the kill every call fails; a call that was cut may or may not have been stored.
        let Some((status, answer)) = post(&client, (&url, &token), &path, &body).await else { return ledger };
        assert_eq!(status, StatusCode::OK, "{answer}");
        version += 1;
        assert_eq!(answer["data"]["version"], version);
        let active = answer["data"]["active_participant_id"].as_str().expect("somebody is active");
        ledger.insert(version, active.to_owned());
        if count.fetch_add(1, Ordering::SeqCst) + 1 == SWITCHES {
            enough.notify_one();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_under_load_loses_no_change_and_the_audit_has_each_once() -> anyhow::Result<()> {
    let node = TestHome::new()?.with_setting("FLOWORK_SYNC_SWITCHES_PER_SECOND", &0).start().await?;
    for number in 0..SESSIONS {
        start_session(&node, number, &json!({"increment_ms": 1_000})).await?;
    }
    let (count, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let mut clients = JoinSet::new();
    for number in 0..SESSIONS {
        let (url, token) = (node.url().to_owned(), node.token().to_owned());
        let (count, enough) = (Arc::clone(&count), Arc::clone(&enough));
        clients.spawn(async move { (number, switch_until_killed(url, token, number, count, enough).await) });
    }
    enough.notified().await;
    let home = node.kill().await?;
    let mut ledgers = BTreeMap::new();
    while let Some(ended) = clients.join_next().await {
        let (number, ledger) = ended?;
        ledgers.insert(number, ledger);
    }
    let node = home.start().await?;
    for (number, ledger) in ledgers {
        let acknowledged = ledger.keys().last().copied().unwrap_or(2);
        let state = node.get(&format!("/v1/sessions/{}", session_id(number))).await?["data"].clone();
        let version = state["version"].as_u64().context("no version")?;
        // The call that the kill has cut may have been stored.
        ensure!(
            (acknowledged..=acknowledged + 1).contains(&version),
            "session {number} is at {version}, and {acknowledged} was acknowledged"
        );
        ensure!(state["status"] == "running", "{state}");
        let audit = events(&node, number).await?;
        let versions: Vec<_> = audit.iter().filter_map(|event| event["version"].as_u64()).collect();
        ensure!(versions == (1..=version).collect::<Vec<_>>(), "each change once, in order: {versions:?}");
        for event in &audit[2..] {
            ensure!(event["event"] == "cycle_switched" && event["actor"] == "owner", "{event}");
            let version = event["version"].as_u64().context("no version")?;
            if let Some(active) = ledger.get(&version) {
                ensure!(event["participant_id"] == active.as_str(), "{event} was acknowledged as {active}");
            }
        }
        let used: u64 =
            state["participants"].as_array().into_iter().flatten().filter_map(|one| one["time_used_ms"].as_u64()).sum();
        let at = |field: &str| anyhow::Ok(state[field].as_str().context("no time")?.parse::<Timestamp>()?.as_millis());
        let ran = at("cycle_started_at")? - at("session_started_at")?;
        ensure!(i64::try_from(used)? == ran, "every millisecond is charged once: {used} of {ran}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_runs_out_at_its_instant_also_while_the_node_is_dead() -> anyhow::Result<()> {
    let node = TestHome::new()?.start().await?;
    let player = json!({"participant_id": participant_id(0), "participant_index": 0, "total_time_ms": 1_000});
    let ending = json!({"participants": [player], "action_on_timeout": "end_session"});
    let started = start_session(&node, 0, &ending).await?;
    let node = node.kill().await?.start().await?;
    let path = format!("/v1/sessions/{}", session_id(0));
    let ended = loop {
        // Each look is a call: the wait is for the session, not for the clock.
        let state = node.get(&path).await?["data"].clone();
        if state["status"] != "running" {
            break state;
        }
    };
    ensure!(ended["status"] == "expired", "{ended}");
    let at = |state: &Value, field: &str| {
        anyhow::Ok(state[field].as_str().context("no time")?.parse::<Timestamp>()?.as_millis())
    };
    let (began, end) = (at(&started, "session_started_at")?, at(&ended, "session_completed_at")?);
    ensure!(end == began + 1_000, "{}", end - began);
    Ok(())
}

/// `kill -9` proves nothing about power loss, and a power cut may cost the last second. So the syncs are counted.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_synced_together_the_last_one_too_within_a_second_and_no_change_waits_for_it() -> anyhow::Result<()>
{
    const CHANGES: usize = 60;
    /// Changes with none after them. Only a defect is late with each.
    const LAST: usize = 5;
    let home = TestHome::new()?.with_setting("FLOWORK_SYNC_SWITCHES_PER_SECOND", &0);
    let log = home.path().join("syncs");
    let log = log.to_str().context("a temporary path is text")?.to_owned();
    // `-D`: the node is our own child and the tracer is not, so that ending the child ends the node.
    let trace = ["-e", "trace=fdatasync,fsync,pwrite64", "-e", "signal=none", "-o", &log];
    let wrapper: Vec<_> = ["strace", "-D", "-f", "-qq", "-y", "-ttt"].into_iter().chain(trace).collect();
    let node = home.start_under(&wrapper, &[]).await?;
    // The threads that did something to the log of sync sessions, and when, each time they did.
    let calls = |name: &str| -> anyhow::Result<Vec<(String, f64)>> {
        let text = std::fs::read_to_string(&log)?;
        let ours = text.lines().filter(|line| line.contains(name) && line.contains("sync.db-wal"));
        let mut calls = Vec::new();
        for line in ours {
            let mut words = line.split_whitespace();
            let (thread, at) = words.next().zip(words.next()).context("no thread and time")?;
            calls.push((thread.to_owned(), at.parse().with_context(|| line.to_owned())?));
        }
        Ok(calls)
    };
    start_session(&node, 0, &json!({})).await?;
    let path = format!("/v1/sessions/{}/switch", session_id(0));
    let client = client();
    let change = async || {
        let answer = post(&client, (node.url(), node.token()), &path, &json!({})).await.context("no answer")?;
        ensure!(answer.0 == StatusCode::OK, "{answer:?}");
        Ok(())
    };
    let before = calls("sync(")?.len();
    for _ in 0..CHANGES {
        change().await?;
    }
    let after = calls("sync(")?.len();
    ensure!(after - before < CHANGES, "{} syncs for {CHANGES} changes: none of them shared one", after - before);
    // The last change is synced without another one after it.
    let mut waited = Vec::new();
    for _ in 0..LAST {
        change().await?;
        let (_, written) = calls("pwrite64(")?.pop().context("nothing was written")?;
        let synced = async {
            loop {
                if let Some((_, at)) = calls("sync(")?.into_iter().find(|(_, at)| *at >= written) {
                    return anyhow::Ok(at);
                }
                tokio::task::yield_now().await;
            }
        };
        let synced = tokio::time::timeout(std::time::Duration::from_mins(1), synced);
        waited.push(synced.await.context("the last change was not synced")?? - written);
    }
    let soonest = waited.iter().copied().fold(f64::INFINITY, f64::min);
    ensure!(soonest < 1.0, "seconds from a change to its sync: {waited:?}");
    let (writers, syncers) = (calls("pwrite64(")?, calls("sync(")?.split_off(before));
    let (writer, _) = writers.last().context("nothing was written")?;
    ensure!(syncers.iter().all(|(syncer, _)| syncer != writer), "{writer}, which writes, waited for the disk");
    Ok(())
}
