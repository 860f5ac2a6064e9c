//! A real node in this process, watched as the desktop app watches it.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod connection;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use flowork_api_types::{JobId, auth::Role, node::Notice};
use flowork_node::{Config, Flags, Node, NodeHandle, access::TokenSigner};
use flowork_shell::{
    ClientError, Happening, Happenings, Hosting, IconState, NodeClient, NodeView, Phase, ResetTarget, Workers,
    WorkersWish, watch,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch::Receiver,
    time::timeout,
};
use url::Url;

/// Far longer than anything here takes; only a defect waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

fn config(directory: &Path, allowed_host: Option<String>) -> Config {
    let text = |name: &str| directory.join(name).to_string_lossy().into_owned();
    let environment = BTreeMap::from([
        ("FLOWORK_VAULT".to_owned(), "file".to_owned()),
        ("FLOWORK_VAULT_KEY_DIR".to_owned(), text("keys")),
    ]);
    if let Some(host) = allowed_host {
        std::fs::create_dir_all(directory.join("data")).unwrap();
        let settings = format!("[gateway]\nallowed_hosts = [\"{host}\"]\n");
        std::fs::write(directory.join("data/config.toml"), settings).unwrap();
    }
    let flags = Flags { data_dir: Some(text("data")), listen: Some("127.0.0.1:0".to_owned()), ..Flags::default() };
    Config::load_with(&flags, &environment).unwrap()
}

/// A node and everything that the app has of it.
struct World {
    node: NodeHandle,
    client: NodeClient,
    signer: Arc<TokenSigner>,
    views: Receiver<NodeView>,
    happenings: Happenings,
    config: Config,
    _directory: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        Self::start_behind(None).await
    }

    /// With everything that the app says going by another address.
    async fn start_behind(behind: Option<&connection::Connection>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path(), behind.map(|behind| behind.address().to_string()));
        let node = Node::start(config.clone()).await.unwrap();
        let mut url = Url::parse(node.url()).unwrap();
        if let Some(behind) = behind {
            behind.lead_to(&url);
            url.set_port(Some(behind.address().port())).unwrap();
        }
        let signer = Arc::new(TokenSigner::open(&config).unwrap());
        let client = NodeClient::new(url, Arc::clone(&signer)).unwrap();
        let (views, happenings) = watch(client.clone(), Hosting::Own);
        let mut world = Self { node, client, signer, views, happenings, config, _directory: directory };
        world.until("the node is idle", |view| view.phase == Phase::Idle).await;
        world
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&NodeView) -> bool) -> NodeView {
        let found = timeout(PATIENCE, self.views.wait_for(|view| holds(view))).await;
        let found = found.map(|view| view.unwrap().clone());
        found.unwrap_or_else(|_| panic!("not seen: {what}; it is {:?}", self.views.borrow()))
    }

    async fn next(&mut self) -> Happening {
        timeout(PATIENCE, self.happenings.next()).await.expect("something happens").expect("it is watched")
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let token = self.signer.sign(Role::Owner, Duration::from_mins(1)).unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http.post(format!("{}{path}", self.node.url().trim_end_matches('/'))).bearer_auth(token);
        let request = request.header("Idempotency-Key", next_key()).json(body);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    async fn enqueue(&self, body: &Value) -> JobId {
        serde_json::from_value(self.post("/v1/jobs", body).await["id"].clone()).unwrap()
    }

    async fn stop(self) {
        self.happenings.stop().await;
        self.node.stop().await;
    }
}

/// Another one each time.
fn next_key() -> String {
    static KEYS: AtomicU32 = AtomicU32::new(0);
    KEYS.fetch_add(1, Ordering::Relaxed).to_string()
}

fn long_job() -> Value {
    json!({"kind": "sleep", "payload": {"duration_ms": 3_600_000}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn view_follows_the_node_from_idle_to_busy_to_drained() {
    let mut world = World::start().await;
    let idle = world.until("it is idle", |view| view.phase == Phase::Idle).await;
    assert_eq!(idle.hosting, Hosting::Own);
    assert!(idle.allowed.drain && idle.allowed.stop && !idle.allowed.start && !idle.allowed.undrain);
    assert_eq!(idle.icon(), IconState::Idle, "a key in a file is no alarm: {:?}", idle.advice);

    let job = world.enqueue(&long_job()).await;
    let busy = world.until("it is busy", |view| view.phase == Phase::Busy).await;
    assert_eq!((busy.running, busy.running_here, busy.icon()), (1, 1, IconState::Busy));
    assert_eq!(world.client.job(job).await.unwrap().summary.kind, "sleep");

    world.client.set_drain(true, Some("a test")).await.unwrap();
    let draining = world.until("it drains", |view| view.phase == Phase::Draining { left: 1 }).await;
    assert!(draining.allowed.undrain && !draining.allowed.drain);
    world.post(&format!("/v1/jobs/{job}/cancel"), &json!({})).await;
    world.until("it has drained", |view| view.phase == Phase::Draining { left: 0 }).await;
    world.client.set_drain(false, None).await.unwrap();
    world.until("it is idle again", |view| view.phase == Phase::Idle).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_of_jobs_and_new_trouble_are_told_once_each() {
    let mut world = World::start().await;
    let good = world.enqueue(&json!({"kind": "noop"})).await;
    assert_eq!(world.next().await, Happening::JobCompleted { id: good, kind: "noop".to_owned() });
    let bad = json!({"kind": "sleep", "payload": {"duration_ms": 60_000}, "timeout_ms": 1, "attempts_max": 1});
    let bad = world.enqueue(&bad).await;
    assert_eq!(world.next().await, Happening::JobFailed { id: bad, kind: "sleep".to_owned() });

    let notice = |code: &str| Notice { code: code.to_owned(), message: "Look.".to_owned(), hint: None };
    world.node.set_notice(notice("TRAY_MISSING"));
    world.until("the advice", |view| view.advice.contains(&notice("TRAY_MISSING"))).await;
    world.node.set_notice(notice("SHARD_FAILING"));
    let told = world.next().await;
    assert_eq!(told, Happening::Attention(notice("SHARD_FAILING")), "advice is nothing to be woken for");
    world.until("the alarm", |view| view.icon() == IconState::Attention).await;
    world.node.clear_notice("SHARD_FAILING");
    world.until("its end", |view| view.icon() == IconState::Idle).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_are_set_by_a_person_and_by_load_again() {
    let mut world = World::start().await;
    let before = world.until("workers", |view| view.allowed.workers).await;
    let engine = before.engine.unwrap();
    world.client.set_workers(engine, WorkersWish::Exactly(3)).await.unwrap();
    let Workers { min, max, .. } = before.workers;
    let expected = Workers { now: 3, min, max, fixed: true };
    world.until("three workers", move |view| view.workers == expected).await;
    world.client.set_workers(engine, WorkersWish::ByLoad).await.unwrap();
    world.until("workers by load", |view| !view.workers.fixed).await;
    let refused = world.client.set_workers(engine, WorkersWish::Exactly(0)).await.expect_err("none is a drain");
    assert!(matches!(refused, ClientError::Refused { ref code, .. } if code == "VALIDATION_ERROR"), "{refused}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn link_opens_the_gui_and_signs_in() {
    let world = World::start().await;
    let link = world.client.link().await.unwrap();
    assert_eq!(link.origin(), world.client.url().origin());
    assert!(link.fragment().is_some_and(|fragment| fragment.contains("pair")), "{link}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_that_is_gone_is_shown_as_such() {
    let World { node, mut views, happenings, client, config, _directory, .. } = World::start().await;
    node.stop().await;
    let gone =
        timeout(PATIENCE, views.wait_for(|view| view.phase == Phase::Unreachable)).await.unwrap().unwrap().clone();
    assert!(gone.allowed.stop && !gone.allowed.start && gone.url.is_some(), "it is this app's: {gone:?}");
    let error = client.status().await.expect_err("nobody is there");
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    happenings.stop().await;
    assert!(views.changed().await.is_err(), "nothing watches any more");

    let plan = flowork_shell::reset::plan(&ResetTarget::of(&config)).unwrap();
    assert!(plan.kept.is_empty(), "a node has files that a reset does not know: {:?}", plan.kept);
    assert!(plan.secrets.contains(&"jwt/user".to_owned()), "{:?}", plan.secrets);
    for what in ["reset-accounts", "reset-jobs", "reset-sessions", "reset-audit", "reset-logs", "reset-vault-key"] {
        assert!(plan.items.iter().any(|item| item.what == what), "{what} is not in {:?}", plan.items);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_the_port_of_a_node_that_ended_is_sent_nothing() {
    let World { node, client, happenings, config, _directory, .. } = World::start().await;
    happenings.stop().await;
    let client = client.only_while_held(&config.data_dir, std::process::id());
    let (mut views, happenings) = watch(client.clone(), Hosting::Own);
    timeout(PATIENCE, views.wait_for(|view| view.phase == Phase::Idle)).await.unwrap().unwrap();
    node.stop().await;

    let address = client.url().socket_addrs(|| None).unwrap()[0];
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    timeout(PATIENCE, views.wait_for(|view| view.phase == Phase::Unreachable)).await.unwrap().unwrap();
    let error = client.status().await.expect_err("it has ended");
    assert!(matches!(error, ClientError::Ended { .. }), "{error}");
    // Its first try is over once it says so.
    let (mut again, more) = watch(client, Hosting::Own);
    timeout(PATIENCE, again.wait_for(|view| view.phase == Phase::Unreachable)).await.unwrap().unwrap();
    let mut last = tokio::net::TcpStream::connect(address).await.unwrap();
    last.write_all(b"the test").await.unwrap();
    drop(last);
    let (mut first, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    let mut said = String::new();
    timeout(PATIENCE, first.read_to_string(&mut said)).await.unwrap().unwrap();
    assert_eq!(said, "the test", "nobody came before");
    more.stop().await;
    happenings.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_that_is_over_before_its_time_is_replaced_and_the_wish_sent_again() {
    let mut world = World::start().await;
    let engine = world.until("workers", |view| view.allowed.workers).await.engine.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let client = NodeClient::new(url, Arc::clone(&world.signer)).unwrap();
    let answers = ["401 Unauthorized", "204 No Content"];
    let node = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                assert_ne!(connection.read_buf(&mut request).await.unwrap(), 0, "the request was cut off");
            }
            let answer = format!("HTTP/1.1 {answer}\r\nConnection: close\r\n\r\n");
            connection.write_all(answer.as_bytes()).await.unwrap();
            asked.push(String::from_utf8(request).unwrap().to_lowercase());
        }
        asked
    });
    timeout(PATIENCE, client.set_workers(engine, WorkersWish::Exactly(3))).await.unwrap().unwrap();
    for request in timeout(PATIENCE, node).await.unwrap().unwrap() {
        assert_eq!(request.matches("authorization: bearer ").count(), 1, "one token at a time");
        assert!(request.ends_with("{\"workers\":3}"), "{request}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_of_a_node_that_another_process_has_asks_nothing() {
    let world = World::start().await;
    let of_this = world.client.clone().only_while_held(&world.config.data_dir, std::process::id());
    of_this.status().await.expect("it is this very process");
    let of_another = world.client.clone().only_while_held(&world.config.data_dir, std::process::id() + 1);
    let error = of_another.status().await.expect_err("another process has it");
    assert!(matches!(error, ClientError::Ended { .. }), "{error}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connection_is_found_again_where_it_was() {
    let connection = connection::Connection::listen().await;
    let mut world = World::start_behind(Some(&connection)).await;
    connection.cut();
    world.until("it is out of reach", |view| view.phase == Phase::Unreachable).await;
    let missed = world.enqueue(&json!({"kind": "noop"})).await;
    assert!(world.client.job(missed).await.expect_err("it is cut").hint().is_some());
    connection.join();
    world.until("it is back", |view| view.phase == Phase::Idle).await;
    let next = world.enqueue(&json!({"kind": "noop"})).await;
    let told = world.next().await;
    let ids = [missed, next];
    assert!(matches!(&told, Happening::JobCompleted { id, .. } if ids.contains(id)), "{told:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storm_of_events_is_a_few_fetches_and_an_idle_node_none() {
    let connection = connection::Connection::listen().await;
    let mut world = World::start_behind(Some(&connection)).await;
    let (before, began) = (connection.fetches(), std::time::Instant::now());
    let job = json!({"kind": "noop"});
    for _ in 0..50 {
        world.enqueue(&job).await;
    }
    for _ in 0..50 {
        assert!(matches!(world.next().await, Happening::JobCompleted { .. }));
    }
    world.until("nothing runs", |view| view.phase == Phase::Idle && view.queued == 0).await;
    let (fetches, took) = (connection.fetches() - before, began.elapsed());
    let bound = took.as_millis() / 250 + 2;
    assert!(fetches as u128 <= bound, "{fetches} fetches in {took:?} for 150 events");
    world.stop().await;
}
