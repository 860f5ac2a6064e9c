//! graphile-worker on a PostgreSQL of its own, as that is set up by default: every commit is synced.

use std::{path::Path, process::Command};

use anyhow::{Context, ensure};

use crate::queue::{
    contender::{Contender, Server},
    install,
};

/// Its newer Node.js comes with its packages.
const NODE: &str = "node_modules/.bin/node";
/// Clients, workers, and what the server keeps for itself.
const CONNECTIONS: &str = "max_connections=200";
/// Whom PostgreSQL runs as where this runs as root, which it refuses: `nobody`.
const NOBODY: u32 = 65_534;

/// Starts it as it is by default, or with the batching that its documents advise for many short jobs.
pub(super) fn start(dir: &Path, batching: bool) -> anyhow::Result<Contender> {
    let harness = install::npm("graphile-worker")?;
    let node = harness.join(NODE).canonicalize().context("npm's package `node` brought no program")?;
    let places = ["usr/lib/postgresql/*/bin"];
    let postgres = install::debian("postgres", "postgresql", &places, &dir.join("debian"))?;
    let directory = tempfile::Builder::new().prefix("postgres").tempdir_in(dir)?;
    // Its path is short: a socket's name has room for a hundred bytes.
    let sockets = tempfile::Builder::new().prefix("flowork-pg").tempdir()?;
    let root = Command::new("id").arg("-u").output()?.stdout.trim_ascii() == b"0";
    let user = root.then_some((NOBODY, NOBODY));
    if root {
        let mut chown = Command::new("chown");
        let given = chown.arg(format!("{NOBODY}:{NOBODY}")).arg(directory.path()).arg(sockets.path()).status()?;
        ensure!(given.success(), "the data directory could not be given to another user");
    }
    let data = directory.path().canonicalize()?.join("data");
    let made = postgres
        .beside("initdb")?
        .command(user)
        .args(["--auth=trust", "--username=flowork", "--encoding=UTF8", "--locale=C", "--pgdata"])
        .arg(&data)
        .output()?;
    ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr).trim());
    let mut command = postgres.command(user);
    command.arg("-D").arg(&data).arg("-k").arg(sockets.path());
    for setting in ["listen_addresses=", CONNECTIONS, "fsync=on", "synchronous_commit=on"] {
        command.args(["-c", setting]);
    }
    let log = directory.path().join("postgres.log");
    let mut server = Server::start(command, "-INT", &log)?;
    let ready = || std::fs::read_to_string(&log).is_ok_and(|said| said.contains("ready to accept connections"));
    server.wait_until(ready, &log)?;
    let mut command = Command::new(node);
    command
        .arg("harness.mjs")
        .current_dir(harness)
        .env("PGHOST", sockets.path())
        .env("BATCHING", u8::from(batching).to_string())
        .env("PGUSER", "flowork")
        .env("PGDATABASE", "postgres");
    Ok(Contender::start(command, vec![server], directory)?.with(sockets))
}
