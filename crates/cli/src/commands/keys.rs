//! `flowork keys list` and `flowork keys rotate`

use clap::ValueEnum;
use flowork_api_types::admin::{RotateKeysRequest, SigningKey, SigningKeyList, TokenSet};

use crate::{
    client::Client,
    exit::Failure,
    output::{Format, table},
};

/// Show and replace the keys that sign tokens
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the keys that sign tokens, and those that did and still check them
    List,
    /// Make new keys that sign from now on; tokens of the old ones count until they end by themselves
    Rotate {
        /// Only this set
        #[arg(long, value_enum)]
        set: Option<Set>,
        /// End the tokens of the old keys at once, because somebody else has seen a key; browsers get new ones by
        /// themselves, tokens of scripts have to be made anew
        #[arg(long)]
        end_old: bool,
    },
}

/// [`TokenSet`] on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Set {
    /// Access tokens of people and scripts
    User,
    /// Short tokens of engines
    Engine,
    /// Admin tokens
    Admin,
}

impl From<Set> for TokenSet {
    fn from(set: Set) -> Self {
        match set {
            Set::User => Self::User,
            Set::Engine => Self::Engine,
            Set::Admin => Self::Admin,
        }
    }
}

pub(super) async fn run(command: Command, client: &Client, format: Format) -> Result<(), Failure> {
    let keys: SigningKeyList = match command {
        Command::List => client.get("/v1/keys").await?,
        Command::Rotate { set, end_old } => {
            let request = RotateKeysRequest { set: set.map(Into::into), end_old };
            client.post("/v1/keys/rotate", Some(&request)).await?
        }
    };
    format.print(&keys, |keys| {
        let rows: Vec<_> = keys.items.iter().map(row).collect();
        table(&["SET", "KEY", "STATE", "MADE", "ENDS"], &rows)
    })
}

fn row(key: &SigningKey) -> Vec<String> {
    let state = if key.retired_at.is_some() { "checks" } else { "signs" };
    vec![
        key.set.as_str().to_owned(),
        key.kid.clone(),
        state.to_owned(),
        key.created_at.to_string(),
        key.ends_at.to_string(),
    ]
}
