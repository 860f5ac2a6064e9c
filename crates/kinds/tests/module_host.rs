//! The modules directory is followed while the node runs.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{fs, path::Path, time::Duration};

use flowork_engine::KindRegistry;
use flowork_kinds::{ModuleHost, ModuleOptions, Template, check_module, new_module};
use serde_json::json;

/// Waits until the registry is as wanted.
async fn until(registry: &KindRegistry, what: &str, wanted: impl Fn(&KindRegistry) -> bool) {
    let mut changes = registry.subscribe();
    let waiting = async {
        while !wanted(registry) {
            changes.changed().await.unwrap();
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), waiting).await.is_ok(), "never: {what}");
}

fn start(dir: &Path) -> (ModuleHost, KindRegistry) {
    let registry = KindRegistry::default();
    (ModuleHost::start(dir, registry.clone(), ModuleOptions::default()).unwrap(), registry)
}

#[tokio::test]
async fn modules_come_change_break_and_go_while_running() {
    let dir = tempfile::tempdir().unwrap();
    let modules = dir.path().join("modules");
    new_module(&modules, "first", Template::Shell).unwrap();
    let (host, registry) = start(&modules);
    assert!(registry.get("module.first").is_some(), "what is there is registered before start returns");
    assert_eq!(host.notice(), None);

    new_module(&modules, "second", Template::Shell).unwrap();
    until(&registry, "a new module", |registry| registry.get("module.second").is_some()).await;

    let manifest = modules.join("second/manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("Counts the words", "Weighs the words")).unwrap();
    until(&registry, "a changed description", |registry| {
        registry.get("module.second").is_some_and(|kind| kind.kind.descriptor().description.starts_with("Weighs"))
    })
    .await;

    fs::write(&manifest, text.replace("\"version\"", "\"verison\"")).unwrap();
    until(&registry, "a broken module", |registry| registry.broken_modules().len() == 1).await;
    let broken = &registry.broken_modules()[0];
    assert_eq!(broken.id, "second");
    assert!(broken.reason.contains("verison") && broken.hint.as_ref().unwrap().contains("version"), "{broken:?}");
    assert!(registry.get("module.second").is_none());
    assert!(registry.get("module.first").is_some(), "others are not touched");

    fs::write(&manifest, &text).unwrap();
    until(&registry, "a mended module", |registry| {
        registry.get("module.second").is_some() && registry.broken_modules().is_empty()
    })
    .await;

    fs::remove_dir_all(modules.join("first")).unwrap();
    until(&registry, "a removed module", |registry| registry.get("module.first").is_none()).await;
    host.stop().await;
}

#[tokio::test]
async fn broken_and_hidden_folders_do_not_stop_the_others() {
    let dir = tempfile::tempdir().unwrap();
    new_module(dir.path(), "good", Template::Shell).unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    fs::create_dir(dir.path().join(".hidden")).unwrap();
    fs::write(dir.path().join("a-file"), "x").unwrap();
    let (_host, registry) = start(dir.path());
    let names: Vec<_> = registry.descriptors().into_iter().map(|kind| kind.name).collect();
    assert_eq!(names, ["module.good"]);
    let broken: Vec<_> = registry.broken_modules().into_iter().map(|module| module.id).collect();
    assert_eq!(broken, ["empty"]);
}

#[tokio::test]
async fn templates_pass_their_own_check() {
    let dir = tempfile::tempdir().unwrap();
    for (template, interpreter) in
        [(Template::Python, "python3"), (Template::Javascript, "node"), (Template::Shell, "sh")]
    {
        let present = std::process::Command::new(interpreter).arg("--version").output().is_ok();
        let folder = new_module(dir.path(), &format!("word-count-{template}"), template).unwrap();
        let report = check_module(&folder, None, &ModuleOptions::default()).await;
        assert!(report.findings.is_empty(), "{report:?}");
        if present {
            assert!(report.ok, "{report:?}");
            assert_eq!(report.runs[0].result, Some(json!({"words": 3})), "{template}");
            assert_eq!(report.runs[0].logs[0].message, "3 words");
        }
    }
    assert!(new_module(dir.path(), "word-count-shell", Template::Shell).is_err(), "nothing is overwritten");
    assert!(new_module(dir.path(), "../x", Template::Shell).is_err());
}

#[tokio::test]
async fn a_check_names_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let folder = new_module(dir.path(), "demo", Template::Shell).unwrap();
    let report = check_module(&folder, Some(json!({"text": 7})), &ModuleOptions::default()).await;
    assert!(!report.ok && report.findings[0].message.contains("/payload/text"), "{report:?}");
    fs::write(folder.join("main.sh"), "exit 5").unwrap();
    let report = check_module(&folder, None, &ModuleOptions::default()).await;
    assert!(!report.ok);
    assert_eq!(report.runs[0].error.as_ref().unwrap().code, "MODULE_CRASHED");
    fs::write(folder.join("manifest.json"), "{").unwrap();
    let report = check_module(&folder, None, &ModuleOptions::default()).await;
    assert!(!report.ok && report.findings[0].message.contains("line 1 column"), "{report:?}");
}

#[tokio::test]
async fn the_shipped_manifests_are_valid() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/modules");
    let mut count = 0;
    for entry in fs::read_dir(shipped).unwrap() {
        let report = check_module(&entry.unwrap().path(), None, &ModuleOptions::default()).await;
        assert!(report.ok, "{report:?}");
        let findings: Vec<_> = report.findings.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(findings, ["there are no example inputs"], "they need files of the machine they run on");
        count += 1;
    }
    assert_eq!(count, 3);
}
