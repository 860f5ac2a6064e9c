//! What a start that ends too early leaves, and what is missed later, on a real vault.

use std::{collections::BTreeMap, fs, path::Path};

use super::*;
use crate::Flags;

/// A node whose vault has a key file beside it.
fn config_in(directory: &Path) -> Config {
    let text = |name: &str| directory.join(name).to_string_lossy().into_owned();
    let flags = Flags { data_dir: Some(text("data")), ..Flags::default() };
    let environment = [("FLOWORK_VAULT", "file".to_owned()), ("FLOWORK_VAULT_KEY_DIR", text("keys"))];
    let environment: BTreeMap<_, _> = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Config::load_with(&flags, &environment).unwrap()
}

fn keys_of(config: &Config) -> AuditKeys {
    AuditKeys::get_or_make(&Arc::new(Vault::open_or_create(config.vault_options()).unwrap())).unwrap()
}

/// Opens the log as a start does, closes it, and gives the codes of what the owner is told.
async fn codes_of_a_start(config: &Config, data_dir: &DataDir) -> Vec<String> {
    let notices = Arc::new(RwLock::default());
    let audit = start(config, data_dir, &Clock::System, keys_of(config), &notices, &Events::default()).await.unwrap();
    audit.close().await;
    let notices = notices.read().unwrap();
    notices.iter().map(|notice: &Notice| notice.code.clone()).collect()
}

#[tokio::test]
async fn a_first_start_that_ended_before_the_first_entry_raises_no_alarm_and_a_log_that_is_gone_does() {
    let directory = tempfile::tempdir().unwrap();
    let config = config_in(directory.path());
    let data_dir = DataDir::prepare(&config.data_dir).unwrap();
    drop(keys_of(&config));
    assert!(codes_of_a_start(&config, &data_dir).await.is_empty(), "the key was there and no log");
    assert!(codes_of_a_start(&config, &data_dir).await.is_empty());
    for file in fs::read_dir(data_dir.path()).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_string_lossy().starts_with("audit.db") {
            fs::remove_file(file.path()).unwrap();
        }
    }
    assert_eq!(codes_of_a_start(&config, &data_dir).await, ["AUDIT_LOG_GONE"]);
    assert!(codes_of_a_start(&config, &data_dir).await.is_empty());
}
