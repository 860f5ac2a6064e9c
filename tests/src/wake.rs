//! A machine that sleeps and wakes up, as logind tells it.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use flowork_test_support::{TestHome, TestNode};
use futures_util::StreamExt;
use reqwest::Method;
use serde_json::json;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

/// Far longer than a signal takes; only a defect waits for it.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often a node asks each client of its sockets whether it is there.
const TURN: Duration = Duration::from_secs(5);
/// Questions more than there were turns, none of which is by chance.
const MORE: u64 = 3;
const SESSION: &str = "00000000-0000-4000-8000-000000000000";

/// A system's D-Bus of the test's own, gone with it.
struct Bus {
    daemon: Child,
    address: String,
}

impl Bus {
    fn start(home: &TestHome) -> anyhow::Result<Self> {
        let (config, socket) = (home.path().join("bus.conf"), home.path().join("bus"));
        let text = format!(
            "<busconfig><type>system</type><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context=\"default\">\
             <allow send_destination=\"*\"/><allow eavesdrop=\"false\"/><allow own=\"*\"/><allow user=\"*\"/></policy>\
             </busconfig>",
            socket.display()
        );
        std::fs::write(&config, text)?;
        let mut command = Command::new("dbus-daemon");
        command.args(["--nofork", "--nopidfile", "--print-address"]);
        command.arg(format!("--config-file={}", config.display())).stdout(Stdio::piped());
        let mut daemon =
            command.spawn().context("this test needs dbus-daemon: install the Debian package dbus-daemon")?;
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().context("no stdout")?).read_line(&mut address)?;
        Ok(Self { daemon, address: address.trim().to_owned() })
    }

    /// Becomes logind on this bus.
    async fn logind(&self) -> anyhow::Result<Logind> {
        let bus = zbus::connection::Builder::address(self.address.as_str())?.name("org.freedesktop.login1")?;
        Ok(Logind(bus.build().await?))
    }
}

/// What tells of sleep.
struct Logind(zbus::Connection);

impl Logind {
    /// Says that the machine has woken up.
    async fn wake(&self) -> anyhow::Result<()> {
        let (path, interface) = ("/org/freedesktop/login1", "org.freedesktop.login1.Manager");
        self.0.emit_signal(None::<&str>, path, interface, "PrepareForSleep", &(false,)).await?;
        // Answered once the bus has passed on what came before.
        let bus = "org.freedesktop.DBus";
        self.0.call_method(Some(bus), "/org/freedesktop/DBus", Some(bus), "GetId", &()).await?;
        Ok(())
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_machine_woke_up_tells_its_clients_to_fetch_anew() -> anyhow::Result<()> {
    let home = TestHome::new()?;
    let bus = Bus::start(&home)?;
    let logind = bus.logind().await?;
    let node = home.with_setting("DBUS_SYSTEM_BUS_ADDRESS", &bus.address).start().await?;
    let mut events = node.request(Method::GET, "/v1/events").send().await?;
    ensure!(events.status().is_success(), "{}", events.status());
    let told = async {
        let mut seen = String::new();
        loop {
            // The node may not listen yet when it is told first.
            logind.wake().await?;
            let Ok(chunk) = timeout(Duration::from_secs(1), events.chunk()).await else { continue };
            let chunk = chunk?.context("the stream ended")?;
            seen.push_str(&String::from_utf8_lossy(&chunk));
            if seen.contains("event: resync") {
                return anyhow::Ok(());
            }
        }
    };
    timeout(PATIENCE, told).await.context("nobody told")??;
    let (code, _) = node.terminate().await?;
    ensure!(code == Some(0), "it stops as usual: {code:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_machine_woke_up_asks_at_once_who_is_at_its_sockets() -> anyhow::Result<()> {
    let home = TestHome::new()?;
    let bus = Bus::start(&home)?;
    let logind = bus.logind().await?;
    let node = home.with_setting("DBUS_SYSTEM_BUS_ADDRESS", &bus.address).start().await?;
    let player = json!({
        "participant_id": "00000000-1111-4111-8111-111111111111", "participant_index": 0, "total_time_ms": 60_000,
    });
    let session = json!({
        "session_id": SESSION, "sync_mode": "per_participant", "total_time_ms": 60_000, "participants": [player],
    });
    let made = node.request(Method::POST, "/v1/sessions").json(&session).send().await?;
    ensure!(made.status().is_success(), "{}", made.status());
    let began = Instant::now();
    let mut socket = socket_of(&node).await?;
    let asked = async {
        let mut pings = 0;
        // Without a word from logind there is one in each turn, and never more.
        while pings <= began.elapsed().as_secs() / TURN.as_secs() + 1 + MORE {
            logind.wake().await?;
            let Ok(message) = timeout(Duration::from_secs(1), socket.next()).await else { continue };
            pings += u64::from(matches!(message.context("the socket was closed")??, Message::Ping(_)));
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, asked).await.context("nobody was asked out of turn")?
}

async fn socket_of(node: &TestNode) -> anyhow::Result<WebSocketStream<MaybeTlsStream<TcpStream>>> {
    let url = format!("{}/ws?sessionId={SESSION}", node.url().replacen("http", "ws", 1));
    let mut request = url.into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {}", node.token()).parse()?);
    let (socket, _) = timeout(PATIENCE, connect_async(request)).await.context("no socket")??;
    Ok(socket)
}
