//! `flowork key address`, `flowork key export` and `flowork key import`

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use flowork_engine::clock::wall_now;
use flowork_identity::{
    checksummed,
    keystore::{self, KeystoreError, PASSPHRASE_CHARS_MIN},
};
use flowork_node::{
    Config, LockError,
    owner_key::{self, OwnerKeyAccessError},
};
use flowork_vault::Secret;
use serde_json::json;

use crate::{
    audit_note,
    exit::{Exit, Failure},
    output::Format,
    private_file::create_new,
};

/// Names the file with the passphrase of a keystore file.
const PASSPHRASE_FILE: &str = "FLOWORK_KEYSTORE_PASSPHRASE_FILE";
const PASSPHRASE_BYTES_MAX: u64 = 4 << 10;

/// Show, back up and replace the owner's own key
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "The passphrase of a keystore file is asked for on a terminal, or read from the file that \
                        FLOWORK_KEYSTORE_PASSPHRASE_FILE names.")]
pub(crate) enum Command {
    /// Print the address of the owner's key
    Address,
    /// Write the owner's key to a keystore file (version 3), encrypted with a new passphrase
    Export {
        /// The file to make; one that is there is left alone
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Put the key of a keystore file in the place of the owner's, while the node is stopped
    Import {
        /// A file of `flowork key export`, or a wallet's JSON keystore
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

pub(super) async fn run(command: Command, config: &Config, format: Format) -> Result<(), Failure> {
    match command {
        Command::Address => {
            let address = checksummed(owner_key::read(config).map_err(|error| no_key(&error))?.address());
            format.print(&json!({"address": address}), |_| address.clone())
        }
        Command::Export { out } => export(&out, config, format),
        Command::Import { file } => import(&file, config, format).await,
    }
}

fn export(out: &Path, config: &Config, format: Format) -> Result<(), Failure> {
    // Before the passphrase is asked for.
    if out.exists() {
        let message = format!("{} is there already", out.display());
        return Err(Failure::new(Exit::Usage, "FILE_EXISTS", message).hint("name another file".to_owned()));
    }
    let key = owner_key::read(config).map_err(|error| no_key(&error))?;
    let passphrase = new_passphrase()?;
    let text = keystore::export(&key, text_of(&passphrase)?).map_err(|error| bad_keystore(&error))?;
    write_new(out, &text).map_err(|error| {
        let message = format!("cannot write {}: {error}", out.display());
        Failure::new(Exit::Failed, "OUTPUT", message).hint("name a file in a directory that is yours".to_owned())
    })?;
    let address = checksummed(key.address());
    audit_note::leave(config, "key.export", &json!({"address": address})).inspect_err(|_| {
        // That it stays, where it does, is worth less than why nothing was exported.
        let _ = fs::remove_file(out);
    })?;
    format.print(&json!({"address": address, "file": out.display().to_string()}), |_| {
        format!(
            "The key of {address} is in {}. Keep it apart from its passphrase: whoever has both is the owner.",
            out.display()
        )
    })
}

async fn import(file: &Path, config: &Config, format: Format) -> Result<(), Failure> {
    let text = read_keystore(file)?;
    let passphrase = known_passphrase()?;
    let key = keystore::import(&text, text_of(&passphrase)?).map_err(|error| bad_keystore(&error))?;
    let old = owner_key::replace(config, &key, wall_now()).await.map_err(|error| no_key(&error))?;
    let (address, old) = (checksummed(key.address()), old.map(checksummed));
    format.print(&json!({"address": address, "replaced": old}), |_| match &old {
        Some(old) if *old == address => format!("The owner's key is that of {address} already."),
        Some(old) => format!("The owner's key is that of {address} now. That of {old} is gone."),
        None => format!("The owner's key is that of {address} now."),
    })
}

fn read_keystore(file: &Path) -> Result<String, Failure> {
    let refused = |reason: String| {
        let message = format!("cannot read {}: {reason}", file.display());
        Failure::new(Exit::NotFound, "INPUT", message)
            .hint("name a keystore file that this account may read".to_owned())
    };
    let length = fs::metadata(file).map_err(|error| refused(error.to_string()))?.len();
    if length > keystore::FILE_BYTES_MAX as u64 {
        return Err(bad_keystore(&KeystoreError::Form));
    }
    fs::read_to_string(file).map_err(|error| refused(error.to_string()))
}

fn known_passphrase() -> Result<Secret, Failure> {
    match passphrase_of_file()? {
        Some(passphrase) => Ok(passphrase),
        None => ask("Passphrase of the keystore file (not shown): "),
    }
}

fn new_passphrase() -> Result<Secret, Failure> {
    if let Some(passphrase) = passphrase_of_file()? {
        return Ok(passphrase);
    }
    let passphrase = ask(&format!("New passphrase, at least {PASSPHRASE_CHARS_MIN} characters (not shown): "))?;
    if ask("The same again: ")? == passphrase {
        return Ok(passphrase);
    }
    Err(Failure::new(Exit::Usage, "PASSPHRASE", "the two passphrases differ").hint("try again".to_owned()))
}

/// All of the file but the line's end.
fn passphrase_of_file() -> Result<Option<Secret>, Failure> {
    let Some(path) = std::env::var_os(PASSPHRASE_FILE).map(PathBuf::from) else { return Ok(None) };
    let refused = |reason: String| {
        let message = format!("cannot read the passphrase in {}: {reason}", path.display());
        Failure::new(Exit::Usage, "PASSPHRASE", message).hint(format!("{PASSPHRASE_FILE} names the file"))
    };
    let length = fs::metadata(&path).map_err(|error| refused(error.to_string()))?.len();
    if length > PASSPHRASE_BYTES_MAX {
        return Err(refused(format!("it has more than {PASSPHRASE_BYTES_MAX} bytes")));
    }
    let bytes = Secret::new(fs::read(&path).map_err(|error| refused(error.to_string()))?);
    let text = bytes.expose();
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    Ok(Some(Secret::new(text.strip_suffix(b"\r").unwrap_or(text).to_vec())))
}

fn ask(prompt: &str) -> Result<Secret, Failure> {
    if !io::stdin().is_terminal() {
        let failure = Failure::new(Exit::Usage, "PASSPHRASE", "there is no terminal to ask for the passphrase on");
        return Err(failure.hint(format!("name a file that holds it with {PASSPHRASE_FILE}")));
    }
    let typed =
        rpassword::prompt_password(prompt).map_err(|error| Failure::from_error(Exit::Failed, "INPUT", &error))?;
    Ok(Secret::new(typed.into_bytes()))
}

fn text_of(passphrase: &Secret) -> Result<&str, Failure> {
    passphrase.expose_str().ok_or_else(|| {
        Failure::new(Exit::Usage, "PASSPHRASE", "the passphrase is not UTF-8 text")
            .hint("write it in a file of plain text".to_owned())
    })
}

/// Only its owner can read it, from the first byte on.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = create_new(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key helps nobody; that it stays is said by the error that follows.
        let _ = fs::remove_file(path);
    }
    written
}

fn no_key(error: &OwnerKeyAccessError) -> Failure {
    let (exit, code) = match error {
        OwnerKeyAccessError::NoKey(_) | OwnerKeyAccessError::Open(flowork_vault::OpenError::NoVault(_)) => {
            (Exit::NotFound, "VAULT")
        }
        OwnerKeyAccessError::Lock(LockError::Held { .. }) => (Exit::Taken, "NODE_RUNNING"),
        OwnerKeyAccessError::Open(_) | OwnerKeyAccessError::Vault(_) | OwnerKeyAccessError::Damaged(_) => {
            (Exit::Refused, "VAULT")
        }
        _ => (Exit::Failed, "OWNER_KEY"),
    };
    Failure::from_error(exit, code, error).hint(error.hint())
}

fn bad_keystore(error: &KeystoreError) -> Failure {
    let exit = if matches!(error, KeystoreError::Passphrase) { Exit::Refused } else { Exit::Usage };
    Failure::from_error(exit, "KEYSTORE", error).hint(error.hint())
}
