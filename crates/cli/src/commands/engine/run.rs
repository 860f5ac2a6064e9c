//! `flowork engine run`: the workers of an engine whose gateway is elsewhere.
//!
//! [`pool`] claims and renews, [`attempt`] runs one job, [`finish`] reports how it ended, [`gateway`] makes the calls.
//! The job kinds are those a node runs, from this host's data directory.

mod attempt;
mod finish;
mod gateway;
mod pool;

use std::{path::PathBuf, time::Duration};

use flowork_node::{EngineKinds, Flags};
use serde_json::json;

use self::{gateway::Gateway, pool::Pool};
use crate::{
    args::load_config,
    commands::status::describe_notice,
    exit::{Exit, Failure},
    output::{self, Format},
    signals::Signals,
};

/// Where the engine's token is looked for if no file is named. Never an argument: those can be seen by others.
const TOKEN_VARIABLE: &str = "FLOWORK_ENGINE_TOKEN";
/// After a second signal, running jobs get this long to let go of their child processes.
const STOP_AT_ONCE: Duration = Duration::from_secs(2);

/// Run jobs for a node elsewhere, until told to stop
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The token comes from `flowork engine create` on the node's host: in FLOWORK_ENGINE_TOKEN, or in \
                        a file. SIGTERM or Ctrl-C drains: running jobs get drain_deadline_ms to finish. A second \
                        signal stops at once."
)]
pub(crate) struct Args {
    /// Where the node is: https://…, or http:// on this machine
    #[arg(long, value_name = "URL")]
    gateway: String,
    /// File that holds the engine's token; FLOWORK_ENGINE_TOKEN without it
    #[arg(long, value_name = "PATH")]
    token_file: Option<PathBuf>,
    /// Jobs to run at once [env: FLOWORK_WORKERS]
    #[arg(long, value_name = "NUMBER")]
    workers: Option<String>,
}

pub(super) async fn run(args: Args, flags: &Flags, format: Format) -> Result<(), Failure> {
    let config = load_config(&Flags { workers: args.workers.clone(), ..flags.clone() })?;
    flowork_node::log_to_stderr(&config.log).map_err(|error| Failure::from_error(Exit::Usage, "CONFIG", &error))?;
    let (deadline, workers) = (config.drain_deadline, config.workers);
    let gateway = Gateway::new(&args.gateway, &read_token(&args)?)?;
    let mut signals = Signals::listen().map_err(|error| Failure::from_error(Exit::Failed, "SIGNALS", &error))?;
    let kinds = tokio::task::spawn_blocking(move || EngineKinds::start(&config)).await;
    let kinds = kinds
        .map_err(|error| Failure::from_error(Exit::Failed, "START", &error))?
        .map_err(|error| Failure::from_error(Exit::Failed, "START", &error).hint(error.hint()))?;
    for notice in kinds.notices() {
        output::say(&describe_notice(notice));
    }
    let pool = Pool::start(gateway, kinds.registry().clone(), workers).await?;
    tell(format, &json!({"event": "ready", "gateway": args.gateway, "workers": workers}), || {
        format!("Runs up to {workers} jobs at once for {}.", args.gateway)
    });
    let ended = tokio::select! {
        failure = pool.failed() => Err(failure),
        () = signals.next() => drain(&pool, deadline, &mut signals, format).await,
    };
    let left = pool.stop(STOP_AT_ONCE).await;
    kinds.stop().await;
    ended?;
    tell(format, &json!({"event": "stopped", "unfinished": left}), || match left {
        0 => "Stopped.".to_owned(),
        left => format!("Stopped; {left} jobs had not finished and are tried again."),
    });
    Ok(())
}

async fn drain(pool: &Pool, deadline: Duration, signals: &mut Signals, format: Format) -> Result<(), Failure> {
    let running = pool.running();
    tell(format, &json!({"event": "draining", "running": running, "deadline_ms": deadline.as_millis() as u64}), || {
        format!("Draining: {running} jobs run. Ctrl-C again stops at once.")
    });
    tokio::select! {
        () = pool.drain(deadline) => Ok(()),
        () = signals.next() => {
            pool.stop(STOP_AT_ONCE).await;
            Err(Failure::new(Exit::Interrupted, "STOPPED_AT_ONCE", "stopped at once; jobs that ran are tried again"))
        }
    }
}

fn read_token(args: &Args) -> Result<String, Failure> {
    let missing = |message: String| {
        Failure::new(Exit::Usage, "NO_ENGINE_TOKEN", message)
            .hint("`flowork engine create NAME` on the node's host prints one".to_owned())
    };
    let token = match &args.token_file {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| missing(format!("cannot read {}: {error}", path.display())))?,
        None => std::env::var(TOKEN_VARIABLE)
            .map_err(|_| missing(format!("there is no token: set {TOKEN_VARIABLE} or name a --token-file")))?,
    };
    let token = token.trim();
    if !token.starts_with("fle_") || !token.is_ascii() {
        return Err(missing("the token is not one of an engine: those begin with fle_".to_owned()));
    }
    Ok(token.to_owned())
}

/// Whether anybody reads is no reason to stop.
fn tell(format: Format, event: &serde_json::Value, text: impl FnOnce() -> String) {
    let line = if format.is_json() { event.to_string() } else { text() };
    // The engine goes on without a terminal.
    let _ = output::line(&line);
}
