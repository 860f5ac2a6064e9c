//! Starting and stopping.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

#[cfg(target_os = "linux")]
use std::process::{Command, Stdio};

use crate::world::{Served, World};

#[test]
fn first_line_says_where_and_gives_a_link() {
    let world = World::new();
    let node = world.serve();
    assert!(node.url().starts_with("http://127.0.0.1:"));
    assert!(node.ready["link"].as_str().unwrap().starts_with(&format!("{}/#pair=", node.url())));
    let status = world.json(&["status"]);
    assert_eq!(status["vault"], "file");
    assert_eq!(status["pid"], node.pid());
    assert!(status["notices"].to_string().contains("protects copies of the data, not the machine"));
    let link = world.json(&["link"]);
    assert_ne!(link["url"], node.ready["link"], "each link is new");
}

#[test]
fn second_node_on_one_data_directory_is_refused_and_names_the_first() {
    let world = World::new();
    let node = world.serve();
    let second = world.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code(), 8);
    assert!(second.stderr().contains(&format!("pid {}, {}", node.pid(), node.url())), "{}", second.stderr());
    assert!(second.stderr().contains("hint: "));
}

#[test]
fn taken_port_names_who_has_it() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let outcome = World::new().run(&["serve", "--listen", &address]);
    assert_eq!(outcome.code(), 8);
    let expected = format!("(pid {})", std::process::id());
    assert!(outcome.stderr().contains(&format!("{address} is used by ")), "{}", outcome.stderr());
    assert!(outcome.stderr().contains(&expected), "{}", outcome.stderr());
    assert!(outcome.stderr().contains("--listen 127.0.0.1:0"), "{}", outcome.stderr());
}

#[test]
fn port_of_another_node_is_recognized() {
    let (world, other) = (World::new(), World::new());
    let node = world.serve();
    let outcome = other.run(&["serve", "--json", "--listen", node.url().trim_start_matches("http://")]);
    assert_eq!(outcome.code(), 8);
    let error: serde_json::Value = serde_json::from_str(outcome.stderr().lines().last().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "PORT_TAKEN");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.ends_with(&format!("is used by another Flowork (pid {})", node.pid())), "{message}");
}

/// Enqueues a `sleep` and waits until a worker has it.
fn start_sleep(world: &World, duration_ms: u32) -> String {
    let payload = format!("{{\"duration_ms\":{duration_ms}}}");
    let job = world.json(&["job", "enqueue", "sleep", "--payload", &payload]);
    let id = job["id"].as_str().unwrap().to_owned();
    while world.json(&["job", "get", &id])["state"] != "leased" {}
    id
}

#[test]
fn sigterm_lets_a_running_job_finish() {
    let world = World::new();
    let mut node = world.serve();
    let id = start_sleep(&world, 1_500);
    node.signal("TERM");
    assert_eq!(node.next_line().unwrap()["event"], "draining");
    let stopped = node.next_line().unwrap();
    assert_eq!((&stopped["event"], &stopped["released"]), (&"stopped".into(), &0.into()));
    assert_eq!(node.wait().code(), Some(0));
    drop(node);

    let _again = world.serve();
    let job = world.json(&["job", "get", &id]);
    assert_eq!((&job["state"], &job["attempt"]), (&"completed".into(), &1.into()), "it finished before the stop");
}

#[test]
fn deadline_of_the_drain_gives_the_job_back() {
    let world = World::new();
    world.config("drain_deadline_ms = 100");
    let mut node = world.serve();
    let id = start_sleep(&world, 600_000);
    node.signal("TERM");
    assert_eq!(node.next_line().unwrap()["deadline_ms"], 100);
    assert_eq!(node.next_line().unwrap()["released"], 1);
    assert_eq!(node.wait().code(), Some(0));

    let _again = world.serve();
    while world.json(&["job", "get", &id])["state"] != "leased" {}
    assert_eq!(world.run(&["job", "cancel", &id]).code(), 0);
}

#[test]
fn second_sigterm_stops_at_once() {
    let world = World::new();
    let mut node = world.serve();
    start_sleep(&world, 600_000);
    node.signal("TERM");
    assert_eq!(node.next_line().unwrap()["event"], "draining");
    let begin = Instant::now();
    node.signal("TERM");
    assert_eq!(node.wait().code(), Some(130));
    assert!(begin.elapsed() < Duration::from_secs(10), "the drain alone would have taken 30 s");
}

/// Another program, with the environment and the pipes `flowork` would have.
#[cfg(target_os = "linux")]
fn like(flowork: &Command, mut other: Command) -> Command {
    for (name, value) in flowork.get_envs() {
        match value {
            Some(value) => other.env(name, value),
            None => other.env_remove(name),
        };
    }
    other.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    other
}

#[cfg(target_os = "linux")]
#[test]
fn a_closed_terminal_stops_the_node_unless_it_was_started_to_outlive_it() {
    let world = World::new();
    let mut node = world.serve();
    node.signal("HUP");
    assert_eq!(node.next_line().unwrap()["event"], "draining");
    assert_eq!(node.wait().code(), Some(0));
    drop(node);

    let flowork = world.command(&["serve", "--json", "--listen", "127.0.0.1:0"]);
    let mut nohup = Command::new("nohup");
    nohup.arg(flowork.get_program()).args(flowork.get_args());
    let mut node = Served::start(like(&flowork, nohup));
    node.signal("HUP");
    assert_eq!(world.json(&["status"])["pid"], node.pid(), "it goes on");
    node.signal("TERM");
    assert_eq!(node.next_line().unwrap()["event"], "draining", "the first signal it heard");
    assert_eq!(node.wait().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_small_bound_on_open_files_is_raised_as_far_as_allowed() {
    let world = World::new();
    let flowork = world.command(&["serve", "--json", "--listen", "127.0.0.1:0"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -S -n 200 && ulimit -H -n 2000 && exec \"$@\"", "sh"]);
    shell.arg(flowork.get_program()).args(flowork.get_args());
    let node = Served::start(like(&flowork, shell));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", node.pid())).unwrap();
    let open_files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(open_files.split_whitespace().nth(3), Some("2000"), "{open_files}");
}

#[test]
fn start_after_a_kill_needs_no_help() {
    let world = World::new();
    let mut node = world.serve();
    node.signal("KILL");
    node.wait();
    assert_eq!(world.run(&["status"]).code(), 4, "a lock without its process is none");
    let _again = world.serve();
    assert_eq!(world.run(&["status"]).code(), 0);
}

#[test]
fn without_a_bus_the_vault_is_a_file_even_on_auto() {
    let world = World::new();
    let mut command = world.command(&["serve", "--json", "--listen", "127.0.0.1:0"]);
    command.env("FLOWORK_VAULT", "auto").env_remove("XDG_RUNTIME_DIR");
    command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/flowork-test-bus");
    let _node = Served::start(command);
    if cfg!(target_os = "linux") {
        assert_eq!(world.json(&["status"])["vault"], "file");
    }
}
