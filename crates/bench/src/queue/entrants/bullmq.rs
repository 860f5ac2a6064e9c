//! BullMQ on a Redis of its own that syncs its log before it answers.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
};

use crate::queue::{
    contender::{Contender, Server},
    install,
};

pub(super) fn start(dir: &Path) -> anyhow::Result<Contender> {
    let harness = install::npm("bullmq")?;
    let redis = install::debian("redis-server", "redis-server", &[], &dir.join("debian"))?;
    let directory = tempfile::Builder::new().prefix("redis").tempdir_in(dir)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = redis.command(None);
    command
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--daemonize", "no", "--save", ""])
        .args(["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction", "--dir"])
        .arg(directory.path());
    let log = directory.path().join("redis.log");
    let mut server = Server::start(command, "-TERM", &log)?;
    server.wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok(), &log)?;
    let mut node = Command::new("node");
    node.arg("harness.mjs").current_dir(harness).env("REDIS_PORT", port.to_string());
    Contender::start(node, vec![server], directory)
}
