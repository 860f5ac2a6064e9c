//! One connection to a node. It does as little as it can: it shares the cores with the node.

use std::sync::Arc;

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// A connection that is kept open, with one request at a time.
pub(crate) struct Client {
    connection: BufReader<TcpStream>,
    address: String,
    token: Arc<str>,
    line: String,
    /// Of the last answer.
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: &str, token: &Arc<str>) -> anyhow::Result<Self> {
        let connection = TcpStream::connect(address).await?;
        connection.set_nodelay(true)?;
        Ok(Self {
            connection: BufReader::new(connection),
            address: address.to_owned(),
            token: Arc::clone(token),
            line: String::new(),
            body: Vec::new(),
        })
    }

    /// Sends a request with an idempotency key and reads the whole answer; gives its status.
    pub(crate) async fn post(&mut self, path: &str, key: &str, body: &str) -> anyhow::Result<u16> {
        self.ask("POST", path, &format!("Idempotency-Key: {key}\r\n"), body).await
    }

    /// Sends a request with these further header lines and reads the whole answer; gives its status.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, headers: &str, body: &str) -> anyhow::Result<u16> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n{headers}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            self.token,
            body.len()
        );
        self.connection.get_mut().write_all(request.as_bytes()).await?;
        let status = self.next_line().await?.split(' ').nth(1).context("no status")?.parse()?;
        let mut length = 0;
        loop {
            let line = self.next_line().await?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        self.body.resize(length, 0);
        self.connection.read_exact(&mut self.body).await?;
        Ok(status)
    }

    /// As [`ask`](Self::ask), where anything but `status` ends the measurement.
    pub(crate) async fn expect(&mut self, status: u16, method: &str, path: &str, body: &str) -> anyhow::Result<()> {
        let given = self.ask(method, path, "", body).await?;
        ensure!(given == status, "{method} {path} was answered with {given}: {}", String::from_utf8_lossy(&self.body));
        Ok(())
    }

    async fn next_line(&mut self) -> anyhow::Result<&str> {
        self.line.clear();
        ensure!(self.connection.read_line(&mut self.line).await? > 0, "the node closed the connection");
        Ok(self.line.trim_end())
    }
}
