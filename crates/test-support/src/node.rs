//! The real `flowork` binary, started and stopped by a test.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// How long anything on this machine may take before a test fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long a token of the owner is used again over restarts; it is good for longer.
const TOKEN_KEPT: Duration = Duration::from_mins(5);

/// Directories of one node, gone when the test is over.
pub struct TestHome {
    directory: tempfile::TempDir,
    settings: Vec<(&'static str, String)>,
    token: Option<(Instant, String)>,
}

/// A node that did not get ready, with the directories it was started on.
pub struct NotReady {
    /// The directories, to start again.
    pub home: TestHome,
    /// Why.
    pub reason: anyhow::Error,
}

impl TestHome {
    /// Makes empty directories.
    pub fn new() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("flowork-test-").tempdir()?;
        Ok(Self { directory, settings: Vec::new(), token: None })
    }

    /// Sets an environment variable of every command on this home, such as `FLOWORK_QUEUE_HARD_CAP`.
    #[must_use]
    pub fn with_setting(mut self, name: &'static str, value: &impl ToString) -> Self {
        self.settings.push((name, value.to_string()));
        self
    }

    /// The node's data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// For files of the test.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A `flowork` command on this home: nothing of the user's own settings, keychain or proxies reaches it.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let inherited = std::env::vars().filter(|(name, _)| name.starts_with("FLOWORK_"));
        inherited.for_each(|(name, _)| {
            command.env_remove(name);
        });
        command
            .env("HOME", self.path())
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .env("XDG_DATA_HOME", self.path().join("share"))
            .env("FLOWORK_DATA_DIR", self.data_dir())
            .env("FLOWORK_VAULT", "file")
            .env("FLOWORK_VAULT_KEY_DIR", self.path().join("keys"))
            .env("DBUS_SESSION_BUS_ADDRESS", "disabled:")
            .env("DBUS_SYSTEM_BUS_ADDRESS", "disabled:")
            .env_remove("HTTP_PROXY")
            .env_remove("http_proxy")
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs `flowork` with `arguments` to its end.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        output_of(self.command(&flowork()).args(arguments)).await
    }

    /// Starts a node and waits until it serves.
    pub async fn start(self) -> anyhow::Result<TestNode> {
        self.start_under(&[], &[]).await
    }

    /// Starts a node with more arguments for `serve`, under a wrapper such as `strace`.
    pub async fn start_under(self, wrapper: &[&str], arguments: &[&str]) -> anyhow::Result<TestNode> {
        self.try_start_under(wrapper, arguments).await.map_err(|not_ready| not_ready.reason)
    }

    /// Starts a node that may fail to; its directories come back with the reason.
    pub async fn try_start_under(mut self, wrapper: &[&str], arguments: &[&str]) -> Result<TestNode, Box<NotReady>> {
        match self.serve(wrapper, arguments).await {
            Ok(started) => Ok(started.with(self)),
            Err(reason) => Err(Box::new(NotReady { home: self, reason })),
        }
    }

    async fn serve(&mut self, wrapper: &[&str], arguments: &[&str]) -> anyhow::Result<Started> {
        let flowork = flowork();
        let mut command = match wrapper {
            [] => self.command(&flowork),
            [program, rest @ ..] => {
                let mut command = self.command(Path::new(program));
                command.args(rest).arg(&flowork);
                command
            }
        };
        command.args(["serve", "--json", "--listen", "127.0.0.1:0"]).args(arguments);
        let mut child =
            command.stdout(Stdio::piped()).spawn().with_context(|| format!("starting {}", flowork.display()))?;
        let stdout = child.stdout.take().context("the node has no stdout")?;
        let mut lines = BufReader::new(stdout).lines();
        let ready = match ready_line(&mut lines).await {
            Ok(ready) => ready,
            Err(error) => {
                // Gone for good, so that the directories can be used again.
                child.kill().await?;
                return Err(error);
            }
        };
        let url = ready["url"].as_str().context("no url")?.trim_end_matches('/').to_owned();
        let link = ready["link"].as_str().context("no link")?.to_owned();
        let token = self.owner_token().await?;
        Ok(Started { child, url, link, token, lines })
    }

    /// A token of the owner. It is signed with the node's key, so it stays good over a restart.
    async fn owner_token(&mut self) -> anyhow::Result<String> {
        if let Some((made, token)) = &self.token
            && made.elapsed() < TOKEN_KEPT
        {
            return Ok(token.clone());
        }
        let output = self.run(&["token", "create", "--role", "owner", "--ttl", "15m"]).await?;
        ensure!(output.status.success(), "token create failed: {}", String::from_utf8_lossy(&output.stderr));
        let token = String::from_utf8(output.stdout)?.trim().to_owned();
        self.token = Some((Instant::now(), token.clone()));
        Ok(token)
    }
}

async fn ready_line(lines: &mut tokio::io::Lines<BufReader<tokio::process::ChildStdout>>) -> anyhow::Result<Value> {
    let line = timeout(PATIENCE, lines.next_line()).await.context("the node did not get ready")??;
    let line = line.context("the node ended before it was ready")?;
    let ready: Value = serde_json::from_str(&line).with_context(|| format!("reading {line:?}"))?;
    ensure!(ready["event"] == "ready", "the first line is not the ready line: {line}");
    Ok(ready)
}

/// A process that serves, without its directories.
struct Started {
    child: Child,
    url: String,
    link: String,
    token: String,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
}

impl Started {
    fn with(self, home: TestHome) -> TestNode {
        let Self { child, url, link, token, lines } = self;
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a plain client");
        TestNode { home, child, url, link, token, client, _lines: lines }
    }
}

/// The `flowork` under test: `FLOWORK_BIN`, or the one beside the test's own program.
pub fn flowork() -> PathBuf {
    if let Some(path) = std::env::var_os("FLOWORK_BIN") {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().expect("a running test has a path");
    let profile = test.ancestors().nth(2).expect("tests are in target/<profile>/deps");
    profile.join(if cfg!(windows) { "flowork.exe" } else { "flowork" })
}

/// Runs a command to its end and gives what it wrote, however it ended.
pub async fn output_of(command: &mut Command) -> anyhow::Result<Output> {
    let name = format!("{:?}", command.as_std());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context(name.clone())?;
    timeout(PATIENCE, child.wait_with_output()).await.context(name)?.map_err(anyhow::Error::from)
}

/// A node that runs.
pub struct TestNode {
    home: TestHome,
    child: Child,
    url: String,
    link: String,
    token: String,
    client: reqwest::Client,
    /// Kept open, so that the node can write.
    _lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
}

impl TestNode {
    /// Where it listens, such as `http://127.0.0.1:40001`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its first pairing link.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// The owner's bearer token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Its directories.
    pub fn home(&self) -> &TestHome {
        &self.home
    }

    /// The process that was started: the node, or its wrapper.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// A request as the owner.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    /// Reads a resource as the owner; anything but a success is an error with the answer in it.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.request(Method::GET, path).send().await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        if !status.is_success() {
            bail!("GET {path}: {status} {body}");
        }
        Ok(body)
    }

    /// Asks for a job; answers the status and the body, whatever they are.
    pub async fn enqueue(&self, key: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let request = self.request(Method::POST, "/v1/jobs").header("Idempotency-Key", key).json(body);
        let answer = request.send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// Runs a job to its end and answers it.
    pub async fn run_job(&self, kind: &str, payload: Value) -> anyhow::Result<Value> {
        let key = format!("test-{kind}-{}", std::time::UNIX_EPOCH.elapsed()?.as_nanos());
        let body = json!({"kind": kind, "payload": payload, "attempts_max": 1});
        let (status, job) = self.enqueue(&key, &body).await?;
        ensure!(status == 202, "enqueue: {status} {job}");
        self.wait_for(job["id"].as_str().context("no id")?).await
    }

    /// Waits for the end of a job and answers it.
    pub async fn wait_for(&self, id: &str) -> anyhow::Result<Value> {
        let wait = async {
            loop {
                let job = self.get(&format!("/v1/jobs/{id}?wait_ms=10000")).await?;
                if !job["finished_at"].is_null() {
                    return anyhow::Ok(job);
                }
            }
        };
        timeout(PATIENCE, wait).await.with_context(|| format!("{id} did not end"))?
    }

    /// Ends the process at once, as a crash or `kill -9` does, and gives back its directories.
    pub async fn kill(mut self) -> anyhow::Result<TestHome> {
        self.child.kill().await?;
        Ok(self.home)
    }

    /// Waits for a process that ends by itself; answers how it ended and its directories.
    pub async fn ended(mut self) -> anyhow::Result<(ExitStatus, TestHome)> {
        let status = timeout(PATIENCE, self.child.wait()).await.context("the node did not end")??;
        Ok((status, self.home))
    }

    /// Asks the process to stop (SIGTERM) and waits for its end; answers its exit code and its directories.
    pub async fn terminate(mut self) -> anyhow::Result<(Option<i32>, TestHome)> {
        let pid = self.child.id().context("the node has ended")?;
        let killed = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        ensure!(killed.success(), "kill -TERM {pid} failed");
        let status = timeout(PATIENCE, self.child.wait()).await.context("the node did not stop")??;
        Ok((status.code(), self.home))
    }
}
