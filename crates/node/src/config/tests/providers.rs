//! `[providers.<name>]` and `[commands]`.

use std::time::Duration;

use super::*;

#[test]
fn a_provider_takes_its_settings_and_has_defaults() {
    let file = "default_provider = 'claude'\n\
                [providers.claude]\napi = 'anthropic'\nmodel = 'm'\nfallback = ['groq', 'ollama']\nmax_retries = 0\n\
                concurrency = 4\nrequests_per_minute = 50\ntimeout_ms = 20000\n\
                [providers.groq]\nbase_url = 'https://api.groq.com/openai/v1'\nembed_model = 'e'";
    let config = Case::new(file).load().unwrap();
    let claude = &config.providers["claude"];
    assert_eq!((claude.api, claude.base_url.as_str()), (Api::Anthropic, "https://api.anthropic.com/v1"));
    assert_eq!((claude.fallback.join(","), claude.max_retries), ("groq,ollama".to_owned(), 0));
    assert_eq!((claude.concurrency, claude.requests_per_minute), (Some(4), Some(50)));
    assert_eq!(claude.timeout, Duration::from_secs(20));
    let groq = &config.providers["groq"];
    assert_eq!((groq.api, groq.embed_model.as_deref(), groq.max_retries), (Api::OpenAi, Some("e"), 2));
    assert_eq!((groq.concurrency, groq.requests_per_minute, groq.fallback.len()), (None, None, 0));
    assert!(place(&config, "providers.claude.fallback").ends_with("config.toml:5"));
}

#[test]
fn wrong_providers_are_refused_with_line_and_reason() {
    let check = |file: &str, expected: &str| assert_eq!(Case::new(file).refusal(), expected, "{file}");
    let base = "[providers.x]\nbase_url = 'https://x/v1'\n";
    check(
        &format!("{base}fallback = ['y']"),
        "config.toml:3: there is no provider \"y\" hint: configured are: ollama, x",
    );
    let expected = "config.toml:3: providers.x.fallback must be other providers, each once, not";
    check(&format!("{base}fallback = ['x']"), &format!("{expected} \"x\""));
    check(&format!("{base}fallback = ['ollama', 'ollama']"), &format!("{expected} \"ollama\""));
    check(
        &format!("{base}api = 'gemini'"),
        "config.toml:3: providers.x.api must be one of openai, anthropic, not 'gemini'",
    );
    check(
        &format!("{base}concurrency = 0"),
        "config.toml:3: providers.x.concurrency must be a whole number from 1 to 10000, not 0",
    );
    check(
        &format!("{base}max_retries = 11"),
        "config.toml:3: providers.x.max_retries must be a whole number from 0 to 10, not 11",
    );
}

#[test]
fn programs_are_off_and_nothing_is_listed_by_default() {
    let commands = Case::new("").load().unwrap().commands;
    let nothing = CommandsConfig {
        enabled: false,
        programs: Vec::new(),
        env: Vec::new(),
        work_dirs: Vec::new(),
        memory_mb: 2048,
    };
    assert_eq!(commands, nothing);
}

#[cfg(unix)]
#[test]
fn programs_are_listed_by_absolute_paths() {
    let file =
        "[commands]\nenabled = true\nprograms = ['/bin/date']\nenv = ['LANG']\nwork_dirs = ['/srv']\nmemory_mb = 64";
    let commands = Case::new(file).load().unwrap().commands;
    assert!(commands.enabled && commands.programs == [PathBuf::from("/bin/date")] && commands.memory_mb == 64);
    let by_environment = Case::new("").env("FLOWORK_COMMANDS_ENABLED", "true").load().unwrap();
    assert!(by_environment.commands.enabled);
    for (file, expected) in [
        ("[commands]\nenabled = 1", "true or false"),
        ("[commands]\nenabled = 'yes'", "true or false"),
        ("[commands]\nprograms = ['date']", "absolute paths"),
        ("[commands]\nprograms = '/bin/date'", "absolute paths"),
        ("[commands]\nwork_dirs = ['./here']", "absolute paths"),
        ("[commands]\nenv = ['LD_PRELOAD']", "names of variables"),
        ("[commands]\nenv = ['dyld_insert_libraries']", "names of variables"),
        ("[commands]\nenv = ['A=B']", "names of variables"),
        ("[commands]\nenv = ['']", "names of variables"),
        ("[commands]\nmemory_mb = 1", "a whole number from 16"),
        ("[commands]\nprogram = ['/bin/date']", "commands.programs"),
    ] {
        let refusal = Case::new(file).refusal();
        assert!(refusal.starts_with("config.toml:2: ") && refusal.contains(expected), "{file}: {refusal}");
    }
}
