//! `command.run`: what the guard refuses, what a program gets, and how it ends.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/server.rs"]
mod server;

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use flowork_engine::{JobFailure, JobKind, KindRegistry, kind::detached_context};
use flowork_kinds::{CommandOptions, CommandRun, KindsOptions, register_builtin};
use serde_json::{Value, json};
use server::{expect_failure, run};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

/// A program that is on every Unix, by a path that is a symbolic link on most.
const SHELL: &str = "/bin/sh";

fn shell() -> CommandOptions {
    CommandOptions { programs: vec![SHELL.into()], ..CommandOptions::default() }
}

fn registry(options: CommandOptions) -> KindRegistry {
    let registry = KindRegistry::default();
    register_builtin(&registry, KindsOptions { commands: Some(options), ..KindsOptions::default() }).unwrap();
    registry
}

async fn script(options: CommandOptions, script: &str, more: Value) -> Result<Value, JobFailure> {
    let mut payload = json!({"program": SHELL, "args": ["-c", script]});
    payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    run(&registry(options), "command.run", payload).await.0
}

#[tokio::test]
async fn arguments_and_input_reach_the_program_as_they_are() {
    let odd = ["$(id)", "; exit 3", "a  b", "\"'`", "*", "", "-n", "é\n"];
    let mut args = vec!["-c", "cat; for each; do printf '<%s>' \"$each\"; done", "name"];
    args.extend(odd);
    let payload = json!({"program": SHELL, "args": args, "stdin": "in $HOME\n"});
    let (outcome, progress, _) = run(&registry(shell()), "command.run", payload).await;
    let result = outcome.unwrap();
    let expected = format!("in $HOME\n<{}>", odd.join("><"));
    assert_eq!(result["stdout"], expected);
    assert_eq!(
        (&result["exit_code"], &result["truncated"], &result["signal"]),
        (&json!(0), &json!(false), &Value::Null)
    );
    assert!(result["duration_ms"].is_u64() && result["stderr"] == "");
    assert_eq!(progress.output.as_deref(), Some(expected.as_str()));
}

#[tokio::test]
async fn the_environment_is_empty_but_for_what_is_listed() {
    // Variables that are set wherever tests run.
    assert!(std::env::var_os("PATH").is_some() && std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let print = "env | sort; echo \"[$CARGO_MANIFEST_DIR]\"";
    let bare = script(shell(), print, json!({})).await.unwrap();
    let bare = bare["stdout"].as_str().unwrap();
    assert!(!bare.contains("CARGO") && bare.contains("[]"), "{bare}");
    let listed = CommandOptions {
        environment: ["CARGO_MANIFEST_DIR", "GREETING", "PATH"].map(str::to_owned).to_vec(),
        ..shell()
    };
    let given = script(listed, print, json!({"env": {"GREETING": "hi $PATH"}})).await.unwrap();
    let given = given["stdout"].as_str().unwrap();
    assert!(given.contains("GREETING=hi $PATH\n") && given.contains("/kinds]"), "{given}");
}

#[tokio::test]
async fn a_program_runs_in_an_allowed_folder_or_in_one_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("below");
    fs::create_dir(&below).unwrap();
    let options = CommandOptions { work_dirs: vec![dir.path().to_owned()], ..shell() };
    let result = script(options.clone(), "pwd -P", json!({"cwd": below})).await.unwrap();
    assert_eq!(result["stdout"].as_str().unwrap().trim(), fs::canonicalize(&below).unwrap().to_str().unwrap());
    let own = script(options, "pwd -P; ls -A | wc -l; touch left", json!({})).await.unwrap();
    let own: Vec<_> = own["stdout"].as_str().unwrap().lines().collect();
    assert_eq!(own[1].trim(), "0", "it is empty");
    assert!(!Path::new(own[0]).exists(), "it is gone with the program");
}

#[tokio::test]
async fn exit_codes_and_signals_decide() {
    let outcome = script(shell(), "echo out; echo why >&2; exit 3", json!({})).await;
    expect_failure(&outcome, "COMMAND_FAILED", true);
    let details = outcome.unwrap_err().error.details.unwrap();
    assert_eq!(
        (&details["exit_code"], &details["stderr_tail"], &details["stdout_tail"]),
        (&json!(3), &json!("why\n"), &json!("out\n"))
    );
    let good = script(shell(), "exit 3", json!({"ok_exit_codes": [0, 3]})).await.unwrap();
    assert_eq!(good["exit_code"], 3);
    expect_failure(&script(shell(), "exit 0", json!({"ok_exit_codes": [3]})).await, "COMMAND_FAILED", true);
    let killed = script(shell(), "kill -9 $$", json!({"ok_exit_codes": [0, 9, 137]})).await;
    expect_failure(&killed, "COMMAND_FAILED", true);
    assert_eq!(killed.unwrap_err().error.details.unwrap()["signal"], 9);
}

#[tokio::test]
async fn output_is_bounded_and_the_program_goes_on() {
    let flood = "yes 0123456789 | head -c 3000000; yes err | head -c 3000000 >&2; echo end >&2";
    let result = script(shell(), flood, json!({"output_bytes_max": 100})).await.unwrap();
    assert_eq!((&result["truncated"], &result["stdout_bytes"]), (&json!(true), &json!(3_000_000)));
    assert_eq!((result["stdout"].as_str().unwrap().len(), result["stderr_bytes"].as_u64()), (100, Some(3_000_004)));
    let most =
        script(shell(), "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2", json!({"output_bytes_max": 262_144}));
    let most = most.await.unwrap();
    assert!(most["stdout_base64"].is_string() && most.to_string().len() < 1 << 20, "it fits into a result");
}

/// Where the cases of the guard live.
struct Ground {
    dir: tempfile::TempDir,
    options: CommandOptions,
}

impl Ground {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["tool", "other", "open", "doomed"] {
            // Whoever runs it, under whatever name, leaves a trace.
            let trace = path("ran");
            fs::write(path(name), format!("#!/bin/sh\necho ran >> {}\n", trace.display())).unwrap();
            fs::set_permissions(path(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::set_permissions(path("open"), fs::Permissions::from_mode(0o777)).unwrap();
        for name in ["work", "work/sub", "outside", "work-not", "folder", "shared"] {
            fs::create_dir(path(name)).unwrap();
        }
        fs::copy(path("tool"), path("shared/tool")).unwrap();
        fs::set_permissions(path("shared"), fs::Permissions::from_mode(0o777)).unwrap();
        fs::write(path("work/file"), "").unwrap();
        symlink(path("outside"), path("work/escape")).unwrap();
        symlink(path("tool"), path("alias")).unwrap();
        symlink(path("tool"), path("swapped")).unwrap();
        let programs = ["tool", "open", "doomed", "swapped", "folder", "never-there", "shared/tool"].map(path);
        let options = CommandOptions {
            programs: programs.into_iter().chain([PathBuf::from("relative/tool")]).collect(),
            environment: ["LISTED", "PATH", "LD_PRELOAD"].map(str::to_owned).to_vec(),
            work_dirs: vec![path("work"), path("no-such-folder")],
            ..CommandOptions::default()
        };
        Self { dir, options }
    }

    fn text(&self, name: &str) -> String {
        format!("{}/{name}", self.dir.path().display())
    }
}

#[tokio::test]
async fn the_guard_refuses_what_is_not_listed() {
    let ground = Ground::new();
    let at = |name: &str| ground.text(name);
    let kind = CommandRun::new(ground.options.clone());
    // After the node has started.
    fs::remove_file(at("doomed")).unwrap();
    fs::remove_file(at("swapped")).unwrap();
    symlink(at("other"), at("swapped")).unwrap();
    fs::copy(at("other"), at("never-there")).unwrap();
    fs::create_dir(at("no-such-folder")).unwrap();

    let program = |program: String| json!({"program": program});
    let with = |name: &str, value: Value| json!({"program": at("tool"), name: value});
    let cases = [
        ("a program that is not listed", program(at("other"))),
        ("a relative path", program("tool".to_owned())),
        ("a path from here", program("./tool".to_owned())),
        ("a name for PATH", program("sh".to_owned())),
        ("a relative path that is listed", program("relative/tool".to_owned())),
        ("nothing", program(String::new())),
        ("another path to the same file", program(at("work/../tool"))),
        ("a doubled slash", program(at("/tool"))),
        ("a dot in the path", program(at("./tool"))),
        ("a slash at the end", program(at("tool/"))),
        ("a link that is not listed to a file that is", program(at("alias"))),
        ("a listed link that leads elsewhere now", program(at("swapped"))),
        ("a listed file that is gone", program(at("doomed"))),
        ("a listed file that was not there at the start", program(at("never-there"))),
        ("a folder", program(at("folder"))),
        ("a file that all may write", program(at("open"))),
        ("a file in a folder that all may write", program(at("shared/tool"))),
        ("a NUL in the program", program(format!("{}\0", at("tool")))),
        ("a command line", program(format!("{} && id", at("tool")))),
        ("a NUL in an argument", with("args", json!(["a\0b"]))),
        ("too many arguments", with("args", json!(vec!["a"; 1001]))),
        ("arguments that are too long", with("args", json!(vec!["a".repeat(1000); 140]))),
        ("an input that is too long", with("stdin", json!("x".repeat((512 << 10) + 1)))),
        ("a variable that is not listed", with("env", json!({"HOME": "/"}))),
        ("a variable like one that is listed", with("env", json!({"LISTED ": "x"}))),
        ("a variable that hides another", with("env", json!({"LISTED=1\nPATH": "x"}))),
        ("the search path", with("env", json!({"PATH": "/tmp"}))),
        ("a library to load first", with("env", json!({"LD_PRELOAD": "/tmp/x.so"}))),
        ("a NUL in a variable", with("env", json!({"LISTED": "a\0b"}))),
        ("a folder that is not listed", with("cwd", json!(at("outside")))),
        ("a way out of a folder", with("cwd", json!(at("work/../outside")))),
        ("a link out of a folder", with("cwd", json!(at("work/escape")))),
        ("a folder whose name begins alike", with("cwd", json!(at("work-not")))),
        ("the folder above", with("cwd", json!(at("work/..")))),
        ("the root", with("cwd", json!("/"))),
        ("a relative folder", with("cwd", json!("work"))),
        ("a folder that is not there", with("cwd", json!(at("work/none")))),
        ("a listed folder that was not there at the start", with("cwd", json!(at("no-such-folder")))),
        ("a file as folder", with("cwd", json!(at("work/file")))),
        ("a NUL in the folder", with("cwd", json!(format!("{}\0", at("work"))))),
    ];
    for (what, payload) in cases {
        // Past the schema, which refuses many of them too: the guard stands alone.
        let failure = kind.run(detached_context(payload, Duration::from_secs(20))).await.expect_err(what);
        assert_eq!((failure.error.code.as_str(), failure.retryable), ("COMMAND_REFUSED", false), "{what}: {failure:?}");
        assert!(failure.error.hint.is_some(), "{what}");
    }
    assert!(!Path::new(&at("ran")).exists(), "none of them was started");

    let good = json!({"program": at("tool"), "cwd": at("work/sub"), "env": {"LISTED": "x"}});
    kind.run(detached_context(good, Duration::from_secs(20))).await.unwrap();
    assert!(Path::new(&at("ran")).exists(), "what is listed is started");
}

#[tokio::test]
async fn the_schema_offers_the_programs_and_refuses_others() {
    let registered = registry(shell()).get("command.run").unwrap();
    assert_eq!(registered.kind.descriptor().payload_schema["properties"]["program"]["enum"], json!([SHELL]));
    assert!(registered.check(&json!({"program": "/bin/cat"})).is_err());
    assert!(registered.check(&json!({"program": SHELL, "shell": true})).is_err());
    let off = KindRegistry::default();
    register_builtin(&off, KindsOptions::default()).unwrap();
    assert!(off.get("command.run").is_none(), "it is off unless it is turned on");
}

/// How a program is ended.
enum Ending {
    OwnTime,
    Deadline,
    Cancel,
    Drop,
}

/// A program whose children never end by themselves. All of them hold the write end of a pipe: once it is at its end,
/// none of them is alive.
async fn check_family_ends(ending: &Ending) -> Option<Result<Value, JobFailure>> {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let family = format!(
        "trap '' TERM; exec 3>{}; (trap '' TERM; sh -c 'sleep 600; sleep 600' & sleep 600; sleep 600) & \
         echo started >&3; sleep 600; sleep 600",
        pipe.display()
    );
    let mut payload = json!({"program": SHELL, "args": ["-c", family]});
    if matches!(ending, Ending::OwnTime) {
        payload["timeout_ms"] = 2_000.into();
    }
    let time = if matches!(ending, Ending::Deadline) { Duration::from_secs(2) } else { Duration::from_mins(1) };
    let (kind, context) = (Arc::new(CommandRun::new(shell())), detached_context(payload, time));
    let cancel = context.cancel.clone();
    let attempt = tokio::spawn(async move { kind.run(context).await });
    // Opening waits for the first writer.
    let pipe = tokio::task::spawn_blocking(move || fs::File::open(pipe)).await.unwrap().unwrap();
    let mut reader = BufReader::new(tokio::net::unix::pipe::Receiver::from_file(pipe).unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).await.unwrap();
    assert_eq!(line, "started\n");
    match ending {
        Ending::OwnTime | Ending::Deadline => {}
        Ending::Cancel => cancel.cancel(),
        Ending::Drop => attempt.abort(),
    }
    let outcome = attempt.await.ok();
    let mut rest = String::new();
    let end = tokio::time::timeout(Duration::from_secs(10), reader.read_to_string(&mut rest)).await;
    end.expect("some process of the program is still alive").unwrap();
    outcome
}

#[tokio::test]
async fn a_program_is_killed_with_its_children_however_it_is_ended() {
    expect_failure(&check_family_ends(&Ending::OwnTime).await.unwrap(), "COMMAND_TIMEOUT", true);
    expect_failure(&check_family_ends(&Ending::Deadline).await.unwrap(), "TIMEOUT", true);
    assert_eq!(check_family_ends(&Ending::Cancel).await.unwrap().unwrap_err().error.code, "CANCELLED");
    assert!(check_family_ends(&Ending::Drop).await.is_none());
}

#[tokio::test]
async fn a_program_is_recorded_while_it_runs() {
    let pids = tempfile::tempdir().unwrap();
    let options = CommandOptions { pid_dir: Some(pids.path().to_owned()), ..shell() };
    let list = format!("ls {}", pids.path().display());
    let result = script(options, &format!("until {list} | grep -q json; do :; done; {list}"), json!({})).await.unwrap();
    assert!(result["stdout"].as_str().unwrap().ends_with(".json\n"), "{result}");
    assert_eq!(fs::read_dir(pids.path()).unwrap().count(), 0);
}

/// The interpreter itself: a wrapper would hide what becomes of it.
#[cfg(target_os = "linux")]
fn python() -> PathBuf {
    let output = std::process::Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    String::from_utf8(output.expect("python3 is installed").stdout).unwrap().trim().into()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_is_bounded_by_the_owner_and_by_the_job() {
    const ALLOCATE: &str = "print(len(bytearray(400 << 20)))";
    // Children have the same bound.
    const CHILD: &str = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)";
    let python = python();
    let bounded =
        |bytes| CommandOptions { programs: vec![python.clone()], memory_bytes_max: bytes, ..CommandOptions::default() };
    let allocate = json!({"program": python, "args": ["-c", ALLOCATE]});
    let mut asking = allocate.clone();
    asking["memory_mb"] = 128.into();
    let in_child = json!({"program": python, "args": ["-c", CHILD, ALLOCATE]});
    let megabytes = |count: u64| Some(count << 20);
    for (what, bytes, payload) in [
        ("the owner's bound", megabytes(128), &allocate),
        ("the job's bound", None, &asking),
        ("the job's bound under the owner's", megabytes(2048), &asking),
        ("a child", megabytes(128), &in_child),
    ] {
        let outcome = run(&registry(bounded(bytes)), "command.run", payload.clone()).await.0;
        expect_failure(&outcome, "COMMAND_FAILED", true);
        let details = outcome.unwrap_err().error.details.unwrap();
        assert!(details["stderr_tail"].as_str().unwrap().contains("MemoryError"), "{what}: {details}");
    }
    for (bytes, payload) in [(None, &allocate), (megabytes(2048), &allocate), (megabytes(2048), &in_child)] {
        let result = run(&registry(bounded(bytes)), "command.run", payload.clone()).await.0.unwrap();
        assert_eq!(result["stdout"].as_str().unwrap().trim(), (400_u64 << 20).to_string());
    }
}
