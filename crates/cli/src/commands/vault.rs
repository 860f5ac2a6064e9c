//! `flowork vault …`: where the secrets are, and moving them.

use std::{
    error::Error,
    io::{self, IsTerminal},
    ops::ControlFlow,
    path::PathBuf,
};

use flowork_api_types::node::Notice;
use flowork_node::Config;
use flowork_vault::{
    BackEnd, Candidate, MigrateError, Migrated, MigrationStep, OpenError, PassphraseSource, Vault, VaultChoice,
    change_passphrase, migrate, survey,
};
use serde_json::{Value, json};

use super::status::describe_notice;
use crate::{
    audit_note,
    exit::{Exit, Failure, chain},
    output::{Format, table},
    stopped_node,
};

/// A node that runs would go on with a vault that is no more.
const STOP_FIRST: &str = "stop the node first";

/// Show where the secrets are and move them
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Who keeps the key to the secrets, what that protects, and what this machine could do instead
    Status,
    /// Move all secrets to another back end while the node is stopped, and erase them in the old one
    #[command(
        after_help = "The secrets are copied, read back and compared before the old ones are erased. A move that \
                            is stopped at any point leaves one complete vault; start it again.\n\nTo systemd, run it \
                            with the credential flowork-vault-key; to passphrase, the passphrase comes from \
                            FLOWORK_VAULT_PASSPHRASE_FILE or FLOWORK_VAULT_PASSPHRASE_FD, or is asked for."
    )]
    Migrate {
        /// Where to: keychain, systemd, passphrase or file
        #[arg(long, value_name = "BACK_END", value_parser = parse_back_end)]
        to: BackEnd,
    },
    /// Change the passphrase of the vault while the node is stopped
    Passwd {
        /// A file with the new passphrase; it is asked for without it
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
    },
}

fn parse_back_end(text: &str) -> Result<BackEnd, String> {
    let known = || BackEnd::ALL.map(BackEnd::as_str).join(", ");
    BackEnd::parse(text).ok_or_else(|| format!("must be one of {}", known()))
}

pub(super) fn run(command: Command, config: &Config, format: Format) -> Result<(), Failure> {
    match command {
        Command::Status => status(config, format),
        Command::Migrate { to } => move_to(to, config, format),
        Command::Passwd { new_passphrase_file } => change(new_passphrase_file, config, format),
    }
}

fn status(config: &Config, format: Format) -> Result<(), Failure> {
    let vault = match Vault::open(config.vault_options()) {
        Ok(vault) => Some(vault),
        Err(OpenError::NoVault(_)) => None,
        Err(error) => return Err(Failure::from_error(Exit::Refused, "VAULT", &error).hint(error.hint())),
    };
    let items = vault
        .as_ref()
        .map(Vault::list)
        .transpose()
        .map_err(|error| Failure::from_error(Exit::Failed, "VAULT", &error).hint(error.hint()))?;
    let used = vault.as_ref().map(Vault::back_end);
    let notices = vault.iter().flat_map(Vault::notices).map(|notice| Notice {
        code: notice.code.to_owned(),
        message: notice.message,
        hint: Some(notice.hint),
    });
    let notices: Vec<_> = notices.collect();
    let could: Vec<_> = survey(&config.vault_options()).iter().map(|found| describe_candidate(found, used)).collect();
    let answer = json!({
        "back_end": used.map(BackEnd::as_str),
        "protection": used.map(BackEnd::protection),
        "file": vault.as_ref().map(|vault| vault.file().display().to_string()),
        "items": items,
        "notices": notices,
        "back_ends": could,
    });
    format.print(&answer, |answer| describe(answer, &notices))
}

fn describe_candidate(candidate: &Candidate, used: Option<BackEnd>) -> Value {
    json!({
        "name": candidate.back_end.as_str(),
        "protection": candidate.back_end.protection(),
        "used": used == Some(candidate.back_end),
        "works": candidate.refusal.is_none(),
        // Without what the name of the back end says already.
        "reason": candidate.refusal.as_ref().map(|refusal| chain(refusal.source().unwrap_or(refusal))),
        "hint": candidate.hint(),
    })
}

fn describe(answer: &Value, notices: &[Notice]) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let names: Vec<_> = answer["items"].as_array().into_iter().flatten().map(text).collect();
    let mut lines = if answer["back_end"].is_null() {
        vec!["There are no secrets yet: the first start takes the first back end below that works.".to_owned()]
    } else {
        vec![
            format!("vault   {}: {}", text(&answer["back_end"]), text(&answer["protection"])),
            format!("file    {}", text(&answer["file"])),
            format!("items   {}", if names.is_empty() { "-".to_owned() } else { names.join(", ") }),
        ]
    };
    lines.extend(notices.iter().map(describe_notice));
    let rows = answer["back_ends"].as_array().into_iter().flatten().map(|found| {
        let state = match (found["used"] == true, found["works"] == true) {
            (true, _) => "in use".to_owned(),
            (false, true) => "works here".to_owned(),
            (false, false) => format!("no: {}", text(&found["reason"])),
        };
        vec![text(&found["name"]), state]
    });
    lines.push(String::new());
    lines.push(table(&["BACK END", "HERE"], &rows.collect::<Vec<_>>()));
    lines.join("\n")
}

fn move_to(to: BackEnd, config: &Config, format: Format) -> Result<(), Failure> {
    if !config.vault.choice.allows(to) {
        let message = format!("the setting vault asks for another back end than {}", to.as_str());
        let hint = format!("set vault = \"auto\" or \"{}\" (FLOWORK_VAULT) first", to.as_str());
        return Err(Failure::new(Exit::Usage, "VAULT", message).hint(hint));
    }
    let _lock = stopped_node::lock(config, STOP_FIRST)?;
    let options = flowork_vault::VaultOptions { choice: VaultChoice::Auto, ..config.vault_options() };
    let moved = migrate(&options, to, &mut go_on).map_err(|error| failed(&error))?;
    format.print(&as_json(&moved), |_| {
        let mut text = format!(
            "{} secrets moved from the {} vault to the {} vault.",
            moved.items,
            moved.from.as_str(),
            moved.to.as_str()
        );
        if let Some(reason) = &moved.leftover {
            text += "\nThe old ones could not be erased yet; the next start tries again: ";
            text += reason;
        }
        text
    })
}

fn change(new: Option<PathBuf>, config: &Config, format: Format) -> Result<(), Failure> {
    if new.is_none() && !io::stdin().is_terminal() {
        let failure = Failure::new(Exit::Usage, "VAULT", "there is no terminal to ask for the new passphrase on");
        return Err(failure.hint("name a file with --new-passphrase-file".to_owned()));
    }
    let _lock = stopped_node::lock(config, STOP_FIRST)?;
    let options = config.vault_options();
    let changed =
        change_passphrase(&options, PassphraseSource::new(new, None), &mut go_on).map_err(|error| failed(&error))?;
    // What is done is said in any case, so that nobody looks for the old passphrase.
    let noted = audit_note::leave(config, "vault.passwd", &json!({"items": changed.items}));
    format.print(&as_json(&changed), |_| match options.passphrase.file() {
        Some(file) => format!("The passphrase is changed. Put the new one into {} now.", file.display()),
        None => "The passphrase is changed.".to_owned(),
    })?;
    noted
}

fn go_on(_: MigrationStep) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn as_json(moved: &Migrated) -> Value {
    json!({
        "from": moved.from.as_str(),
        "to": moved.to.as_str(),
        "items": moved.items,
        "leftover": moved.leftover,
    })
}

fn failed(error: &MigrateError) -> Failure {
    let exit = match error {
        MigrateError::From(OpenError::NoVault(_)) => Exit::NotFound,
        MigrateError::From(_) | MigrateError::To { .. } => Exit::Refused,
        MigrateError::AlreadyThere(_) | MigrateError::NoPassphrase(_) => Exit::Usage,
        MigrateError::Differs(_) | MigrateError::Record(_) | MigrateError::Stopped(_) => Exit::Failed,
    };
    Failure::from_error(exit, "VAULT", error).hint(error.hint())
}
