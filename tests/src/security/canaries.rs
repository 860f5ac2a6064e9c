//! Secrets planted in every store, a workload that uses and misuses them, and a look everywhere they must not be.
//!
//! Planted: the key of a provider, the vault's passphrase, tokens of people, engines and administrators, a pairing code,
//! refresh tokens, a wallet's signature, and at the end every item that the vault holds, which are the node's own keys.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, bail, ensure};
use flowork_identity::OwnerKey;
use flowork_test_support::{LlmBehavior, LlmStandIn, TestHome, TestNode, flowork};
use flowork_vault::{PassphraseSource, Secret, Vault, VaultOptions};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{
    processes::{Lookout, Seen},
    search::{Secrets, files_below},
};
use crate::modules::{add_module, wait_for_kind};

const PROVIDER_KEY: &str = "sk-canary-4f1d8a7e2b9c4f60a1d3";
const PASSPHRASE: &str = "canary passphrase of six plain words";
/// Marks that are written down on purpose, to show that each place is looked at.
const MARK_IN_LOG: &str = "canary-request-7c1f";
const MARK_IN_PAYLOAD: &str = "canary-payload-92e4";
const MARK_IN_PROCESS: &str = "canary-process-3b8d";
const MARK_IN_MODULE: &str = "canary-module-61fa";
/// Arguments of a command that the workload runs, as the kernel keeps them.
const MARK_IN_COMMAND: &str = "provider\0set-key\0leaky";

/// Only a defect waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// An answer, and whether it is one that hands a secret to whom it is for.
struct Heard {
    what: String,
    text: String,
    gives: bool,
}

/// A node under watch.
struct Watched {
    node: TestNode,
    client: reqwest::Client,
    heard: Vec<Heard>,
    secrets: Secrets,
    /// Sees every process, from before the first secret until all has been done.
    lookout: Lookout,
    /// The id of an engine that was made, which the audit names.
    mark_in_audit: String,
}

impl Watched {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.node.url()))
    }

    /// Sends a request and keeps the answer for the search.
    async fn send(&mut self, what: &str, request: RequestBuilder, gives: bool) -> anyhow::Result<(StatusCode, Value)> {
        let answer = request.send().await?;
        let (status, headers) = (answer.status(), format!("{:?}", answer.headers()));
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        let gives = gives && status.is_success();
        self.heard.push(Heard { what: format!("{what}: {status}"), text: format!("{headers}\n{text}"), gives });
        Ok((status, body))
    }

    /// Sends a request whose answer gives secrets: those at `pointers`, which are looked for from now on.
    async fn given(&mut self, what: &str, request: RequestBuilder, pointers: &[&str]) -> anyhow::Result<Value> {
        let (status, body) = self.send(what, request, true).await?;
        ensure!(status.is_success(), "{what}: {status} {body}");
        for pointer in pointers {
            let secret = body.pointer(pointer).and_then(Value::as_str);
            let secret = secret.with_context(|| format!("{what} gives {pointer}: {body}"))?;
            self.plant(&format!("{pointer} of {what}"), secret);
        }
        Ok(body)
    }

    /// Of a signed token only the signature is secret: the rest names its owner.
    fn plant(&mut self, name: &str, secret: &str) {
        let secret = match secret.rsplit_once('.') {
            Some((_, signature)) if signature.len() > 40 => signature,
            _ => secret.rsplit_once("#pair=").map_or(secret, |(_, code)| code),
        };
        self.secrets.add(name, secret);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_planted_secret_is_found_where_it_does_not_belong() -> anyhow::Result<()> {
    let leaky =
        LlmStandIn::start(LlmBehavior::RefuseSaying(401, format!("the key {PROVIDER_KEY} is not known"))).await?;
    let lookout = Lookout::begin();
    let home = prepared(leaky.url(), &lookout).await?;
    let log = home.path().join("stderr.log");
    let redirected = format!("exec \"$0\" \"$@\" 2>>'{}'", log.display());
    let node = home.start_under(&["sh", "-c", &redirected], &[]).await?;

    let client = reqwest::Client::builder().no_proxy().build()?;
    let mark_in_audit = String::new();
    let mut watched = Watched { node, client, heard: Vec::new(), secrets: Secrets::default(), lookout, mark_in_audit };
    watched.secrets.add("the provider's key", PROVIDER_KEY);
    watched.secrets.add("the vault's passphrase", PASSPHRASE);
    let owner = watched.node.token().to_owned();
    watched.plant("the owner's token", &owner);
    sign_in(&mut watched).await?;
    make_tokens(&mut watched).await?;
    misuse(&mut watched).await?;
    work(&mut watched).await?;
    run_programs(&watched).await?;
    look_around(&mut watched).await?;

    let mut found = Vec::new();
    let Watched { node, heard, mut secrets, lookout, mark_in_audit, .. } = watched;
    let (code, home) = node.terminate().await?;
    ensure!(code == Some(0), "the node ended with {code:?}");
    let items = vault_items(&home)?;
    ensure!(items.len() >= 5, "the vault holds the keys of a node: {:?}", names(&items));
    for (name, item) in &items {
        secrets.add_item(&format!("the vault's {name}"), item.expose());
    }
    let processes = lookout.end()?;
    for (line, process) in &processes {
        found.extend(secrets.found_in(&format!("the arguments of {process}"), line));
    }
    for heard in heard.iter().filter(|heard| !heard.gives) {
        found.extend(secrets.found_in(&heard.what, heard.text.as_bytes()));
    }
    found.extend(secrets.found_in("stderr", &fs::read(&log)?));
    let (files, in_files) = secrets.found_below(&home.data_dir())?;
    found.extend(in_files);
    ensure!(found.is_empty(), "{} finds:\n{}", found.len(), found.join("\n"));
    println!(
        "{} secrets, {} answers, {files} files, {} command lines: 0 finds",
        secrets.len(),
        heard.len(),
        processes.len()
    );
    control(&home, &log, &heard, &mark_in_audit)?;
    control_processes(&processes)
}

/// Processes of each sort were seen that had ended long before the search: one of the test's own, a command, and a
/// program of a module.
fn control_processes(processes: &Seen) -> anyhow::Result<()> {
    for mark in [MARK_IN_PROCESS, MARK_IN_COMMAND, MARK_IN_MODULE] {
        let mut marks = Secrets::default();
        marks.add(mark, mark);
        let seen = processes.keys().any(|line| !marks.found_in("a process", line).is_empty());
        ensure!(seen, "no process had {mark:?} in its arguments");
    }
    Ok(())
}

/// The search reads what it says it reads: marks that are no secrets are found in each of the places.
fn control(home: &TestHome, log: &Path, heard: &[Heard], mark_in_audit: &str) -> anyhow::Result<()> {
    let mut marks = Secrets::default();
    for mark in [MARK_IN_LOG, MARK_IN_PAYLOAD, mark_in_audit] {
        marks.add(mark, mark);
    }
    let is_in = |mark: &str, found: &[String]| found.iter().any(|found| found.contains(mark));
    ensure!(is_in(MARK_IN_LOG, &marks.found_in("stderr", &fs::read(log)?)), "the log of requests is read");
    let (_, in_files) = marks.found_below(&home.data_dir())?;
    for (mark, part) in [(MARK_IN_LOG, "/logs/"), (MARK_IN_PAYLOAD, "/shards/"), (mark_in_audit, "audit.db")] {
        let there = in_files.iter().any(|found| found.contains(mark) && found.contains(part));
        ensure!(there, "{mark} is in no file of {part}: {in_files:?}");
    }
    let exported = heard.iter().filter(|heard| heard.what.contains("audit"));
    let exported: Vec<String> = exported.flat_map(|heard| marks.found_in(&heard.what, heard.text.as_bytes())).collect();
    ensure!(is_in(mark_in_audit, &exported), "the audit trail is read");
    Ok(())
}

/// A home whose vault is opened with a passphrase and holds the provider's key.
async fn prepared(provider: &str, lookout: &Lookout) -> anyhow::Result<TestHome> {
    let home = TestHome::new()?;
    let passphrase = home.path().join("passphrase");
    fs::write(&passphrase, format!("{PASSPHRASE}\n"))?;
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600))?;
    let home = home
        .with_setting("FLOWORK_VAULT", &"passphrase")
        .with_setting("FLOWORK_VAULT_PASSPHRASE_FILE", &passphrase.display());
    fs::create_dir_all(home.data_dir())?;
    let config = format!("log = \"debug\"\n[providers.leaky]\nbase_url = \"{provider}\"\n");
    fs::write(home.data_dir().join("config.toml"), config)?;
    // The vault is made by the first start.
    let (_, home) = home.start().await?.terminate().await?;
    let mut set = home.command(&flowork());
    let mut set = set.args(["provider", "set-key", "leaky"]).stdin(Stdio::piped()).spawn()?;
    let mut stdin = set.stdin.take().context("stdin")?;
    // It waits for its input until then.
    lookout.has_looked().await?;
    stdin.write_all(format!("{PROVIDER_KEY}\n").as_bytes()).await?;
    drop(stdin);
    ensure!(set.wait().await?.success(), "the provider's key is set");
    Ok(home)
}

/// By link and by wallet, refreshed, with what was used up used again.
async fn sign_in(watched: &mut Watched) -> anyhow::Result<()> {
    let first = watched.node.link().to_owned();
    watched.plant("the first link", &first);
    let link = watched.node.request(Method::POST, "/v1/auth/links");
    let link = watched.given("a link", link, &["/url"]).await?;
    let code = link["url"].as_str().and_then(|url| url.split_once("#pair=")).context("a code")?.1.to_owned();
    let pair = json!({"code": code, "device_name": "a browser"});
    let request = watched.request(Method::POST, "/v1/auth/pair").json(&pair);
    let session = watched.given("pairing", request, &["/access_token", "/refresh_token"]).await?;
    let request = watched.request(Method::POST, "/v1/auth/pair").json(&pair);
    watched.send("pairing once more", request, false).await?;
    let refresh = json!({"refresh_token": session["refresh_token"]});
    let request = watched.request(Method::POST, "/v1/auth/refresh").json(&refresh);
    let next = watched.given("refreshing", request, &["/access_token", "/refresh_token"]).await?;
    let next = json!({"refresh_token": next["refresh_token"]});
    let request = watched.request(Method::POST, "/v1/auth/refresh").json(&next);
    watched.given("refreshing once more", request, &["/access_token", "/refresh_token"]).await?;
    let request = watched.request(Method::POST, "/v1/auth/refresh").json(&refresh);
    watched.send("refreshing with the old one", request, false).await?;
    let request = watched.request(Method::POST, "/v1/auth/guest").json(&json!({}));
    watched.given("a guest's token", request, &["/access_token"]).await?;

    let wallet = OwnerKey::from_secret(&OwnerKey::generate_secret())?;
    let address =
        format!("0x{}", wallet.address().0.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")));
    watched.secrets.add("the wallet's key", wallet.to_secret());
    let key = json!({"address": address, "kind": "wallet", "name": "a wallet"});
    let request = watched.node.request(Method::POST, "/v1/members/owner/keys").json(&key);
    let (status, body) = watched.send("enrolling a wallet", request, false).await?;
    ensure!(status.is_success(), "{status} {body}");
    let request = watched.request(Method::POST, "/v1/auth/challenge").json(&json!({"address": address}));
    let challenge = watched.given("a challenge", request, &[]).await?;
    let message = challenge["message"].as_str().context("a message")?.to_owned();
    let signature = wallet.sign_message(message.as_bytes()).to_string();
    watched.plant("the wallet's signature", &signature);
    let proof = json!({"message": message, "signature": signature});
    let request = watched.request(Method::POST, "/v1/auth/verify").json(&proof);
    watched.given("a wallet's sign-in", request, &["/access_token", "/refresh_token"]).await?;
    let request = watched.request(Method::POST, "/v1/auth/verify").json(&proof);
    let (status, _) = watched.send("the same signature again", request, false).await?;
    ensure!(status == StatusCode::UNAUTHORIZED, "a challenge counts once: {status}");
    Ok(())
}

/// Tokens of an engine and of an administrator, and a ticket.
async fn make_tokens(watched: &mut Watched) -> anyhow::Result<()> {
    let request = watched.node.request(Method::POST, "/v1/engines").json(&json!({"name": "elsewhere"}));
    let engine = watched.given("an engine", request, &["/token"]).await?;
    let token = engine["token"].as_str().context("a token")?.to_owned();
    let request = watched.request(Method::POST, "/v1/engine/token").header("x-engine-token", &token);
    watched.given("an engine's short token", request, &["/access_token"]).await?;
    let request = watched.request(Method::POST, "/v1/engine/renew").header("x-engine-token", &token);
    watched.send("an engine's call", request.json(&json!({"jobs": []})), false).await?;
    let admin = json!({"scopes": ["audit:read"], "ttl_seconds": 60});
    let request = watched.node.request(Method::POST, "/v1/admin-tokens").json(&admin);
    watched.given("an admin token", request, &["/token"]).await?;
    let request = watched.node.request(Method::POST, "/v1/auth/ticket").json(&json!({"path": "/v1/events"}));
    watched.given("a ticket", request, &["/ticket"]).await?;
    let id =
        engine.pointer("/engine/id").or_else(|| engine.get("id")).and_then(Value::as_str).context("an id")?.to_owned();
    let path = format!("/v1/engines/{id}/token/rotate");
    watched.mark_in_audit = id;
    let request = watched.node.request(Method::POST, &path).json(&json!({"grace_seconds": 0}));
    watched.given("an engine's new token", request, &["/token"]).await?;
    let request = watched.request(Method::POST, "/v1/engine/renew").header("x-engine-token", &token);
    watched.send("an engine's old token", request.json(&json!({"jobs": []})), false).await?;
    Ok(())
}

/// Secrets at the wrong place, and torn.
async fn misuse(watched: &mut Watched) -> anyhow::Result<()> {
    let owner = watched.node.token().to_owned();
    let torn = &owner[..owner.len() - 1];
    let mark = |request: RequestBuilder| request.header("x-request-id", MARK_IN_LOG);
    let places = [
        ("a token in the query", watched.request(Method::GET, &format!("/v1/jobs?access_token={owner}"))),
        ("a token in the path", watched.request(Method::GET, &format!("/v1/jobs/{owner}"))),
        ("a token in a path of nothing", watched.request(Method::GET, &format!("/{owner}"))),
        ("a token in a cookie", watched.request(Method::GET, "/v1/jobs").header("cookie", format!("t={owner}"))),
        ("a person's token as an engine's", watched.request(Method::GET, "/v1/jobs").header("x-engine-token", &owner)),
        ("a token of another scheme", watched.request(Method::GET, "/v1/jobs").header("authorization", &owner)),
        ("a torn token", watched.request(Method::GET, "/v1/jobs").bearer_auth(torn)),
        ("a token as an idempotency key", {
            let request = watched.node.request(Method::POST, "/v1/schedules").header("idempotency-key", &owner);
            request.json(&json!({"no such field": 1}))
        }),
        ("a refresh token in broken JSON", {
            let request = watched.request(Method::POST, "/v1/auth/refresh").header("content-type", "application/json");
            request.body(format!("{{\"refresh_token\": \"{owner}\" oops"))
        }),
        ("a passphrase as a field's name", {
            let request = watched.request(Method::POST, "/v1/auth/pair");
            request.json(&json!({"code": {"nested": PASSPHRASE}}))
        }),
        ("a token under another type", {
            let request = watched.request(Method::POST, "/v1/auth/refresh").header("content-type", "text/plain");
            request.body(owner.clone())
        }),
    ];
    for (what, request) in places {
        // The owner's own token may come back to the owner; a log has no business with it.
        let (status, _) =
            watched.send(what, mark(request), what.contains("in the path") || what.contains("of nothing")).await?;
        ensure!(status.is_client_error(), "{what}: {status}");
    }
    Ok(())
}

/// Jobs that use the provider's key, and one that only leaves its mark.
async fn work(watched: &mut Watched) -> anyhow::Result<()> {
    let messages = json!({"provider": "leaky", "model": "m", "messages": [{"role": "user", "content": "hi"}]});
    let failed = watched.node.run_job("llm.chat", messages).await?;
    ensure!(failed["error"]["code"] == "PROVIDER_AUTH_FAILED", "the provider saw the key: {failed}");
    watched.node.run_job("noop", json!({"mark": MARK_IN_PAYLOAD})).await?;
    let id = failed["id"].as_str().context("an id")?.to_owned();
    for part in ["", "/attempts", "/logs"] {
        let request = watched.node.request(Method::GET, &format!("/v1/jobs/{id}{part}"));
        watched.send("a failed job", request, false).await?;
    }
    Ok(())
}

/// A process with a mark among its arguments, and a module's program with another. Each waits to be seen and then ends.
async fn run_programs(watched: &Watched) -> anyhow::Result<()> {
    let mut marked = tokio::process::Command::new("sh");
    let marked = marked.args(["-c", "read -r _", MARK_IN_PROCESS]).stdin(Stdio::piped()).kill_on_drop(true).spawn();
    let mut marked = marked.context("starting sh")?;
    watched.lookout.has_looked().await?;
    drop(marked.stdin.take());
    marked.wait().await?;

    let script =
        format!(r#"exec sh -c 'read -r _ < gate; echo "{{\"type\":\"result\",\"value\":\"seen\"}}"' {MARK_IN_MODULE}"#);
    add_module(&watched.node, "waits", &script, 60_000)?;
    wait_for_kind(&watched.node, "module.waits").await?;
    let gate = watched.node.home().data_dir().join("modules/waits/gate");
    ensure!(tokio::process::Command::new("mkfifo").arg(&gate).status().await?.success(), "mkfifo failed");
    let (status, job) = watched.node.enqueue("waits", &json!({"kind": "module.waits"})).await?;
    let id = job["id"].as_str().with_context(|| format!("{status} {job}"))?.to_owned();
    // Opening waits for the program to read.
    let path = gate.clone();
    let opening = tokio::task::spawn_blocking(move || fs::OpenOptions::new().write(true).open(path));
    let Ok(gate) = tokio::time::timeout(PATIENCE, opening).await else {
        // Lets go of who waits, or the test would not end.
        fs::OpenOptions::new().read(true).write(true).open(gate)?;
        bail!("the module's program did not begin");
    };
    let gate = gate??;
    watched.lookout.has_looked().await?;
    drop(gate);
    let job = watched.node.wait_for(&id).await?;
    ensure!(job["result"] == "seen", "the module's program went on once it was seen: {job}");
    Ok(())
}

/// Whatever a person can read, and what the commands print.
async fn look_around(watched: &mut Watched) -> anyhow::Result<()> {
    for path in [
        "/v1/status",
        "/v1/engines",
        "/v1/kinds",
        "/v1/jobs",
        "/v1/auth/me",
        "/v1/auth/sessions?all=true",
        "/v1/members",
        "/v1/members/owner",
        "/v1/keys",
        "/v1/guests",
        "/v1/audit",
        "/.well-known/jwks.json",
        "/openapi.json",
    ] {
        let request = watched.node.request(Method::GET, path);
        let (status, body) = watched.send(path, request, false).await?;
        ensure!(status.is_success(), "{path}: {status} {body}");
    }
    for arguments in [
        &["status", "--json"][..],
        &["config", "show", "--json"],
        &["provider", "list", "--json"],
        &["engine", "list", "--json"],
        &["audit", "verify"],
        &["audit", "export"],
        &["token", "create", "--ttl", "99h"],
        &["engine", "run", "--gateway", "http://127.0.0.1:1/"],
    ] {
        let output = watched.node.home().run(arguments).await?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        watched.heard.push(Heard { what: format!("flowork {}", arguments.join(" ")), text, gives: false });
    }
    Ok(())
}

fn vault_items(home: &TestHome) -> anyhow::Result<Vec<(String, Secret)>> {
    let vault = Vault::open(VaultOptions {
        data_dir: home.data_dir(),
        passphrase: PassphraseSource::new(Some(home.path().join("passphrase")), None),
        ..VaultOptions::default()
    })?;
    let mut items = Vec::new();
    for name in vault.list()? {
        let item = vault.get(&name)?.with_context(|| format!("{name} is listed"))?;
        items.push((name, item));
    }
    ensure!(files_below(&home.data_dir())?.len() > items.len(), "the data directory has its files");
    Ok(items)
}

fn names(items: &[(String, Secret)]) -> Vec<&str> {
    items.iter().map(|(name, _)| name.as_str()).collect()
}
