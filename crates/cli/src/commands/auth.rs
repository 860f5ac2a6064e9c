//! `flowork auth reset` and `flowork auth sessions`

use flowork_api_types::{
    auth::{ResetAnswer, ResetRequest, SignInSession, SignInSessionList},
    member::{KeyAddress, KeyKind, OWNER_SUBJECT},
};
use flowork_engine::clock::wall_now;
use flowork_node::{Config, Forget, InstanceLock, LockError, ResetError};
use serde_json::{Value, json};

use super::link;
use crate::{
    client::Client,
    exit::{Exit, Failure},
    output::{Format, table},
};

/// Show who is signed in, and sign everybody out
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Sign everybody out and print a new link for the owner; works while the node runs and while it does not
    #[command(
        after_help = "Tokens of scripts and admin tokens end, too: at once, or with the next start of a node that is \
                            stopped. Keys stay unless they are forgotten, so whoever enrolled one for the owner still \
                            signs in: look at the keys and members that this prints. Who had the node's own key needs \
                            another in its place: `flowork key import`."
    )]
    Reset {
        /// Forget the keys that browsers made, too; all have to be paired again. Keys of wallets stay
        #[arg(long)]
        forget_devices: bool,
        /// Forget all of the owner's keys, too, wallets' as well, but the node's own
        #[arg(long)]
        forget_keys: bool,
    },
    /// List the browsers and programs that are signed in
    Sessions,
}

pub(super) async fn run(command: Command, config: &Config, format: Format) -> Result<(), Failure> {
    match command {
        Command::Reset { forget_devices, forget_keys } => {
            reset(Forget { devices: forget_devices, owner_keys: forget_keys }, config, format).await
        }
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

/// What a reset came to, and who can still sign in after it.
struct Outcome {
    ended_sessions: u64,
    removed_keys: u64,
    /// Address, kind and name of each.
    owner_keys: Vec<(KeyAddress, KeyKind, String)>,
    /// Subject, role and name of each.
    members: Vec<[String; 3]>,
}

impl Outcome {
    fn document(&self, link: &Value) -> Value {
        let key = |(address, kind, name): &(KeyAddress, KeyKind, String)| json!({"address": address, "kind": kind, "name": name});
        let member = |[subject, role, name]: &[String; 3]| json!({"subject": subject, "role": role, "name": name});
        json!({
            "ended_sessions": self.ended_sessions,
            "removed_keys": self.removed_keys,
            "owner_keys": self.owner_keys.iter().map(key).collect::<Vec<_>>(),
            "members": self.members.iter().map(member).collect::<Vec<_>>(),
            "link": link,
        })
    }

    fn describe(&self) -> String {
        let mut lines = vec![format!("Everybody is signed out; sessions that were open: {}.", self.ended_sessions)];
        if self.removed_keys > 0 {
            lines.push(format!("Keys that are forgotten: {}.", self.removed_keys));
        }
        let keys = self
            .owner_keys
            .iter()
            .map(|(address, kind, name)| vec![format!("  {address}"), kind.as_str().to_owned(), name.clone()]);
        lines.extend(listed("Keys that still sign in as the owner; --forget-keys leaves the node's own:", keys));
        let members =
            self.members.iter().map(|[subject, role, name]| vec![format!("  {subject}"), role.clone(), name.clone()]);
        lines.extend(listed("Members who can still sign in by keys of theirs:", members));
        lines.join("\n")
    }
}

fn listed(heading: &str, rows: impl Iterator<Item = Vec<String>>) -> Option<String> {
    let rows: Vec<_> = rows.map(|row| row.join("  ")).collect();
    (!rows.is_empty()).then(|| format!("{heading}\n{}", rows.join("\n")))
}

async fn reset(forget: Forget, config: &Config, format: Format) -> Result<(), Failure> {
    let holder =
        InstanceLock::find(&config.data_dir).map_err(|error| Failure::from_error(Exit::Failed, "LOCK", &error))?;
    if holder.is_some() {
        reset_running(forget, config, format).await
    } else {
        reset_stopped(forget, config, format).await
    }
}

async fn reset_running(forget: Forget, config: &Config, format: Format) -> Result<(), Failure> {
    // One call: the token of this command ends with all the others.
    let request = ResetRequest { forget_devices: forget.devices, forget_owner_keys: forget.owner_keys };
    let answer: ResetAnswer = Client::connect(config)?.post("/v1/auth/reset", Some(&request)).await?;
    let is_owner = |subject: &str| subject == OWNER_SUBJECT;
    let owner = answer.members.iter().filter(|member| is_owner(&member.subject));
    let others = answer.members.iter().filter(|member| !is_owner(&member.subject));
    let outcome = Outcome {
        ended_sessions: answer.ended_sessions,
        removed_keys: answer.removed_keys,
        owner_keys: owner.flat_map(|owner| &owner.keys).map(|key| (key.address, key.kind, key.name.clone())).collect(),
        members: others
            .map(|member| [member.subject.clone(), member.role.as_str().to_owned(), member.name.clone()])
            .collect(),
    };
    let public = link::public_host(None, config)?.and_then(|host| link::public_url(&answer.link.url, host));
    let (url, expires_at) = (&answer.link.url, answer.link.expires_at);
    let document = outcome.document(&json!({"url": url, "public_url": public, "expires_at": expires_at}));
    format.print(&document, |_| {
        let links = link::lines(url, public.as_deref());
        format!("{}\n{links}\nIt signs one browser in, once, until {expires_at}.", outcome.describe())
    })
}

/// Nobody serves, so the file itself is changed, under the lock that keeps nodes away.
async fn reset_stopped(forget: Forget, config: &Config, format: Format) -> Result<(), Failure> {
    if !config.data_dir.join("control.db").is_file() {
        let message = format!("no node has served with {} yet", config.data_dir.display());
        return Err(Failure::new(Exit::NotFound, "DATA_DIR", message).hint("name the right --data-dir".to_owned()));
    }
    let done = flowork_node::reset_access(config, forget, wall_now()).await.map_err(|error| failed(&error))?;
    let outcome = Outcome {
        ended_sessions: done.removed.ended_sessions as u64,
        removed_keys: done.removed.removed_keys as u64,
        owner_keys: done.owner_keys.iter().map(|key| (key.address, key.kind, key.name.clone())).collect(),
        members: done
            .members
            .iter()
            .map(|member| [member.subject.clone(), member.role.as_str().to_owned(), member.name.clone()])
            .collect(),
    };
    let expires_at = done.pairing.expires_at;
    let Some(url) = done.link() else {
        return format.print(&outcome.document(&Value::Null), |_| {
            format!("{}\nStart the node and run `flowork link` for a link that signs the owner in.", outcome.describe())
        });
    };
    let public = link::public_host(None, config)?.and_then(|host| link::public_url(&url, host));
    let document = outcome.document(&json!({"url": url, "public_url": public, "expires_at": expires_at}));
    format.print(&document, |_| {
        let links = link::lines(&url, public.as_deref());
        format!(
            "{}\n{links}\nIt signs one browser in, once, until {expires_at}, when the node runs; later, `flowork link` \
             prints another.",
            outcome.describe()
        )
    })
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
