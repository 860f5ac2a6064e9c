//! Where an engine's token comes from. Never an argument: those can be seen by others.

use std::path::Path;

use flowork_node::Config;
use flowork_vault::{ITEM_ENGINE_TOKEN, Vault};
use serde_json::json;

use crate::{
    exit::{Exit, Failure},
    output::Format,
    secret_input,
};

/// Where the token is looked for if no file is named.
const VARIABLE: &str = "FLOWORK_ENGINE_TOKEN";
/// Longer than any token.
const TOKEN_BYTES_MAX: usize = 1 << 10;

/// From the file, if one is named; else from the environment; else from this host's vault.
pub(super) fn read(file: Option<&Path>, config: &Config) -> Result<String, Failure> {
    let text = match (file, std::env::var(VARIABLE)) {
        (Some(path), _) => std::fs::read_to_string(path)
            .map_err(|error| missing(format!("cannot read {}: {error}", path.display())))?,
        (None, Ok(text)) => text,
        (None, Err(_)) => from_vault(config)?,
    };
    check(&text)
}

/// Puts the token in the vault. It is asked for, or read from standard input.
pub(super) fn set(config: &Config, format: Format) -> Result<(), Failure> {
    let token = secret_input::read("Token of this engine (not shown): ", TOKEN_BYTES_MAX)?;
    check(token.expose_str().unwrap_or_default())?;
    let vault = Vault::open_or_create(config.vault_options())
        .map_err(|error| Failure::from_error(Exit::Refused, "VAULT", &error).hint(error.hint()))?;
    vault
        .set(ITEM_ENGINE_TOKEN, &token)
        .map_err(|error| Failure::from_error(Exit::Failed, "VAULT", &error).hint(error.hint()))?;
    let back_end = vault.back_end().as_str();
    format.print(&json!({"stored": ITEM_ENGINE_TOKEN, "vault": back_end}), |_| {
        format!("The token is in the vault ({back_end}). `flowork engine run` finds it there.")
    })
}

fn from_vault(config: &Config) -> Result<String, Failure> {
    let none = || missing(format!("there is no token: not in {VARIABLE}, not in the vault, and no --token-file"));
    let vault = match Vault::open(config.vault_options()) {
        Ok(vault) => vault,
        Err(flowork_vault::OpenError::NoVault(_)) => return Err(none()),
        Err(error) => return Err(Failure::from_error(Exit::Refused, "VAULT", &error).hint(error.hint())),
    };
    let item = vault
        .get(ITEM_ENGINE_TOKEN)
        .map_err(|error| Failure::from_error(Exit::Failed, "VAULT", &error).hint(error.hint()))?;
    let item = item.ok_or_else(none)?;
    String::from_utf8(item.expose().to_vec()).map_err(|_| missing("the token in the vault is not text".to_owned()))
}

fn check(text: &str) -> Result<String, Failure> {
    let token = text.trim();
    if !token.starts_with("fle_") || !token.is_ascii() {
        return Err(missing("the token is not one of an engine: those begin with fle_".to_owned()));
    }
    Ok(token.to_owned())
}

fn missing(message: String) -> Failure {
    Failure::new(Exit::Usage, "NO_ENGINE_TOKEN", message).hint(
        "`flowork engine create NAME` on the node's host prints one; `flowork engine set-token` keeps it".to_owned(),
    )
}
