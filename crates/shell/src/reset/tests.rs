use std::collections::BTreeMap;

use flowork_node::Flags;

use super::*;

/// Directories of one data directory that was in use.
struct Used {
    root: tempfile::TempDir,
    config: ResetTarget,
}

fn used() -> Used {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name).to_string_lossy().into_owned();
    let environment = BTreeMap::from([
        ("FLOWORK_DATA_DIR".to_owned(), path("data")),
        ("FLOWORK_VAULT".to_owned(), "file".to_owned()),
        ("FLOWORK_VAULT_KEY_DIR".to_owned(), path("keys")),
    ]);
    let config = Config::load_with(&Flags::default(), &environment).unwrap();
    let data_dir = &config.data_dir;
    for directory in ["shards/1", "logs", "modules/mine", "window/cache"] {
        fs::create_dir_all(data_dir.join(directory)).unwrap();
    }
    for file in ["control.db", "control.db-wal", "shards/1/0.db", "modules/mine/module.toml", "desktop.toml"] {
        fs::write(data_dir.join(file), "1234567890").unwrap();
    }
    let vault = Vault::open_or_create(config.vault_options()).unwrap();
    vault.set("provider/x", &flowork_vault::Secret::new(b"hidden".to_vec())).unwrap();
    Used { root, config: ResetTarget::of(&config) }
}

/// Every path below a directory.
fn all(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(directory).unwrap() {
        if path.is_dir() {
            found.extend(all(&path));
        }
        found.push(path);
    }
    found
}

#[test]
fn plan_names_everything_and_no_secret() {
    let Used { root: _root, config } = used();
    let plan = plan(&config).unwrap();
    assert_eq!(plan.vault.as_deref(), Some("file"));
    assert_eq!(plan.secrets, ["provider/x"]);
    assert!(plan.kept.is_empty(), "{:?}", plan.kept);
    let what = |what| plan.items.iter().filter(|item| item.what == what).map(|item| item.bytes).collect::<Vec<_>>();
    assert_eq!(what("reset-accounts"), [10, 10], "a store and its log");
    assert_eq!(what("reset-jobs"), [10], "a directory with all that is in it");
    assert_eq!(what("reset-vault-key").len(), 1);
    assert!(!format!("{plan:?}").contains("hidden"));
}

#[test]
fn reset_leaves_nothing() {
    let Used { root, config } = used();
    let plan = plan(&config).unwrap();
    let done = carry_out_with(&config, &plan, None).unwrap();
    assert!(done.left.is_empty(), "{:?}", done.left);
    assert!(done.bytes >= plan.bytes());
    assert_eq!(all(root.path()), [root.path().join("keys")], "the directory that somebody chose for keys is theirs");
    assert!(super::plan(&config).unwrap().items.is_empty());
}

#[test]
fn what_is_not_floworks_stays_and_is_said() {
    let Used { root, config } = used();
    let mine = config.data_dir.join("thesis.txt");
    fs::write(&mine, "mine").unwrap();
    #[cfg(unix)]
    {
        let elsewhere = root.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("photo"), "mine").unwrap();
        std::os::unix::fs::symlink(&elsewhere, config.data_dir.join("snapshots")).unwrap();
    }
    let plan = plan(&config).unwrap();
    assert!(plan.kept.contains(&mine));
    carry_out_with(&config, &plan, None).unwrap();
    assert_eq!(entries(&config.data_dir).unwrap(), [mine], "and its directory with it");
    #[cfg(unix)]
    {
        assert!(plan.kept.contains(&root.path().join("elsewhere")));
        assert!(root.path().join("elsewhere/photo").exists(), "what a link leads to is not in the directory");
    }
}

#[test]
fn what_only_begins_like_floworks_stays() {
    let Used { root: _root, config } = used();
    let mine = |name: &str| config.data_dir.join(name);
    for directory in ["vault-notes", "vault-0123"] {
        fs::create_dir(mine(directory)).unwrap();
    }
    for file in ["control.db.mybackup", "audit.db-old", "instance.lock.note", ".write-probe-x", "vault-mine.enc"] {
        fs::write(mine(file), "mine").unwrap();
    }
    for file in ["audit.db-shm", "sync.db-journal", ".write-probe-17", "vault-0123456789abcdef0123456789abcdef.enc"] {
        fs::write(mine(file), "Flowork's").unwrap();
    }
    let plan = plan(&config).unwrap();
    carry_out_with(&config, &plan, None).unwrap();
    let left = [
        ".write-probe-x",
        "audit.db-old",
        "control.db.mybackup",
        "instance.lock.note",
        "vault-0123",
        "vault-mine.enc",
        "vault-notes",
    ];
    assert_eq!(entries(&config.data_dir).unwrap(), left.map(mine));
    assert_eq!(plan.kept, left.map(mine), "and it is said before");
}

#[test]
fn only_what_was_shown_is_deleted() {
    let Used { root: _root, config } = used();
    let plan = plan(&config).unwrap();
    fs::create_dir(config.data_dir.join("run")).unwrap();
    let mut shown = super::plan(&config).unwrap();
    shown.items.retain(|item| !item.path.ends_with("run"));
    assert_eq!(shown.items, plan.items);
    shown.items.push(ResetItem { path: config.data_dir.join(".write-probe-1"), what: "reset-run", bytes: 0 });
    fs::write(config.data_dir.join("control.db-shm"), "").unwrap();
    carry_out_with(&config, &shown, None).unwrap();
    let run = config.data_dir.join("run");
    assert_eq!(entries(&config.data_dir).unwrap(), [run], "a database takes along what is beside it");
}

#[test]
fn settings_that_cannot_be_read_are_no_hindrance() {
    let Used { root: _root, config } = used();
    fs::write(config.data_dir.join("config.toml"), "workers = [").unwrap();
    let flags = Flags { data_dir: Some(config.data_dir.to_string_lossy().into_owned()), ..Flags::default() };
    assert!(Config::load(&flags).is_err());
    let target = ResetTarget::find(&flags).unwrap();
    assert_eq!(target.data_dir, config.data_dir);
    let plan = plan(&target).unwrap();
    assert!(plan.items.iter().any(|item| item.what == "reset-config"), "{plan:?}");
    assert!(plan.items.iter().any(|item| item.what == "reset-vault"), "{plan:?}");
}

#[test]
fn what_came_after_the_plan_is_not_deleted() {
    let Used { root, config } = used();
    let plan = plan(&config).unwrap();
    fs::write(config.data_dir.join("sync.db"), "").unwrap();
    let before = all(root.path());
    assert!(matches!(carry_out_with(&config, &plan, None), Err(ResetError::Changed)));
    let after = all(root.path());
    assert!(before.iter().all(|path| after.contains(path)), "nothing was deleted");
    fs::remove_file(config.data_dir.join("sync.db")).unwrap();
    fs::remove_file(config.data_dir.join("control.db-wal")).unwrap();
    carry_out_with(&config, &plan, None).expect("files that are gone are no change");
}

#[test]
fn nothing_is_deleted_under_a_running_node() {
    let Used { root, config } = used();
    let plan = plan(&config).unwrap();
    let before = all(root.path()).len();
    let held = InstanceLock::take(&config.data_dir, Timestamp(0)).unwrap();
    assert!(matches!(carry_out_with(&config, &plan, None), Err(ResetError::Lock(_))));
    assert!(all(root.path()).len() >= before);
    drop(held);
    let plan = super::plan(&config).unwrap();
    carry_out_with(&config, &plan, None).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn entry_that_starts_the_app_on_this_data_goes_along() {
    let Used { root, config } = used();
    let autostart = Autostart::new(PathBuf::from("/usr/bin/flowork-desktop"), &root.path().join("config"));
    let autostart = autostart.with_data_dir(&config.data_dir).unwrap();
    autostart.set(true).unwrap();
    let plan = plan_without_secrets(&config, Some(&autostart)).unwrap();
    assert_eq!(plan.items.last().unwrap().what, "reset-autostart");
    carry_out_with(&config, &plan, Some(&autostart)).unwrap();
    assert!(!autostart.is_on().unwrap());
}
