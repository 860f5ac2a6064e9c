//! The same over HTTP, on one connection at a time, as a client meets it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    time::Instant,
};

use anyhow::{Context, ensure};
use flowork_identity::OwnerKey;
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::histogram;
use crate::node;

/// Requests of each sort.
const REQUESTS: u32 = 10_000;
/// New tokens: each takes a signature to make.
const NEW_TOKENS: u32 = 1_000;
const SIGN_INS: u32 = 500;

/// Times of answers in nanoseconds.
pub(super) struct Measured {
    health: Histogram<u64>,
    pub(super) refused: Histogram<u64>,
    pub(super) seen: Histogram<u64>,
    pub(super) new: Histogram<u64>,
    pub(super) sign_in: Histogram<u64>,
}

impl Measured {
    /// What a request costs that asks for nothing.
    pub(super) fn base(&self) -> u64 {
        self.health.value_at_quantile(0.5)
    }
}

pub(super) fn measure(program: &Path, dir: &Path, scale: u32) -> anyhow::Result<Measured> {
    std::fs::create_dir_all(dir)?;
    let directory = tempfile::Builder::new().prefix("security").tempdir_in(dir)?;
    let node = node::start(program, directory.path(), &[])?;
    let measured = at(program, directory.path(), &node.address, scale);
    node::stop(node)?;
    measured
}

fn at(program: &Path, directory: &Path, address: &str, scale: u32) -> anyhow::Result<Measured> {
    let token = printed(node::command(program, directory).args(["token", "create", "--ttl", "15m"]))?;
    let mut client = Client::connect(address)?;
    let mut measured = Measured {
        health: histogram()?,
        refused: histogram()?,
        seen: histogram()?,
        new: histogram()?,
        sign_in: histogram()?,
    };
    for _ in 0..REQUESTS / scale {
        client.timed(&mut measured.health, "GET", "/health", None, "", 200)?;
        client.timed(&mut measured.refused, "GET", "/v1/auth/me", None, "", 401)?;
        client.timed(&mut measured.seen, "GET", "/v1/auth/me", Some(&token), "", 200)?;
    }
    // A session's token is new with each refresh, and nothing has seen it before its first use.
    let link: Value = client.json("POST", "/v1/auth/links", Some(&token), "{}")?;
    let (_, code) = link["url"].as_str().and_then(|url| url.split_once("#pair=")).context("a code")?;
    let mut session: Value = client.json("POST", "/v1/auth/pair", None, &json!({"code": code}).to_string())?;
    for _ in 0..NEW_TOKENS / scale {
        let refresh = json!({"refresh_token": session["refresh_token"]}).to_string();
        session = client.json("POST", "/v1/auth/refresh", None, &refresh)?;
        let token = session["access_token"].as_str().context("a token")?.to_owned();
        client.timed(&mut measured.new, "GET", "/v1/auth/me", Some(&token), "", 200)?;
    }
    let wallet = OwnerKey::from_secret(&OwnerKey::generate_secret())?;
    let digits = wallet.address().0.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let account = format!("0x{digits}");
    let key = json!({"address": account, "kind": "wallet", "name": "bench"}).to_string();
    client.json("POST", "/v1/members/owner/keys", Some(&token), &key)?;
    for _ in 0..SIGN_INS / scale {
        sign_in(&mut client, &wallet, &account, &mut measured.sign_in)?;
    }
    Ok(measured)
}

/// What the wallet does in between is not the node's time.
fn sign_in(client: &mut Client, wallet: &OwnerKey, account: &str, times: &mut Histogram<u64>) -> anyhow::Result<()> {
    let started = Instant::now();
    let challenge: Value = client.json("POST", "/v1/auth/challenge", None, &json!({"address": account}).to_string())?;
    let asked = started.elapsed();
    let message = challenge["message"].as_str().context("a message")?;
    let proof =
        json!({"message": message, "signature": wallet.sign_message(message.as_bytes()).to_string()}).to_string();
    let started = Instant::now();
    let session: Value = client.json("POST", "/v1/auth/verify", None, &proof)?;
    times.saturating_record((asked + started.elapsed()).as_nanos() as u64);
    ensure!(session["access_token"].is_string(), "signed in: {session}");
    Ok(())
}

fn printed(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// One connection that is kept open.
struct Client {
    connection: BufReader<TcpStream>,
    address: String,
}

impl Client {
    fn connect(address: &str) -> anyhow::Result<Self> {
        let connection = TcpStream::connect(address)?;
        connection.set_nodelay(true)?;
        Ok(Self { connection: BufReader::new(connection), address: address.to_owned() })
    }

    fn timed(
        &mut self,
        times: &mut Histogram<u64>,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &str,
        expected: u16,
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        let (status, answer) = self.send(method, path, token, body)?;
        times.saturating_record(started.elapsed().as_nanos() as u64);
        ensure!(status == expected, "{path}: {status} {}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    fn json(&mut self, method: &str, path: &str, token: Option<&str>, body: &str) -> anyhow::Result<Value> {
        let (status, answer) = self.send(method, path, token, body)?;
        ensure!((200..300).contains(&status), "{path}: {status} {}", String::from_utf8_lossy(&answer));
        Ok(serde_json::from_slice(&answer)?)
    }

    fn send(&mut self, method: &str, path: &str, token: Option<&str>, body: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{authorization}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.connection.get_mut().write_all(request.as_bytes())?;
        let status = self.line()?.split(' ').nth(1).context("no status")?.parse()?;
        let mut length = 0;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut answer = vec![0; length];
        self.connection.read_exact(&mut answer)?;
        Ok((status, answer))
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        ensure!(self.connection.read_line(&mut line)? > 0, "the node closed the connection");
        Ok(line.trim_end().to_owned())
    }
}
