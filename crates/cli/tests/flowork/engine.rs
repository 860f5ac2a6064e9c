//! An engine in a process of its own.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::world::{Served, World};

/// Far longer than anything here takes; only a defect waits for it.
const PATIENCE: Duration = Duration::from_mins(2);

/// `engine run` for a new engine of the node, with its log in a file.
struct Elsewhere {
    world: World,
    process: Served,
    id: String,
    token: String,
}

impl Elsewhere {
    fn start(node_world: &World, node: &Served) -> Self {
        Self::start_in(World::new(), node_world, node)
    }

    fn start_in(world: World, node_world: &World, node: &Served) -> Self {
        let created = node_world.json(&["engine", "create", "elsewhere"]);
        let token = created["token"].as_str().unwrap().to_owned();
        fs::create_dir_all(world.data()).unwrap();
        let mut command = world.command(&["engine", "run", "--json", "--gateway", node.url(), "--workers", "3"]);
        command.env("FLOWORK_ENGINE_TOKEN", &token).stderr(File::create(world.data().join("engine.log")).unwrap());
        let process = Served::start(command);
        Self { process, id: created["engine"]["id"].as_str().unwrap().to_owned(), token, world }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.world.data().join("engine.log")).unwrap()
    }

    fn enqueue(&self, node_world: &World, kind: &str, payload: &Value) -> String {
        let payload = payload.to_string();
        let job = node_world.json(&["job", "enqueue", kind, "--engine", &self.id, "--payload", &payload]);
        job["id"].as_str().unwrap().to_owned()
    }

    fn state(&self, node_world: &World) -> Value {
        let listed = node_world.json(&["engine", "list"]);
        let engines = listed["items"].as_array().unwrap().clone();
        engines.into_iter().find(|engine| engine["id"] == self.id.as_str()).unwrap()
    }
}

/// Waits for something to be so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what} did not come about");
    }
}

fn leased(world: &World, job: &str) {
    until("the lease", || world.json(&["job", "get", job])["state"] == "leased");
}

/// Adds a module that writes a line to `started` and then waits until there is a file `go`.
fn add_gated_module(world: &World) {
    world.json(&["module", "new", "gated", "--template", "shell"]);
    let (started, go) = (world.data().join("started"), world.data().join("go"));
    let script = format!(
        "read -r request\necho started >> '{}'\nwhile [ ! -e '{}' ]; do sleep 0.02; done\n\
         echo '{{\"type\":\"result\",\"value\":\"done\"}}'\n",
        started.display(),
        go.display()
    );
    fs::write(world.data().join("modules/gated/main.sh"), script).unwrap();
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

#[test]
fn engine_elsewhere_runs_the_jobs_that_are_for_it() {
    let world = World::new();
    let node = world.serve();
    let mut engine = Elsewhere::start(&world, &node);
    for _ in 0..5 {
        let payload = "{\"duration_ms\":10}";
        let job = world.json(&["job", "enqueue", "sleep", "--engine", &engine.id, "--payload", payload, "--wait"]);
        assert_eq!((&job["state"], &job["engine_id"]), (&"completed".into(), &engine.id.as_str().into()), "{job}");
    }
    let external = engine.state(&world);
    assert_eq!((&external["state"], &external["workers"]), (&"up".into(), &3.into()));

    engine.process.signal("TERM");
    assert_eq!(engine.process.next_line().unwrap()["event"], "draining");
    assert_eq!(engine.process.next_line().unwrap()["unfinished"], 0);
    assert_eq!(engine.process.wait().code(), Some(0));
}

#[test]
fn cancel_reaches_an_engine_elsewhere_long_before_its_next_renewal() {
    let world = World::new();
    let node = world.serve();
    let engine = Elsewhere::start(&world, &node);
    let job = engine.enqueue(&world, "sleep", &json!({"duration_ms": 600_000}));
    leased(&world, &job);
    let began = Instant::now();
    assert_eq!(world.run(&["job", "cancel", &job]).code(), 0);
    let ended = world.run(&["job", "wait", &job, "--timeout", "60s"]);
    assert_eq!(ended.code(), 6, "{}", ended.stderr());
    assert!(ended.stderr().contains("cancelled"), "{}", ended.stderr());
    // Leases are renewed every 10 s, and that would tell too.
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
}

#[test]
fn engine_goes_on_after_its_node_was_restarted() {
    let world = World::new();
    let mut node = world.serve();
    let engine = Elsewhere::start(&world, &node);
    let address = node.url().trim_start_matches("http://").to_owned();
    node.signal("KILL");
    node.wait();
    let _again = Served::start(world.command(&["serve", "--json", "--listen", &address]));
    until("the engine's return", || engine.state(&world)["state"] == "up");
    let job = world.json(&["job", "enqueue", "noop", "--engine", &engine.id, "--wait"]);
    assert_eq!(job["state"], "completed", "{job}");
}

#[test]
fn results_of_jobs_that_ended_while_the_node_was_away_arrive_and_nothing_runs_twice() {
    let world = World::new();
    let mut node = world.serve();
    let elsewhere = World::new();
    add_gated_module(&elsewhere);
    let started = elsewhere.data().join("started");
    let engine = Elsewhere::start_in(elsewhere, &world, &node);
    let jobs: Vec<_> = (0..3).map(|_| engine.enqueue(&world, "module.gated", &json!({"text": "x"}))).collect();
    until("three attempts", || lines(&started) == 3);
    let address = node.url().trim_start_matches("http://").to_owned();
    node.signal("KILL");
    node.wait();
    fs::write(engine.world.data().join("go"), "").unwrap();
    until("all three results in the buffer", || {
        engine.log().contains("\"items\":3") || engine.log().contains("items=3")
    });

    let _again = Served::start(world.command(&["serve", "--json", "--listen", &address]));
    for job in &jobs {
        let ended = world.json(&["job", "wait", job, "--timeout", "60s"]);
        assert_eq!((&ended["state"], &ended["result"]), (&json!("completed"), &json!("done")), "{ended}");
        assert_eq!(ended["attempt"], 1, "{ended}");
    }
    assert_eq!(lines(&started), 3, "each ran once");
}

#[test]
fn engine_that_is_stopped_gives_its_jobs_back_at_once() {
    let world = World::new();
    let node = world.serve();
    let elsewhere = World::new();
    elsewhere.config("drain_deadline_ms = 100\n");
    let mut engine = Elsewhere::start_in(elsewhere, &world, &node);
    let job = engine.enqueue(&world, "sleep", &json!({"duration_ms": 600_000}));
    leased(&world, &job);
    engine.process.signal("TERM");
    assert_eq!(engine.process.next_line().unwrap()["event"], "draining");
    assert_eq!(engine.process.next_line().unwrap()["unfinished"], 1);
    assert_eq!(engine.process.wait().code(), Some(0));
    // A lease that nobody gives back lasts longer than this takes, and counts as an attempt.
    let job = world.json(&["job", "get", &job]);
    assert_eq!((&job["state"], &job["attempt"]), (&json!("queued"), &json!(0)), "{job}");
}

#[test]
fn second_signal_stops_at_once_with_exit_code_130() {
    let world = World::new();
    let node = world.serve();
    let mut engine = Elsewhere::start(&world, &node);
    let job = engine.enqueue(&world, "sleep", &json!({"duration_ms": 600_000}));
    leased(&world, &job);
    engine.process.signal("TERM");
    assert_eq!(engine.process.next_line().unwrap()["running"], 1);
    engine.process.signal("TERM");
    assert_eq!(engine.process.wait().code(), Some(130));
}

#[test]
fn token_comes_from_the_vault_a_file_or_the_environment_and_is_in_no_argument() {
    let world = World::new();
    let node = world.serve();
    let mut first = Elsewhere::start(&world, &node);
    let arguments = |pid: u32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let has_token = |pid| arguments(pid).windows(first.token.len()).any(|part| part == first.token.as_bytes());
    assert!(!has_token(first.process.pid()));
    let file = first.world.data().join("token");
    fs::write(&file, format!("{}\n", first.token)).unwrap();
    let run = ["engine", "run", "--json", "--gateway", node.url()];
    let mut from_file = first.world.command(&[&run[..], &["--token-file", file.to_str().unwrap()]].concat());
    from_file.stderr(Stdio::null());
    let from_file = Served::start(from_file);
    assert!(!has_token(from_file.pid()));

    let mut set = first.world.command(&["engine", "set-token"]);
    let mut set = set.stdin(Stdio::piped()).spawn().unwrap();
    writeln!(set.stdin.take().unwrap(), "{}", first.token).unwrap();
    assert!(set.wait().unwrap().success());
    let mut from_vault = first.world.command(&run);
    from_vault.stderr(Stdio::null());
    let from_vault = Served::start(from_vault);
    assert!(!has_token(from_vault.pid()));
    assert!(!first.log().contains(&first.token), "nor in the log");
    first.process.signal("TERM");
    assert_eq!(first.process.wait().code(), Some(0));
}

#[test]
fn wrong_token_ends_it_with_exit_code_5() {
    let world = World::new();
    let node = world.serve();
    let run = |token: Option<&str>| {
        let mut command = world.command(&["engine", "run", "--gateway", node.url()]);
        if let Some(token) = token {
            command.env("FLOWORK_ENGINE_TOKEN", token);
        }
        command.output().unwrap().status.code()
    };
    assert_eq!(run(Some("fle_01930c5ea2f07a3c8000000000000000_0123456789abcdef")), Some(5));
    assert_eq!(run(Some("nonsense")), Some(2));
    assert_eq!(run(None), Some(2));
}
