//! `flowork serve`

use std::{future::Future, io::IsTerminal, time::Duration};

use flowork_node::{Flags, Node, NodeHandle, StartError};
use serde_json::json;

use super::status::describe_notice;
use crate::{
    args::load_config,
    exit::{Exit, Failure},
    output::{self, Format},
    signals::Signals,
};

/// After a second signal, running jobs get this long to let go of their child processes.
const STOP_AT_ONCE: Duration = Duration::from_secs(2);

/// Start the node and print a link that signs you in
#[derive(Debug, clap::Args)]
#[command(after_help = "The link is printed on a terminal, with --json, and until the owner has signed in once; else \
                        `flowork link` prints one.\n\nSIGTERM or Ctrl-C drains: running jobs get drain_deadline_ms to finish, and what then still \
                        runs goes back into its queue. A second signal stops at once.")]
pub(crate) struct Args {
    /// Loopback address and port to serve on; port 0 takes a free one [env: FLOWORK_LISTEN]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Jobs to run at once [env: FLOWORK_WORKERS]
    #[arg(long, value_name = "NUMBER")]
    workers: Option<String>,
    /// Start to be looked at: no jobs run, here or elsewhere, modules are off, no schedule fires, nothing that ended is
    /// removed; GUI, API and logs are there, jobs still expire, and sync sessions go on
    #[arg(long)]
    recovery: bool,
}

pub(super) async fn run(args: Args, flags: Flags, format: Format) -> Result<(), Failure> {
    let config = load_config(&Flags { listen: args.listen, workers: args.workers, recovery: args.recovery, ..flags })?;
    let deadline = config.drain_deadline;
    let mut signals = Signals::listen().map_err(|error| Failure::from_error(Exit::Failed, "SIGNALS", &error))?;
    let node = Node::start(config).await.map_err(|error| start_failure(&error))?;
    announce(&node, format).await?;
    signals.next().await;
    stop(node, deadline, signals, format).await
}

/// Drains, then stops; a second signal skips the rest of the drain.
async fn stop(node: NodeHandle, deadline: Duration, mut signals: Signals, format: Format) -> Result<(), Failure> {
    let running = node.running();
    tell(format, &json!({"event": "draining", "running": running, "deadline_ms": deadline.as_millis() as u64}), || {
        format!("Draining: {running} jobs run. Ctrl-C again stops at once.")
    });
    let left = tokio::select! {
        left = node.drain(deadline) => Some(left),
        () = signals.next() => None,
    };
    let Some(left) = left else {
        // Nothing is lost by this: what ran goes back into its queue when its lease is released or runs out.
        let _ = tokio::time::timeout(STOP_AT_ONCE, node.stop()).await;
        return Err(Failure::new(
            Exit::Interrupted,
            "STOPPED_AT_ONCE",
            "stopped at once; jobs that ran go on at the next start",
        ));
    };
    without_second_thoughts(node.stop(), &mut signals).await;
    tell(format, &json!({"event": "stopped", "released": left}), || match left {
        0 => "Stopped.".to_owned(),
        left => format!("Stopped; {left} jobs had not finished and go on at the next start."),
    });
    Ok(())
}

/// A signal during the last step shortens it, too.
async fn without_second_thoughts(stopping: impl Future<Output = ()>, signals: &mut Signals) {
    tokio::pin!(stopping);
    tokio::select! {
        () = &mut stopping => {}
        () = signals.next() => {
            let _ = tokio::time::timeout(STOP_AT_ONCE, stopping).await;
        }
    }
}

async fn announce(node: &NodeHandle, format: Format) -> Result<(), Failure> {
    let link_failure = |error| Failure::from_error(Exit::Failed, "LINK", &error);
    // A link signs in as the owner, and what is no terminal is likely a log that others read. A program that asked for
    // JSON reads it itself, and whoever never signed in has no other way that needs no second command.
    let wanted = format.is_json()
        || std::io::stdout().is_terminal()
        || !node.owner_has_signed_in().await.map_err(link_failure)?;
    let link = if wanted { Some(node.link().await.map_err(link_failure)?) } else { None };
    let notices = node.notices();
    tell(format, &json!({"event": "ready", "url": node.url(), "link": link}), || {
        let mut lines = vec![
            format!("Flowork {} serves on {}", env!("CARGO_PKG_VERSION"), node.url()),
            format!("data    {}", node.data_dir().display()),
            format!("vault   {}: {}", node.vault().as_str(), node.vault().protection()),
        ];
        lines.extend(notices.iter().map(describe_notice));
        lines.push(match &link {
            Some(link) => format!("\nOpen this link to sign in (once, within 10 minutes):\n  {link}\n"),
            None => "\nTo sign in, run `flowork link` on this machine.\n".to_owned(),
        });
        lines.join("\n")
    });
    Ok(())
}

/// Whether anybody reads is no reason to stop serving.
fn tell(format: Format, event: &serde_json::Value, text: impl FnOnce() -> String) {
    let line = if format.is_json() { event.to_string() } else { text() };
    // The node goes on without a terminal.
    let _ = output::line(&line);
}

fn start_failure(error: &StartError) -> Failure {
    let (exit, code) = match error {
        StartError::PortTaken { .. } => (Exit::Taken, "PORT_TAKEN"),
        StartError::Lock(_) if error.is_taken() => (Exit::Taken, "DATA_DIR_TAKEN"),
        StartError::Vault(_) | StartError::Secret(_) => (Exit::Refused, "VAULT"),
        StartError::DataDir(_) => (Exit::Failed, "DATA_DIR"),
        StartError::Egress(_) | StartError::Provider(_) | StartError::Logs(flowork_node::LogError::Filter { .. }) => {
            (Exit::Usage, "CONFIG")
        }
        _ => (Exit::Failed, "START"),
    };
    Failure::from_error(exit, code, error).hint(error.hint())
}
