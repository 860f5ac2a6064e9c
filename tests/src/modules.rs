//! Modules on real files: the three that ship, and ones that misbehave. Whatever a module does, the node stays up.

use std::{fmt::Write, os::unix::fs::PermissionsExt, path::Path};

use anyhow::{Context, ensure};
use flowork_test_support::{TestHome, TestNode};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn csv_profile_tells_columns_types_missing_and_quantiles() -> anyhow::Result<()> {
    let node = TestHome::new()?.start().await?;
    wait_for_kind(&node, "module.csv-profile").await?;
    let path = node.home().path().join("people.csv");
    let mut csv = String::from("name,age,joined,score\n");
    for index in 0..1_000 {
        let age = if index % 10 == 0 { String::new() } else { (20 + index % 50).to_string() };
        writeln!(csv, "person {index},{age},2024-01-{:02},{index}.5", 1 + index % 28)?;
    }
    std::fs::write(&path, csv)?;
    let job = node.run_job("module.csv-profile", json!({"path": path})).await?;
    ensure!(job["state"] == "completed", "{job}");
    let result = &job["result"];
    ensure!(result["rows"] == 1_000, "{result}");
    let column = |name: &str| {
        let columns = result["columns"].as_array().into_iter().flatten();
        columns.clone().find(|column| column["name"] == name).cloned().with_context(|| format!("no {name}: {result}"))
    };
    ensure!(column("age")?["type"] == "integer" && column("age")?["missing"] == 100, "{}", column("age")?);
    ensure!(column("joined")?["type"] == "date", "{}", column("joined")?);
    ensure!(column("score")?["type"] == "number", "{}", column("score")?);
    ensure!(column("name")?["type"] == "text" && column("name")?["distinct"] == 1_000, "{}", column("name")?);
    let text = column("score")?.to_string();
    ensure!(text.contains("p50"), "the quantiles are there: {text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn image_thumbnails_writes_thumbnails_and_a_contact_sheet() -> anyhow::Result<()> {
    let node = TestHome::new()?.start().await?;
    wait_for_kind(&node, "module.image-thumbnails").await?;
    let folder = node.home().path().join("pictures");
    std::fs::create_dir(&folder)?;
    for (index, color) in [[200, 30, 30], [30, 200, 30], [30, 30, 200]].into_iter().enumerate() {
        image::RgbImage::from_pixel(640, 480, image::Rgb(color)).save(folder.join(format!("{index}.png")))?;
    }
    std::fs::write(folder.join("broken.png"), b"not a picture")?;
    let output = node.home().path().join("thumbnails");
    let payload = json!({"folder": folder, "output_folder": output, "size": 64});
    let job = node.run_job("module.image-thumbnails", payload).await?;
    ensure!(job["state"] == "completed", "{job}");
    let made: Vec<_> = std::fs::read_dir(&output)?.filter_map(Result::ok).map(|entry| entry.path()).collect();
    ensure!(made.len() >= 4, "three thumbnails and a sheet: {made:?}");
    let pictures = made.iter().filter(|path| path.extension().is_some_and(|extension| extension != "json"));
    for path in pictures {
        let picture = image::open(path).with_context(|| format!("{}", path.display()))?;
        ensure!(picture.width() > 0, "{} is a picture", path.display());
    }
    ensure!(job["result"].to_string().contains("broken.png"), "the broken file is listed: {job}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_not_there_is_an_error_with_a_hint() -> anyhow::Result<()> {
    let node = TestHome::new()?.start().await?;
    wait_for_kind(&node, "module.csv-profile").await?;
    let job = node.run_job("module.csv-profile", json!({"path": "/nowhere/people.csv"})).await?;
    ensure!(job["state"] == "failed", "{job}");
    ensure!(job["error"]["message"].as_str().is_some_and(|message| message.contains("/nowhere/people.csv")), "{job}");
    ensure!(job["error"]["hint"].is_string(), "{job}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modules_come_and_go_while_the_node_runs() -> anyhow::Result<()> {
    let node = TestHome::new()?.start().await?;
    add_module(&node, "greeter", r#"echo '{"type":"result","value":{"said":"hello"}}'"#, 2_000)?;
    wait_for_kind(&node, "module.greeter").await?;
    let job = node.run_job("module.greeter", json!({})).await?;
    ensure!(job["result"] == json!({"said": "hello"}), "{job}");
    let manifest = module_dir(&node, "greeter").join("manifest.json");
    std::fs::write(&manifest, "{ this is not JSON")?;
    wait_for_kinds(&node, |kinds| kinds["broken_modules"].to_string().contains("greeter")).await?;
    let (status, answer) = node.enqueue("gone", &json!({"kind": "module.greeter"})).await?;
    ensure!(status == 400 && answer["error"]["code"] == "UNKNOWN_KIND", "{status} {answer}");
    std::fs::remove_dir_all(module_dir(&node, "greeter"))?;
    wait_for_kinds(&node, |kinds| !kinds.to_string().contains("greeter")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modules_that_misbehave_fail_clearly_and_the_node_stays_up() -> anyhow::Result<()> {
    let node = TestHome::new()?.start().await?;
    let misbehaviors = [
        ("crashes", "echo oops >&2; kill -SEGV $$"),
        ("exits", "echo about to fail >&2; exit 3"),
        ("garbage", "echo this is not JSON; echo '{\"type\":\"nonsense\"}'; echo '[1,2'"),
        ("floods", "exec yes '{\"type\":\"log\",\"message\":\"again and again\"}'"),
        ("hangs", "sleep 600 & sleep 600"),
        ("silent", "exit 0"),
    ];
    for (id, script) in misbehaviors {
        add_module(&node, id, script, 2_000)?;
        wait_for_kind(&node, &format!("module.{id}")).await?;
        let job = node.run_job(&format!("module.{id}"), json!({})).await?;
        ensure!(job["state"] == "failed", "{id}: {job}");
        ensure!(job["error"]["code"].is_string() && job["error"]["message"].is_string(), "{id}: {job}");
        println!("{id}: {}", job["error"]);
    }
    let job = node.run_job("noop", json!({"still": "here"})).await?;
    ensure!(job["state"] == "completed", "{job}");
    Ok(())
}

fn module_dir(node: &TestNode, id: &str) -> std::path::PathBuf {
    node.home().data_dir().join("modules").join(id)
}

/// Puts a module there as a person would: a folder with a manifest and a program.
pub(crate) fn add_module(node: &TestNode, id: &str, script: &str, timeout_ms: u32) -> anyhow::Result<()> {
    let staging = node.home().path().join(format!("staging-{id}"));
    std::fs::create_dir(&staging)?;
    let program = staging.join("run.sh");
    std::fs::write(&program, format!("#!/bin/sh\ncat > /dev/null\n{script}\n"))?;
    make_executable(&program)?;
    let manifest = json!({
        "id": id, "name": id, "version": "1.0.0", "description": "For a test.",
        "entry": {"command": ["./run.sh"]},
        "inputs": {"type": "object"},
        "limits": {"timeout_ms": timeout_ms, "output_bytes_max": 1_000_000},
    });
    std::fs::write(staging.join("manifest.json"), manifest.to_string())?;
    std::fs::rename(&staging, module_dir(node, id))?;
    Ok(())
}

fn make_executable(program: &Path) -> anyhow::Result<()> {
    Ok(std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755))?)
}

pub(crate) async fn wait_for_kind(node: &TestNode, name: &str) -> anyhow::Result<()> {
    let found = |kinds: &Value| kinds["items"].as_array().into_iter().flatten().any(|kind| kind["name"] == name);
    wait_for_kinds(node, found).await.with_context(|| format!("waiting for {name}"))
}

/// Waits by the node's own events for the list of kinds to be as it should.
async fn wait_for_kinds(node: &TestNode, is_right: impl Fn(&Value) -> bool) -> anyhow::Result<()> {
    let mut events = node.request(reqwest::Method::GET, "/v1/events").send().await?;
    let mut kinds = node.get("/v1/kinds").await?;
    while !is_right(&kinds) {
        // Any event or keep-alive is a reason to look; silence ends the test by the client's time-out.
        events.chunk().await?.with_context(|| format!("the events ended, and the kinds are {kinds}"))?;
        kinds = node.get("/v1/kinds").await?;
    }
    Ok(())
}
