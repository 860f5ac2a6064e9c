//! Modules as real child processes: good ones, and every way of being bad.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/server.rs"]
mod server;

use std::{path::Path, time::Duration};

use flowork_engine::{JobFailure, KindRegistry, kind::detached_context};
use flowork_kinds::{ModuleHost, ModuleOptions};
use serde_json::{Value, json};
use server::{expect_failure, run};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

/// Writes a module that runs this shell script.
fn module(dir: &Path, script: &str, limits: &Value) {
    let folder = dir.join("demo");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("main.sh"), script).unwrap();
    let manifest = json!({
        "id": "demo", "name": "Demo", "version": "1.0.0",
        "entry": {"command": ["sh", "main.sh"]}, "limits": limits,
    });
    std::fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
}

fn load(dir: &Path) -> (ModuleHost, KindRegistry) {
    let registry = KindRegistry::default();
    let options = ModuleOptions { allow_hosts: vec!["printer.lan".to_owned()], ..ModuleOptions::default() };
    (ModuleHost::start(dir, registry.clone(), options).unwrap(), registry)
}

async fn run_script(script: &str) -> (Result<Value, JobFailure>, Vec<String>) {
    run_limited(script, &json!({})).await
}

async fn run_limited(script: &str, limits: &Value) -> (Result<Value, JobFailure>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    module(dir.path(), script, limits);
    let (_host, registry) = load(dir.path());
    let (outcome, _, logs) = run(&registry, "module.demo", json!({"a": 1})).await;
    (outcome, logs)
}

#[tokio::test]
async fn a_module_gets_its_request_and_gives_a_result() {
    let dir = tempfile::tempdir().unwrap();
    let script = r#"
        read -r request
        echo '{"type":"progress","fraction":0.5,"message":"half"}'
        echo '{"type":"log","level":"info","message":"hello"}'
        echo '{"type":"output","text":"some "}'
        echo '{"type":"output","text":"text"}'
        echo 'to stderr' >&2
        printf '{"type":"result","value":{"request":%s,"cwd":"%s","env":"%s"}}\n' "$request" "$(pwd)" "${FLOWORK_TEST:-unset}$CARGO_MANIFEST_DIR"
    "#;
    module(dir.path(), script, &json!({}));
    let (_host, registry) = load(dir.path());
    let (outcome, progress, logs) = run(&registry, "module.demo", json!({"a": 1})).await;
    let result = outcome.unwrap();
    let request = &result["request"];
    assert_eq!((&request["inputs"], &request["attempt"]), (&json!({"a": 1}), &json!(1)));
    assert_eq!(request["policy"]["allow_hosts"], json!(["printer.lan"]));
    assert!(request["deadline_ms"].as_u64().unwrap() > 1_000 && request["id"].as_str().unwrap().starts_with("job_"));
    assert!(!Path::new(request["work_dir"].as_str().unwrap()).exists(), "the folder of the attempt is deleted");
    assert!(result["cwd"].as_str().unwrap().ends_with("/demo"));
    assert_eq!(result["env"], "unset", "variables of the node stay with the node");
    assert_eq!((progress.fraction, progress.output.as_deref()), (Some(0.5), Some("some text")));
    assert!(logs.contains(&"hello".to_owned()) && logs.contains(&"to stderr".to_owned()), "{logs:?}");
}

#[tokio::test]
async fn an_error_of_the_module_is_passed_on() {
    let line =
        r#"echo '{"type":"error","code":"NO_PAPER","message":"no paper","hint":"add some","retryable":true}'; exit 3"#;
    let (outcome, _) = run_script(line).await;
    expect_failure(&outcome, "NO_PAPER", true);
    let odd = r#"echo '{"type":"error","code":"not a code","message":"m","hint":"h"}'"#;
    expect_failure(&run_script(odd).await.0, "MODULE_ERROR", false);
}

#[tokio::test]
async fn a_crash_shows_the_end_of_stderr() {
    let (outcome, _) = run_script("echo 'first' >&2; echo 'it broke' >&2; exit 42").await;
    expect_failure(&outcome, "MODULE_CRASHED", true);
    let details = outcome.unwrap_err().error.details.unwrap();
    assert_eq!((&details["exit_code"], &details["stderr"]), (&json!(42), &json!(["first", "it broke"])));
    let (outcome, _) = run_script("kill -9 $$").await;
    assert_eq!(outcome.unwrap_err().error.details.unwrap()["signal"], 9);
    let late = r#"echo '{"type":"result","value":1}'; exit 1"#;
    expect_failure(&run_script(late).await.0, "MODULE_CRASHED", true);
}

#[tokio::test]
async fn garbage_is_shown_a_little_and_counted() {
    let script = r#"i=0; while [ $i -lt 50 ]; do echo "garbage $i"; i=$((i+1)); done; echo '{"type":"dance"}'; exit 0"#;
    let (outcome, logs) = run_script(script).await;
    expect_failure(&outcome, "MODULE_NO_RESULT", false);
    assert_eq!(outcome.unwrap_err().error.details.unwrap()["lines_not_understood"], 51);
    assert_eq!(logs.iter().filter(|line| line.contains(": garbage ")).count(), 5, "{logs:?}");
    assert!(logs.iter().any(|line| line.contains("51 lines")), "{logs:?}");
    let bytes = r#"printf '\377\376\000\001\n'; printf '%s' '{"type":"result","value":7}'"#;
    assert_eq!(run_script(bytes).await.0.unwrap(), 7, "a last line need not be ended");
}

#[tokio::test]
async fn floods_are_stopped() {
    let limits = json!({"output_bytes_max": 1 << 20});
    for script in ["yes '{\"type\":\"log\",\"message\":\"x\"}'", "yes 'x' >&2", "yes garbage"] {
        expect_failure(&run_limited(script, &limits).await.0, "OUTPUT_TOO_LARGE", false);
    }
    // One line without an end, under the bound of all output.
    expect_failure(&run_script("head -c 3000000 /dev/zero | tr '\\0' x").await.0, "OUTPUT_TOO_LARGE", false);
    let result = "echo '{\"type\":\"result\",\"value\":\"0123456789\"}'";
    expect_failure(&run_limited(result, &json!({"output_bytes_max": 10})).await.0, "OUTPUT_TOO_LARGE", false);
    assert_eq!(run_limited(result, &limits).await.0.unwrap(), "0123456789", "the control");
}

#[tokio::test]
async fn a_module_that_ignores_stdin_does_not_block() {
    let dir = tempfile::tempdir().unwrap();
    module(dir.path(), "echo '{\"type\":\"result\",\"value\":true}'", &json!({}));
    let (_host, registry) = load(dir.path());
    // More than a pipe holds.
    let payload = json!({"text": "x".repeat(1 << 20)});
    assert_eq!(run(&registry, "module.demo", payload).await.0.unwrap(), true);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    module(dir.path(), "", &json!({}));
    let path = dir.path().join("demo/manifest.json");
    let manifest = std::fs::read_to_string(&path).unwrap().replace("\"sh\"", "\"no-such-program\"");
    std::fs::write(path, manifest).unwrap();
    let (_host, registry) = load(dir.path());
    let (outcome, ..) = run(&registry, "module.demo", json!({})).await;
    expect_failure(&outcome, "MODULE_NOT_FOUND", false);
    assert!(outcome.unwrap_err().error.message.contains("no-such-program"));
}

#[tokio::test]
async fn a_module_is_recorded_only_while_it_runs() {
    for script in ["echo '{\"type\":\"result\",\"value\":1}'", "kill -9 $$", "sleep 600"] {
        let (dir, pids) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        // Goes on once the test has looked.
        module(dir.path(), &format!("echo started > out; read -r line < in; {script}"), &json!({}));
        for pipe in ["out", "in"] {
            let made = std::process::Command::new("mkfifo").arg(dir.path().join("demo").join(pipe)).status();
            assert!(made.unwrap().success());
        }
        let registry = KindRegistry::default();
        let options = ModuleOptions { pid_dir: Some(pids.path().to_owned()), ..ModuleOptions::default() };
        let _host = ModuleHost::start(dir.path(), registry.clone(), options).unwrap();
        let context = detached_context(json!({}), Duration::from_mins(1));
        let (cancel, job_id) = (context.cancel.clone(), context.job_id.to_string());
        let registered = registry.get("module.demo").unwrap();
        let attempt = tokio::spawn(async move { registered.kind.run(context).await });
        tokio::fs::read(dir.path().join("demo/out")).await.unwrap();
        let records: Vec<_> = std::fs::read_dir(pids.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(records.len(), 1, "{records:?}");
        let record: Value = serde_json::from_slice(&std::fs::read(&records[0]).unwrap()).unwrap();
        assert_eq!((&record["job_id"], &record["host"]["pid"]), (&json!(job_id), &json!(std::process::id())));
        tokio::fs::write(dir.path().join("demo/in"), "go on\n").await.unwrap();
        if script.starts_with("sleep") {
            cancel.cancel();
        }
        attempt.await.unwrap().ok();
        assert_eq!(std::fs::read_dir(pids.path()).unwrap().count(), 0, "after {script}");
    }
}

/// How the attempt is ended.
enum Ending {
    /// By itself, or by the deadline.
    Deadline,
    Cancel,
    Drop,
}

/// A module whose children never end by themselves. All of them hold the write end of a pipe: once it is at its end,
/// none of them is alive.
async fn check_children_end(ending: Ending, script: &str) -> Option<Result<Value, JobFailure>> {
    let dir = tempfile::tempdir().unwrap();
    module(dir.path(), script, &json!({}));
    let pipe = dir.path().join("demo/pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (_host, registry) = load(dir.path());
    let timeout = if matches!(ending, Ending::Deadline) { Duration::from_secs(2) } else { Duration::from_mins(1) };
    let context = detached_context(json!({}), timeout);
    let cancel = context.cancel.clone();
    let registered = registry.get("module.demo").unwrap();
    let attempt = tokio::spawn(async move { registered.kind.run(context).await });
    // Opening waits for the first writer.
    let pipe = tokio::task::spawn_blocking(move || std::fs::File::open(pipe)).await.unwrap().unwrap();
    let mut reader = BufReader::new(tokio::net::unix::pipe::Receiver::from_file(pipe).unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).await.unwrap();
    assert_eq!(line, "started\n");
    match ending {
        Ending::Deadline => {}
        Ending::Cancel => cancel.cancel(),
        Ending::Drop => attempt.abort(),
    }
    let outcome = attempt.await.ok();
    let mut rest = String::new();
    let end = tokio::time::timeout(Duration::from_secs(10), reader.read_to_string(&mut rest)).await;
    end.expect("some process of the module is still alive").unwrap();
    outcome
}

const FAMILY: &str = "exec 3>pipe; (sh -c 'sleep 600' & sleep 600) & echo started >&3; sleep 600";
const DEAF_FAMILY: &str =
    "trap '' TERM; exec 3>pipe; (trap '' TERM; sleep 600; sleep 600) & echo started >&3; sleep 600; sleep 600";

#[tokio::test]
async fn a_hanging_module_is_killed_with_its_children_at_the_deadline() {
    expect_failure(&check_children_end(Ending::Deadline, FAMILY).await.unwrap(), "TIMEOUT", true);
}

#[tokio::test]
async fn a_cancelled_module_ends_with_its_children() {
    for script in [FAMILY, DEAF_FAMILY] {
        let failure = check_children_end(Ending::Cancel, script).await.unwrap().unwrap_err();
        assert_eq!(failure.error.code, "CANCELLED");
    }
}

#[tokio::test]
async fn a_dropped_attempt_leaves_nothing_behind() {
    assert!(check_children_end(Ending::Drop, DEAF_FAMILY).await.is_none());
}

#[tokio::test]
async fn children_of_a_module_that_ended_are_killed() {
    let script = "exec 3>pipe; sleep 600 & echo started >&3; echo '{\"type\":\"result\",\"value\":1}'";
    assert_eq!(check_children_end(Ending::Deadline, script).await.unwrap().unwrap(), 1);
}
