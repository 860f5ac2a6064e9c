//! A D-Bus of the test's own, with somebody on it who speaks as logind does.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use flowork_wake::{ListenError, Wakes};
use tempfile::TempDir;
use tokio::time::timeout;
use zbus::{Connection, connection};

/// Far longer than a message takes; only a defect waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A bus, gone with the test.
struct Bus {
    daemon: Child,
    address: String,
    _directory: TempDir,
}

impl Bus {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("bus.conf");
        let socket = directory.path().join("socket");
        let text = format!(
            "<busconfig><type>system</type><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context=\"default\">\
             <allow send_destination=\"*\"/><allow eavesdrop=\"false\"/><allow own=\"*\"/><allow user=\"*\"/>\
             </policy></busconfig>",
            socket.display()
        );
        fs::write(&config, text).unwrap();
        let mut daemon = Command::new("dbus-daemon")
            .args(["--nofork", "--nopidfile", "--print-address"])
            .arg(format!("--config-file={}", config.display()))
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test needs dbus-daemon: install the Debian package dbus-daemon");
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { daemon, address: address.trim().to_owned(), _directory: directory }
    }

    /// Somebody with this name on the bus.
    async fn somebody(&self, name: &str) -> Connection {
        let builder = connection::Builder::address(self.address.as_str()).unwrap().name(name.to_owned()).unwrap();
        builder.build().await.unwrap()
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

async fn prepare_for_sleep(who: &Connection, begins: bool) {
    let (path, interface) = ("/org/freedesktop/login1", "org.freedesktop.login1.Manager");
    who.emit_signal(None::<&str>, path, interface, "PrepareForSleep", &(begins,)).await.unwrap();
}

/// Returns once the bus has passed on all that `who` has said.
async fn passed_on(who: &Connection) {
    let bus = "org.freedesktop.DBus";
    who.call_method(Some(bus), "/org/freedesktop/DBus", Some(bus), "GetId", &()).await.unwrap();
}

#[tokio::test]
async fn only_the_end_of_a_sleep_as_logind_tells_it_is_a_wake() {
    let mut bus = Bus::start();
    let mut wakes = Wakes::listen_at(&bus.address).await.unwrap();
    let (logind, other) = (bus.somebody("org.freedesktop.login1").await, bus.somebody("org.example.other").await);
    prepare_for_sleep(&other, false).await;
    passed_on(&other).await;
    for _ in 0..2 {
        prepare_for_sleep(&logind, true).await;
        prepare_for_sleep(&logind, false).await;
    }
    passed_on(&logind).await;
    for _ in 0..2 {
        assert_eq!(timeout(PATIENCE, wakes.next()).await.unwrap(), Some(()));
    }
    bus.daemon.kill().unwrap();
    assert_eq!(timeout(PATIENCE, wakes.next()).await.unwrap(), None, "nothing else was a wake");
}

#[tokio::test]
async fn a_bus_that_goes_away_is_the_end_and_one_that_is_not_there_is_an_error() {
    let mut bus = Bus::start();
    let mut wakes = Wakes::listen_at(&bus.address).await.unwrap();
    bus.daemon.kill().unwrap();
    assert_eq!(timeout(PATIENCE, wakes.next()).await.unwrap(), None);
    bus.daemon.wait().unwrap();
    let again = Wakes::listen_at(&bus.address).await;
    assert!(matches!(again, Err(ListenError::Bus(_))));
}
