//! `flowork auth reset` and `flowork auth sessions`

use flowork_api_types::auth::{ResetAnswer, ResetRequest, SignInSession, SignInSessionList};
use flowork_engine::clock::wall_now;
use flowork_node::{Config, InstanceLock, LockError, ResetError};
use serde_json::json;

use crate::{
    client::Client,
    exit::{Exit, Failure},
    output::{Format, table},
};

/// Show who is signed in, and sign everybody out
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Sign everybody out and print a new link for the owner; works while the node runs and while it does not
    Reset {
        /// Forget the keys that browsers made, too; all have to be paired again. Keys of wallets stay
        #[arg(long)]
        forget_devices: bool,
    },
    /// List the browsers and programs that are signed in
    Sessions,
}

pub(super) async fn run(command: Command, config: &Config, format: Format) -> Result<(), Failure> {
    match command {
        Command::Reset { forget_devices } => reset(forget_devices, config, format).await,
        Command::Sessions => {
            let query = [("all", "true")];
            let list: SignInSessionList = Client::connect(config)?.get_with("/v1/auth/sessions", &query).await?;
            format.print(&list, |list| {
                let rows: Vec<_> = list.items.iter().map(row).collect();
                table(&["SESSION", "WHO", "DEVICE", "KEY", "LAST USED"], &rows)
            })
        }
    }
}

fn row(session: &SignInSession) -> Vec<String> {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    vec![
        session.session_id.to_string(),
        session.subject.clone(),
        or_dash(&session.device_name),
        or_dash(&session.address),
        session.last_used_at.to_string(),
    ]
}

async fn reset(forget_devices: bool, config: &Config, format: Format) -> Result<(), Failure> {
    let holder =
        InstanceLock::find(&config.data_dir).map_err(|error| Failure::from_error(Exit::Failed, "LOCK", &error))?;
    if holder.is_some() {
        let request = ResetRequest { forget_devices };
        let answer: ResetAnswer = Client::connect(config)?.post("/v1/auth/reset", Some(&request)).await?;
        let ended = describe(answer.ended_sessions, answer.removed_keys);
        return format.print(&answer, |answer| {
            format!("{ended}\n{}\nIt signs one browser in, once, until {}.", answer.link.url, answer.link.expires_at)
        });
    }
    reset_stopped(forget_devices, config, format).await
}

/// Nobody serves, so the file itself is changed, under the lock that keeps nodes away.
async fn reset_stopped(forget_devices: bool, config: &Config, format: Format) -> Result<(), Failure> {
    if !config.data_dir.join("control.db").is_file() {
        let message = format!("no node has served with {} yet", config.data_dir.display());
        return Err(Failure::new(Exit::NotFound, "DATA_DIR", message).hint("name the right --data-dir".to_owned()));
    }
    let done = flowork_node::reset_access(config, forget_devices, wall_now()).await.map_err(|error| failed(&error))?;
    let removed = done.removed;
    let ended = describe(removed.ended_sessions as u64, removed.removed_keys as u64);
    let expires_at = done.pairing.expires_at;
    let link = done.link();
    let document = json!({
        "ended_sessions": removed.ended_sessions,
        "removed_keys": removed.removed_keys,
        "link": link.as_ref().map(|url| json!({"url": url, "expires_at": expires_at})),
    });
    format.print(&document, |_| match link {
        Some(url) => format!(
            "{ended}\n{url}\nIt signs one browser in, once, until {expires_at}, when the node runs: `flowork serve`, \
             which prints one, too."
        ),
        None => format!("{ended}\n`flowork serve` prints a link that signs the owner in."),
    })
}

fn describe(sessions: u64, keys: u64) -> String {
    let keys = if keys == 0 { String::new() } else { format!(" Keys of browsers that are forgotten: {keys}.") };
    format!("Everybody is signed out; sessions that were open: {sessions}.{keys}")
}

fn failed(error: &ResetError) -> Failure {
    match error {
        ResetError::Lock(LockError::Held { .. }) => Failure::from_error(Exit::Taken, "NODE_RUNNING", error)
            .hint("a node has just started; run this again".to_owned()),
        ResetError::DataDir(cause) => Failure::from_error(Exit::Failed, "DATA_DIR", error).hint(cause.hint()),
        ResetError::Lock(_) | ResetError::Open(_) | ResetError::Store(_) => {
            Failure::from_error(Exit::Failed, "CONTROL_STORE", error)
        }
    }
}
