//! Precedence, provenance and refusals of the configuration.

mod gateway;
mod providers;

use super::*;

struct Case {
    dir: tempfile::TempDir,
    environment: BTreeMap<String, String>,
    flags: Flags,
}

impl Case {
    fn new(file: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config.toml"), file).unwrap();
        let flags = Flags { data_dir: Some(dir.path().to_string_lossy().into_owned()), ..Flags::default() };
        Self { dir, environment: BTreeMap::new(), flags }
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::load_with(&self.flags, &self.environment)
    }

    fn refusal(&self) -> String {
        let error = self.load().expect_err("a configuration that is wrong");
        let path = self.dir.path().join("config.toml").display().to_string();
        let hint = error.hint().map(|hint| format!(" hint: {hint}")).unwrap_or_default();
        format!("{error}{hint}").replace(&path, "config.toml")
    }
}

fn place(config: &Config, key: &str) -> String {
    config.shown.iter().find(|setting| setting.key == key).unwrap().place.to_string()
}

#[test]
fn flags_win_over_environment_and_environment_over_the_file() {
    let file = "# settings\nworkers = 2\nshards = 4\nlisten = '127.0.0.1:1'\n";
    let mut case = Case::new(file).env("FLOWORK_WORKERS", "3").env("FLOWORK_LISTEN", "127.0.0.1:2");
    case.flags.listen = Some("127.0.0.1:0".to_owned());
    let config = case.load().unwrap();
    assert_eq!((config.workers, config.shards, config.gateway.listen.port()), (3, 4, 0));
    assert_eq!(place(&config, "listen"), "--listen");
    assert_eq!(place(&config, "workers"), "FLOWORK_WORKERS");
    assert!(place(&config, "shards").ends_with("config.toml:3"), "{}", place(&config, "shards"));
    assert_eq!(place(&config, "queue_hard_cap"), "default");
    assert_eq!(config.queue_hard_cap, 10_000);
}

#[test]
fn every_default_fits_its_setting() {
    let config = Case::new("").load().unwrap();
    for setting in settings::SETTINGS {
        if let Some(text) = (setting.default)() {
            assert!(setting.kind.parse_text(&text).is_some(), "{}", setting.key);
        }
    }
    assert_eq!(config.default_provider, "ollama");
    assert!((1..=8).contains(&config.workers));
}

#[test]
fn wrong_files_are_refused_with_line_and_reason() {
    let check = |file: &str, expected: &str| assert_eq!(Case::new(file).refusal(), expected, "{file}");
    check("\nworkrs = 3", "config.toml:2: there is no setting \"workrs\" hint: did you mean \"workers\"?");
    check(
        "[egress]\nallow_host = []",
        "config.toml:2: there is no setting \"egress.allow_host\" hint: did you mean \"egress.allow_hosts\"?",
    );
    check(
        "[providers.groq]\nbase_url = 'https://x/v1'\nmodle = 'm'",
        "config.toml:3: there is no setting \"providers.groq.modle\" hint: did you mean \"providers.groq.model\"?",
    );
    check("workers = 'two'", "config.toml:1: workers must be a whole number from 1 to 256, not 'two'");
    check("workers = 0", "config.toml:1: workers must be a whole number from 1 to 256, not 0");
    check("egress = 1", "config.toml:1: egress must be a table, [egress], not integer");
    check(
        "vault = 'plain'",
        "config.toml:1: vault must be one of auto, keychain, systemd, passphrase, file, not 'plain'",
    );
    check(
        "data_dir = '/x'",
        "config.toml:1: data_dir cannot be set in the file that lies in it hint: use --data-dir or FLOWORK_DATA_DIR",
    );
    check("default_provider = 'gorq'", "config.toml:1: there is no provider \"gorq\" hint: configured are: ollama");
    check(
        "[providers.x]\nmodel = 'm'",
        "config.toml:2: the provider \"x\" has no base_url hint: add base_url = \"https://…\" under [providers.x]",
    );
    assert!(Case::new("a = ").refusal().starts_with("config.toml:1: "));
    assert!(Case::new("[providers.x]\nbase_url='https://me:pw@x/'").refusal().contains("holds no password"));
}

#[test]
fn address_that_others_can_reach_is_refused() {
    let refusal = Case::new("").env("FLOWORK_LISTEN", "0.0.0.0:7717").refusal();
    assert!(refusal.starts_with("FLOWORK_LISTEN: 0.0.0.0:7717 is reachable from other machines"), "{refusal}");
    assert!(Case::new("listen = '[::1]:0'").load().is_ok());
    assert_eq!(Case::new("listen = 'localhost:81'").load().unwrap().gateway.listen.to_string(), "127.0.0.1:81");
}

#[test]
fn provider_of_the_file_joins_the_one_that_is_always_there() {
    let config =
        Case::new("[providers.groq]\nbase_url = 'https://api.groq.com/openai/v1'\nmodel = 'm'").load().unwrap();
    assert_eq!(config.providers.keys().collect::<Vec<_>>(), ["groq", "ollama"]);
    assert_eq!(config.providers["groq"].model.as_deref(), Some("m"));
}

#[test]
fn misspelled_variable_is_mentioned() {
    let config = Case::new("").env("FLOWORK_WORKRS", "3").env("FLOWORK_ENGINE_TOKEN", "t").load().unwrap();
    assert_eq!(config.notices.len(), 1);
    assert_eq!(config.notices[0].hint.as_deref(), Some("did you mean FLOWORK_WORKERS?"));
}

#[test]
fn lists_come_from_either_form() {
    let file = Case::new("[egress]\nallow_hosts = ['a', 'b:1']").load().unwrap();
    let env = Case::new("").env("FLOWORK_EGRESS_ALLOW_HOSTS", "a, b:1").load().unwrap();
    assert_eq!(file.egress_allow_hosts, ["a", "b:1"]);
    assert_eq!(env.egress_allow_hosts, file.egress_allow_hosts);
}

#[test]
fn list_items_that_could_never_match_are_refused() {
    for (file, expected) in [
        ("[gateway]\nallowed_hosts = ['http://flowork.lan']", "without http://"),
        ("[gateway]\nallowed_hosts = ['*.lan']", "without http://"),
        ("[gateway]\nallowed_origins = ['*']", "web origins"),
        ("[gateway]\nallowed_origins = ['flowork.lan']", "web origins"),
        ("[gateway]\nallowed_origins = ['https://flowork.lan/gui']", "web origins"),
        ("[egress]\nallow_hosts = ['http://nas.local']", "ranges such as"),
    ] {
        let refusal = Case::new(file).refusal();
        assert!(refusal.starts_with("config.toml:2: ") && refusal.contains(expected), "{file}: {refusal}");
    }
    let fine = "[gateway]\nallowed_hosts = ['flowork.lan', 'Flowork.lan:7717', 'nas:80', '[fd00::1]:7717']\n\
                allowed_origins = ['https://gui.example', 'http://localhost:5173/']\n\
                [egress]\nallow_hosts = ['nas.local', '10.0.0.0/8', '[::1]:80']";
    assert_eq!(Case::new(fine).load().unwrap().gateway.extra_hosts.len(), 4);
}

#[test]
fn workers_follow_the_load_unless_their_number_is_set() {
    let config = Case::new("").load().unwrap();
    let options = config.autoscale.unwrap();
    assert_eq!((options.workers_min, options.workers_max), (1, 8));
    assert_eq!(options.target_latency, Duration::from_millis(500));
    assert!((options.headroom_factor - 1.3).abs() < 1e-9);
    assert!((1..=8).contains(&config.workers));

    let config = Case::new("workers = 3\ncore_max_workers = 20").load().unwrap();
    assert_eq!((config.workers, config.autoscale), (3, None));
}

#[test]
fn autoscaler_is_set_by_its_own_variables_and_the_same_keys() {
    let case = Case::new("")
        .env("SLO_TARGET_LATENCY", "0.25")
        .env("CORE_MAX_WORKERS", "16")
        .env("CORE_MIN_WORKERS", "12")
        .env("HEADROOM_FACTOR", "2");
    let config = case.load().unwrap();
    let options = config.autoscale.unwrap();
    assert_eq!((options.workers_min, options.workers_max), (12, 16));
    assert_eq!(options.target_latency, Duration::from_millis(250));
    assert!((options.headroom_factor - 2.0).abs() < 1e-9);
    assert_eq!(place(&config, "slo_target_latency"), "SLO_TARGET_LATENCY");

    for file in [
        "slo_target_latency = 2\ncore_max_workers = 3\nheadroom_factor = 1.5",
        "SLO_TARGET_LATENCY = '2000ms'\nCORE_MAX_WORKERS = 3\nHEADROOM_FACTOR = 1.5",
        "slo_target_latency = 2.0\ncore_max_workers = 3\nheadroom_factor = 1.5",
    ] {
        let config = Case::new(file).load().unwrap();
        let options = config.autoscale.unwrap();
        assert_eq!((options.target_latency, options.workers_max), (Duration::from_secs(2), 3), "{file}");
        assert!((options.headroom_factor - 1.5).abs() < 1e-9, "{file}");
        assert!(place(&config, "slo_target_latency").ends_with("config.toml:1"), "{file}");
    }
}

#[test]
fn bounds_of_the_autoscaler_that_make_no_sense_are_refused() {
    let check = |file: &str, expected: &str| assert_eq!(Case::new(file).refusal(), expected, "{file}");
    check(
        "core_min_workers = 9",
        "config.toml:1: core_min_workers must be no more than core_max_workers, which is 8, not 9",
    );
    check("headroom_factor = 0.5", "config.toml:1: headroom_factor must be a number from 1 to 10, not 0.5");
    check("headroom_factor = nan", "config.toml:1: headroom_factor must be a number from 1 to 10, not nan");
    check(
        "slo_target_latency = 'soon'",
        "config.toml:1: slo_target_latency must be a number of seconds from 0.001 to 3600, or a duration such as 500ms, \
         not 'soon'",
    );
}

#[test]
fn retention_is_set_for_all_kinds_or_for_one() {
    let config = Case::new("").load().unwrap();
    assert_eq!(config.retention.default, Duration::from_hours(7 * 24));
    assert!(config.retention.by_kind.is_empty());
    let file =
        "[retention]\ndefault = '36h'\n[retention.kinds]\n'llm.chat' = '30d'\nmodule.csv-profile = '90m'\nnoop = '1s'";
    let config = Case::new(file).load().unwrap();
    assert_eq!(config.retention.default, Duration::from_hours(36));
    let kinds: Vec<_> = config.retention.by_kind.iter().map(|(kind, time)| (kind.as_str(), time.as_secs())).collect();
    assert_eq!(kinds, [("llm.chat", 30 * 86_400), ("module.csv-profile", 5_400), ("noop", 1)]);
    assert!(place(&config, "retention.kinds.llm.chat").ends_with("config.toml:4"));

    let refusal = Case::new("[retention.kinds]\nnoop = '0s'").refusal();
    assert_eq!(refusal, "config.toml:2: retention.kinds.noop must be a duration such as 30m, 12h or 7d, not '0s'");
    let refusal = Case::new("[retention]\ndefalt = '1d'").refusal();
    assert!(refusal.contains("did you mean \"retention.default\""), "{refusal}");
}
