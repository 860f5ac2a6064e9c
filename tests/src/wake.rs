//! A machine that sleeps and wakes up, as logind tells it.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use flowork_test_support::TestHome;
use reqwest::Method;
use tokio::time::timeout;

/// Far longer than a signal takes; only a defect waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

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

    /// Says as logind that the machine has woken up.
    async fn wake(&self) -> anyhow::Result<()> {
        let bus = zbus::connection::Builder::address(self.address.as_str())?.name("org.freedesktop.login1")?;
        let (path, interface) = ("/org/freedesktop/login1", "org.freedesktop.login1.Manager");
        let logind = bus.build().await?;
        logind.emit_signal(None::<&str>, path, interface, "PrepareForSleep", &(false,)).await?;
        // Answered once the bus has passed on what came before.
        let bus = "org.freedesktop.DBus";
        logind.call_method(Some(bus), "/org/freedesktop/DBus", Some(bus), "GetId", &()).await?;
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
    let node = home.with_setting("DBUS_SYSTEM_BUS_ADDRESS", &bus.address).start().await?;
    let mut events = node.request(Method::GET, "/v1/events").send().await?;
    ensure!(events.status().is_success(), "{}", events.status());
    let told = async {
        let mut seen = String::new();
        loop {
            // The node may not listen yet when it is told first.
            bus.wake().await?;
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
