//! `flowork member …`

use clap::ValueEnum;
use flowork_api_types::{
    auth,
    member::{AddMemberKeyRequest, CreateMemberRequest, KeyAddress, KeyKind, Member, MemberList, UpdateMemberRequest},
};
use serde_json::json;

use crate::{
    client::{Client, path_segment},
    exit::{Exit, Failure},
    output::{Format, table},
};

/// Say who may do what on this node
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the members
    List,
    /// Add a member; a key of theirs or a link lets them in
    Add {
        /// For people; 1 to 64 characters
        name: String,
        /// What they may do
        #[arg(long, value_enum, default_value_t = Role::Member)]
        role: Role,
    },
    /// Change a member; who is disabled is signed out at once
    Update {
        /// Subject or name
        member: String,
        /// Another name
        #[arg(long)]
        name: Option<String>,
        /// Another role
        #[arg(long, value_enum)]
        role: Option<Role>,
        /// Keep them out
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
        /// Let them in again
        #[arg(long)]
        enable: bool,
    },
    /// Remove a member with their keys, and sign them out at once
    Remove {
        /// Subject or name
        member: String,
    },
    /// Say what a member signs in with
    #[command(subcommand)]
    Key(KeyCommand),
}

/// Say what a member signs in with
#[derive(Debug, clap::Subcommand)]
pub(crate) enum KeyCommand {
    /// Let a member sign in with one more key
    Add {
        /// Subject or name
        member: String,
        /// The account the key signs for: 0x and 40 hexadecimal digits
        address: KeyAddress,
        /// Where the key is kept
        #[arg(long, value_enum, default_value_t = Kind::Wallet)]
        kind: Kind,
        /// For people; 1 to 64 characters
        #[arg(long)]
        name: String,
    },
    /// Take a key from a member, and end the sessions that were opened with it
    Remove {
        /// Subject or name
        member: String,
        /// As `list` shows it
        address: KeyAddress,
    },
}

/// [`auth::Role`], as far as it can be given.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Role {
    /// Jobs, queues and drain
    Operator,
    /// Own jobs
    Member,
    /// Reading
    Viewer,
}

impl From<Role> for auth::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Operator => Self::Operator,
            Role::Member => Self::Member,
            Role::Viewer => Self::Viewer,
        }
    }
}

/// [`KeyKind`] on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// A wallet that asks its holder each time
    Wallet,
    /// One browser or program, which made it
    Device,
}

impl From<Kind> for KeyKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Wallet => Self::Wallet,
            Kind::Device => Self::Device,
        }
    }
}

pub(super) async fn run(command: Command, client: &Client, format: Format) -> Result<(), Failure> {
    match command {
        Command::List => {
            let members: MemberList = client.get("/v1/members").await?;
            format.print(&members, show)
        }
        Command::Add { name, role } => {
            let request = CreateMemberRequest { name, role: role.into() };
            let member: Member = client.post("/v1/members", Some(&request)).await?;
            format.print(&member, |member| {
                format!(
                    "{} {}\nThey can't sign in yet. Add a key of theirs with `flowork member key add`, or send them a link.",
                    member.subject, member.name
                )
            })
        }
        Command::Update { member, name, role, disable, enable } => {
            let path = path_of(client, &member).await?;
            let disabled = (disable || enable).then_some(disable);
            let request = UpdateMemberRequest { name, role: role.map(Into::into), disabled };
            let member: Member = client.patch(&path, &request).await?;
            format.print(&member, |member| row(member).join("  "))
        }
        Command::Remove { member } => {
            client.delete(&path_of(client, &member).await?).await?;
            format.print(&json!({"removed": member}), |_| format!("{member} is no member any more."))
        }
        Command::Key(KeyCommand::Add { member, address, kind, name }) => {
            let path = format!("{}/keys", path_of(client, &member).await?);
            let request = AddMemberKeyRequest { address, kind: kind.into(), name };
            let member: Member = client.post(&path, Some(&request)).await?;
            format.print(&member, |member| format!("{} signs in with {address} from now on.", member.name))
        }
        Command::Key(KeyCommand::Remove { member, address }) => {
            let path = format!("{}/keys/{address}", path_of(client, &member).await?);
            client.delete(&path).await?;
            format.print(&json!({"removed": address}), |_| format!("{address} signs nobody in any more."))
        }
    }
}

/// The path of a member who is named by subject or by name.
async fn path_of(client: &Client, member: &str) -> Result<String, Failure> {
    Ok(format!("/v1/members/{}", path_segment(&subject_of(client, member).await?)))
}

/// The subject of a member who is named by it or by name.
pub(super) async fn subject_of(client: &Client, member: &str) -> Result<String, Failure> {
    let members: MemberList = client.get("/v1/members").await?;
    let is_meant = |known: &&Member| known.subject == member || known.name.to_lowercase() == member.to_lowercase();
    match members.items.iter().find(is_meant) {
        Some(known) => Ok(known.subject.clone()),
        None => Err(Failure::new(Exit::NotFound, "MEMBER_NOT_FOUND", format!("there is no member {member:?}"))
            .hint("`flowork member list` lists the members".to_owned())),
    }
}

fn show(members: &MemberList) -> String {
    let mut rows = Vec::new();
    for member in &members.items {
        rows.push(row(member));
        for key in &member.keys {
            let kind = key.kind.as_str();
            rows.push(vec![
                format!("  {}", key.address),
                key.name.clone(),
                kind.to_owned(),
                String::new(),
                String::new(),
            ]);
        }
    }
    table(&["SUBJECT", "NAME", "ROLE", "STATE", "SESSIONS"], &rows)
}

fn row(member: &Member) -> Vec<String> {
    let state = if member.disabled_at.is_some() { "disabled" } else { "active" };
    vec![
        member.subject.clone(),
        member.name.clone(),
        member.role.as_str().to_owned(),
        state.to_owned(),
        member.sessions.to_string(),
    ]
}
