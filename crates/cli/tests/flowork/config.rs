//! Settings, and commands that need no node.

use crate::world::World;

#[test]
fn each_value_says_where_it_came_from() {
    let world = World::new();
    world.config("shards = 3\n");
    let mut command = world.command(&["config", "show", "--json"]);
    let output = command.env("FLOWORK_WORKERS", "2").output().unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |key: &str| {
        let settings = shown["settings"].as_array().unwrap();
        let setting = settings.iter().find(|setting| setting["key"] == key).unwrap();
        (setting["value"].clone(), setting["from"].as_str().unwrap().to_owned())
    };
    assert_eq!(of("workers"), (2.into(), "FLOWORK_WORKERS".to_owned()));
    assert_eq!(of("queue_hard_cap"), (10_000.into(), "default".to_owned()));
    assert!(of("shards").1.ends_with("config.toml:1"));
}

#[test]
fn wrong_configuration_is_exit_code_2_with_a_hint() {
    let check = |config: &str, text: &str| {
        let world = World::new();
        world.config(config);
        let outcome = world.run(&["serve"]);
        assert_eq!(outcome.code(), 2, "{}", outcome.stderr());
        assert!(outcome.stderr().contains(text), "{}", outcome.stderr());
    };
    check("worker = 2", "hint: did you mean \"workers\"?");
    check("workers = true", "config.toml:1: workers must be a whole number");
    check("listen = '0.0.0.0:80'", "gateway.beyond_loopback is not set");
    check("egress.allow_hosts = ['http://x/']", "egress.allow_hosts");
    check("log = '=='", "log");
}

#[test]
fn data_directory_that_is_a_file_is_named() {
    let world = World::new();
    std::fs::write(world.data(), "").unwrap();
    let outcome = world.run(&["serve"]);
    assert_eq!(outcome.code(), 1);
    assert!(outcome.stderr().contains("is not a directory"), "{}", outcome.stderr());
    assert!(outcome.stderr().contains("--data-dir"), "{}", outcome.stderr());
}

#[test]
fn completions_exist_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let outcome = World::new().run(&["completions", shell]);
        assert_eq!(outcome.code(), 0);
        assert!(outcome.stdout().contains("enqueue"), "{shell}");
    }
}

#[test]
fn version_names_the_database_too() {
    let outcome = World::new().run(&["--version"]);
    assert!(outcome.stdout().starts_with(concat!("flowork ", env!("CARGO_PKG_VERSION"), " (SQLite 3.")));
}

#[test]
fn help_lists_the_exit_codes() {
    let help = World::new().run(&["--help"]).stdout();
    for code in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "130"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(code)), "{code}");
    }
}

#[test]
fn usage_error_has_the_form_that_was_asked_for() {
    let outcome = World::new().run(&["job", "enqueue", "--json"]);
    assert_eq!(outcome.code(), 2);
    let error: serde_json::Value = serde_json::from_str(&outcome.stderr()).unwrap();
    assert_eq!(error["error"]["code"], "USAGE");
    assert!(error["error"]["message"].as_str().unwrap().contains("required"), "{error}");
}

#[test]
fn reader_that_goes_away_is_no_error() {
    let mut child = World::new().command(&["openapi"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}
