//! `flowork audit …`: who did what to this node, and whether the log of it is what was written.
//!
//! A running node is asked; the log of a stopped one is read directly, under the instance lock.

mod export;
mod list;
mod verify;

use std::path::PathBuf;

use flowork_api_types::{
    Timestamp,
    audit::{AuditOutcome, AuditQuery},
};
use flowork_node::{
    Config, InstanceLock,
    audit::{AuditError, StoppedAudit},
};

use crate::{
    client::Client,
    exit::{Exit, Failure},
    output::Format,
    stopped_node,
};

/// See who did what, and check that nobody changed the log of it
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List entries, newest first
    List {
        #[command(flatten)]
        which: Which,
        /// At most this many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Check every entry and every signed head; tells the first place where something is wrong
    #[command(
        after_help = "It finds entries that were changed, deleted, put in, moved or cut off at the end, and heads \
                            that were. It can't tell that the whole file of a stopped node is an older copy of itself: \
                            compare the last head with one from an earlier export."
    )]
    Verify,
    /// Write entries as CloudEvents, one a line, oldest first, and then the signed heads of the days
    Export {
        #[command(flatten)]
        which: Which,
        /// Where to; standard output without it
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Which entries
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Only what this one did, such as owner, m_… or eng_…
    #[arg(long, value_name = "SUBJECT")]
    actor: Option<String>,
    /// Only this action or those below it, such as member or member.create
    #[arg(long)]
    action: Option<String>,
    /// Only with this outcome: done, refused or failed
    #[arg(long)]
    outcome: Option<AuditOutcome>,
    /// Only from this time on, such as 2026-01-31T08:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// Only from this address
    #[arg(long)]
    ip: Option<String>,
    /// Only what was done to this
    #[arg(long, value_name = "ID")]
    object: Option<String>,
}

impl Which {
    fn query(self) -> AuditQuery {
        let Self { actor, action, outcome, from, to, ip, object } = self;
        AuditQuery { actor, action, outcome, from, to, ip, object, cursor: None, limit: None }
    }
}

/// Where the log is read.
enum Log {
    Running(Client),
    Stopped {
        audit: Box<StoppedAudit>,
        /// While it is held, no node starts and opens the file.
        _lock: InstanceLock,
    },
}

pub(super) async fn run(command: Command, config: &Config, format: Format) -> Result<(), Failure> {
    let log = find(config)?;
    match command {
        Command::List { which, limit } => list::run(which.query(), limit, &log, format).await,
        Command::Verify => verify::run(log, format).await,
        Command::Export { which, output } => export::run(which.query(), output.as_deref(), &log, format).await,
    }
}

fn find(config: &Config) -> Result<Log, Failure> {
    let lock_failure = |error| Failure::from_error(Exit::Failed, "LOCK", &error);
    if InstanceLock::find(&config.data_dir).map_err(lock_failure)?.is_some() {
        return Client::connect(config).map(Log::Running);
    }
    // Before the lock, which would make its file in a directory that is none of ours.
    let audit = StoppedAudit::find(config).map_err(|error| failed(&error))?;
    let lock = stopped_node::lock(config, "try again in a moment")?;
    Ok(Log::Stopped { audit: Box::new(audit), _lock: lock })
}

fn failed(error: &AuditError) -> Failure {
    let exit = match error {
        AuditError::NoKey(_) | AuditError::NoLog(_) => Exit::NotFound,
        AuditError::Open(_) | AuditError::Vault(_) | AuditError::Key(_) => Exit::Refused,
        AuditError::Read(_) => Exit::Failed,
    };
    Failure::from_error(exit, "AUDIT", error).hint(error.hint())
}
