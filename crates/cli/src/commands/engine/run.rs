//! `flowork engine run`: the workers of an engine whose gateway is elsewhere.
//!
//! The pool is the one that a node has; [`remote`] is where it takes its jobs from. [`gateway`] makes the calls,
//! [`deliver`] brings what waits in the [`outbox`], [`directives`] hears what the gateway wants, and [`machine`]
//! tells it how this host is. The job kinds are those a
//! node runs, from this host's data directory.

mod backoff;
mod deliver;
mod directives;
mod end;
mod gateway;
mod machine;
mod outbox;
mod remote;

use std::{path::PathBuf, time::Duration};

use flowork_engine::pool::Pool;
use flowork_node::{EngineKinds, Flags};
use serde_json::json;
use tokio::{task::JoinSet, time::timeout};

use self::{gateway::Gateway, remote::Remote};
use super::token;
use crate::{
    args::load_config,
    commands::status::describe_notice,
    exit::{Exit, Failure},
    output::{self, Format},
    signals::Signals,
};

/// After the drain's deadline, running jobs get this long to stop, and their leases to be given back. Longer than an
/// attempt may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(8);
/// After a second signal they get this long to let go of their child processes.
const STOP_AT_ONCE: Duration = Duration::from_secs(2);

/// Run jobs for a node elsewhere, until told to stop
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The token comes from `flowork engine create` on the node's host. It is read from the file, from \
                        FLOWORK_ENGINE_TOKEN, or from this host's vault, where `flowork engine set-token` puts it. \
                        SIGTERM or Ctrl-C drains: running jobs get drain_deadline_ms to finish; those that do not go \
                        back to their queue. A second signal stops at once, with exit code 130."
)]
pub(crate) struct Args {
    /// Where the node is: https://…, or http:// on this machine
    #[arg(long, value_name = "URL")]
    gateway: String,
    /// File that holds the engine's token
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
    let gateway = Gateway::new(&args.gateway, &token::read(args.token_file.as_deref(), &config)?)?;
    let mut signals = Signals::listen().map_err(|error| Failure::from_error(Exit::Failed, "SIGNALS", &error))?;
    let kinds = tokio::task::spawn_blocking(move || EngineKinds::start(&config)).await;
    let kinds = kinds
        .map_err(|error| Failure::from_error(Exit::Failed, "START", &error))?
        .map_err(|error| Failure::from_error(Exit::Failed, "START", &error).hint(error.hint()))?;
    for notice in kinds.notices() {
        output::say(&describe_notice(notice));
    }
    let remote = Remote::connect(gateway, kinds.registry(), workers).await?;
    let pool = Pool::start(remote, kinds.registry().clone(), workers);
    let mut tasks = JoinSet::new();
    tasks.spawn(deliver::deliver(pool.workers().clone()));
    tasks.spawn(directives::obey(pool.workers().clone()));
    tasks.spawn(remote::stay_in_touch(pool.workers().clone()));
    tasks.spawn(remote::wake_up(pool.workers().clone()));
    tell(format, &json!({"event": "ready", "gateway": args.gateway, "workers": workers}), || {
        format!("Runs up to {workers} jobs at once for {}.", args.gateway)
    });
    let ended = tokio::select! {
        failure = pool.workers().source().failed() => {
            // Whoever does not take this engine takes nothing of it.
            let _ = timeout(STOP_AT_ONCE, pool.stop()).await;
            Err(failure)
        }
        () = signals.next() => drain(&pool, deadline, &mut signals, format).await,
    };
    tasks.shutdown().await;
    kinds.stop().await;
    let left = ended?;
    tell(format, &json!({"event": "stopped", "unfinished": left}), || match left {
        0 => "Stopped.".to_owned(),
        left => format!("Stopped; {left} jobs had not finished and go back to their queues."),
    });
    Ok(())
}

/// Claims nothing more, waits for what runs, stops what is left at the deadline. Answers how many that were.
async fn drain(pool: &Pool<Remote>, deadline: Duration, signals: &mut Signals, format: Format) -> Result<u32, Failure> {
    pool.close();
    let running = pool.workers().running();
    tell(format, &json!({"event": "draining", "running": running, "deadline_ms": deadline.as_millis() as u64}), || {
        format!("Draining: {running} jobs run. Ctrl-C again stops at once.")
    });
    let in_order = async {
        // Whether it was in time is what `running` tells.
        let _ = timeout(deadline, pool.drained()).await;
        let left = pool.workers().running();
        if timeout(STOP_WITHIN, pool.stop()).await.is_err() {
            let running = pool.workers().running();
            tracing::warn!(running, "the gateway has not heard of all jobs; their leases run out by themselves");
        }
        left
    };
    tokio::select! {
        left = in_order => Ok(left),
        () = signals.next() => {
            // The process ends whether or not they do.
            let _ = timeout(STOP_AT_ONCE, pool.stop()).await;
            Err(Failure::new(Exit::Interrupted, "STOPPED_AT_ONCE", "stopped at once; jobs that ran are tried again"))
        }
    }
}

/// Whether anybody reads is no reason to stop.
fn tell(format: Format, event: &serde_json::Value, text: impl FnOnce() -> String) {
    let line = if format.is_json() { event.to_string() } else { text() };
    // The engine goes on without a terminal.
    let _ = output::line(&line);
}
