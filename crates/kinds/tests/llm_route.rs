//! Who is asked, how often, and who comes next: `llm.chat` against servers that speak the protocols.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/server.rs"]
mod server;

use std::{sync::Arc, time::Duration};

use flowork_api_types::limit::LimitTarget;
use flowork_egress::EgressPolicy;
use flowork_engine::KindRegistry;
use flowork_kinds::{Api, ApiKey, KindsOptions, Provider, ProviderOptions, Providers, register_builtin};
use flowork_test_support::{LlmBehavior, LlmStandIn};
use serde_json::{Value, json};
use server::{expect_failure, run};
use tokio::{task::JoinSet, time::Instant};

const KEY: &str = "sk-canary-key";

fn options(stand_in: &LlmStandIn, model: &str) -> ProviderOptions {
    ProviderOptions {
        model: Some(model.to_owned()),
        api_key: Some(ApiKey::new(KEY.to_owned())),
        max_retries: 0,
        ..ProviderOptions::new(stand_in.url())
    }
}

/// Kinds that ask these providers, the first where a job names none.
fn registry(providers: Vec<(&str, ProviderOptions)>) -> KindRegistry {
    let first = providers[0].0.to_owned();
    let by_name = providers.into_iter().map(|(name, options)| (name.to_owned(), Provider::new(options).unwrap()));
    let providers = Providers::new(by_name.collect(), Some(first));
    let registry = KindRegistry::default();
    register_builtin(&registry, KindsOptions { egress: EgressPolicy::default(), providers, commands: None }).unwrap();
    registry
}

fn ask() -> Value {
    json!({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]})
}

fn says(text: &str) -> LlmBehavior {
    LlmBehavior::Stream(vec![text.to_owned()])
}

async fn start(script: Vec<LlmBehavior>) -> LlmStandIn {
    LlmStandIn::start_script(script).await.unwrap()
}

fn outcomes(tries: &Value) -> Vec<String> {
    let tries = tries.as_array().unwrap();
    tries
        .iter()
        .map(|one| format!("{} {}", one["provider"].as_str().unwrap(), one["outcome"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_provider_that_failed_is_asked_again() {
    let stand_in = start(vec![LlmBehavior::Refuse(500, None), LlmBehavior::Refuse(529, None), says("Hello")]).await;
    let registry = registry(vec![("one", ProviderOptions { max_retries: 2, ..options(&stand_in, "m") })]);
    let result = run(&registry, "llm.chat", ask()).await.0.unwrap();
    assert_eq!(result["content"], "Hello");
    assert_eq!(outcomes(&result["tries"]), ["one PROVIDER_ERROR", "one PROVIDER_ERROR", "one answered"]);
    assert_eq!(stand_in.requests().await.len(), 3);
}

#[tokio::test]
async fn retries_are_bounded() {
    let stand_in = start(vec![LlmBehavior::Refuse(503, None)]).await;
    let registry = registry(vec![("one", ProviderOptions { max_retries: 1, ..options(&stand_in, "m") })]);
    let (outcome, _, logs) = run(&registry, "llm.chat", ask()).await;
    expect_failure(&outcome, "PROVIDER_ERROR", true);
    assert_eq!(stand_in.requests().await.len(), 2);
    assert_eq!(outcome.unwrap_err().error.details.unwrap()["tries"].as_array().unwrap().len(), 2);
    assert!(logs[0].contains("asking again in") && !logs[1].contains("asking again"), "{logs:?}");
}

#[tokio::test]
async fn a_pause_that_was_asked_for_is_kept() {
    let stand_in = start(vec![LlmBehavior::Refuse(429, Some(1)), says("Hello")]).await;
    let registry = registry(vec![("one", ProviderOptions { max_retries: 1, ..options(&stand_in, "m") })]);
    let started = Instant::now();
    let result = run(&registry, "llm.chat", ask()).await.0.unwrap();
    assert_eq!(outcomes(&result["tries"]), ["one RATE_LIMITED", "one answered"]);
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_long_pause_ends_the_attempt_and_holds_for_all() {
    let stand_in = start(vec![LlmBehavior::Refuse(429, Some(120)), says("too early")]).await;
    let registry = registry(vec![("one", ProviderOptions { max_retries: 3, ..options(&stand_in, "m") })]);
    for _ in 0..3 {
        let outcome = run(&registry, "llm.chat", ask()).await.0;
        expect_failure(&outcome, "RATE_LIMITED", true);
        let failure = outcome.unwrap_err();
        assert!(failure.retry_after.unwrap() > Duration::from_mins(1));
        let (target, wait) = failure.throttle.expect("the queue holds the provider's jobs back");
        assert!(target == LimitTarget::Provider("one".to_owned()) && wait > Duration::from_mins(1));
    }
    assert_eq!(stand_in.requests().await.len(), 1, "nobody asks within the pause");
    let targets = |payload: Value| registry.get("llm.chat").unwrap().kind.limit_targets(&payload);
    assert_eq!(targets(ask()), [LimitTarget::Provider("one".to_owned())]);
    let elsewhere = [LimitTarget::Provider("elsewhere".to_owned())];
    assert_eq!(targets(json!({"provider": "elsewhere"})), elsewhere, "an engine elsewhere may know it");
    assert!(targets(json!({"provider": "x".repeat(256)})).is_empty(), "what is kept of a job is bounded");
}

#[tokio::test]
async fn fallbacks_are_asked_in_order_with_their_own_models() {
    let (down, locked) =
        (start(vec![LlmBehavior::Refuse(500, None)]).await, start(vec![LlmBehavior::Refuse(401, None)]).await);
    let (good, spare) = (start(vec![says("from the third")]).await, start(vec![says("never")]).await);
    let fallback = vec!["locked".to_owned(), "good".to_owned(), "spare".to_owned()];
    let registry = registry(vec![
        ("down", ProviderOptions { fallback, ..options(&down, "m1") }),
        ("locked", options(&locked, "m2")),
        ("good", options(&good, "m3")),
        ("spare", options(&spare, "m4")),
    ]);
    let mut payload = ask();
    payload["model"] = "wanted".into();
    let (outcome, progress, _) = run(&registry, "llm.chat", payload.clone()).await;
    let result = outcome.unwrap();
    assert_eq!((&result["provider"], &result["model"]), (&json!("good"), &json!("m3")));
    assert_eq!(outcomes(&result["tries"]), ["down PROVIDER_ERROR", "locked PROVIDER_AUTH_FAILED", "good answered"]);
    assert_eq!(progress.output.as_deref(), Some("from the third"));
    assert_eq!(down.requests().await[0].1["model"], "wanted");
    assert!(spare.requests().await.is_empty());

    payload["fallback"] = false.into();
    expect_failure(&run(&registry, "llm.chat", payload).await.0, "PROVIDER_ERROR", true);
    assert_eq!(good.requests().await.len(), 1, "the job wanted no other");
}

#[tokio::test]
async fn a_failure_of_all_tells_of_all() {
    let (one, two) =
        (start(vec![LlmBehavior::Refuse(401, None)]).await, start(vec![LlmBehavior::Refuse(429, Some(30))]).await);
    let registry = registry(vec![
        ("one", ProviderOptions { fallback: vec!["two".to_owned()], ..options(&one, "m") }),
        ("two", options(&two, "m")),
    ]);
    let outcome = run(&registry, "llm.chat", ask()).await.0;
    expect_failure(&outcome, "PROVIDER_AUTH_FAILED", true);
    let failure = outcome.unwrap_err();
    assert!(
        failure.error.message.contains("one refuses") && failure.error.message.contains("two wants fewer"),
        "{failure}"
    );
    assert_eq!(failure.retry_after, Some(Duration::from_secs(30)), "the one that may answer later says when");
    assert!(failure.throttle.is_none(), "the one that is wanted is not held back");
    assert_eq!(outcomes(&failure.error.details.unwrap()["tries"]), ["one PROVIDER_AUTH_FAILED", "two RATE_LIMITED"]);
}

#[tokio::test]
async fn a_request_that_is_wrong_is_not_sent_on() {
    let (strict, other) = (start(vec![LlmBehavior::Refuse(400, None)]).await, start(vec![says("never")]).await);
    let registry = registry(vec![
        ("strict", ProviderOptions { max_retries: 2, fallback: vec!["other".to_owned()], ..options(&strict, "m") }),
        ("other", options(&other, "m")),
    ]);
    expect_failure(&run(&registry, "llm.chat", ask()).await.0, "PROVIDER_REJECTED", false);
    assert_eq!((strict.requests().await.len(), other.requests().await.len()), (1, 0));
}

#[tokio::test]
async fn an_answer_that_was_cut_starts_over_without_its_first_half() {
    let overloaded = LlmBehavior::ErrorInStream("overloaded_error", "Overloaded");
    for (api, first) in [
        (Api::OpenAi, LlmBehavior::CutStream),
        (Api::Anthropic, LlmBehavior::CutStream),
        (Api::OpenAi, overloaded.clone()),
        (Api::Anthropic, overloaded),
    ] {
        let what = format!("{api:?} {first:?}");
        let stand_in = start(vec![first, says("whole")]).await;
        let registry = registry(vec![("one", ProviderOptions { api, max_retries: 1, ..options(&stand_in, "m") })]);
        let (outcome, progress, _) = run(&registry, "llm.chat", ask()).await;
        assert_eq!(outcome.unwrap()["content"], "whole", "{what}");
        assert_eq!(progress.output.as_deref(), Some("whole"), "{what}");
    }
}

#[tokio::test]
async fn a_provider_that_hangs_is_left_for_the_next() {
    let (silent, other) = (start(vec![LlmBehavior::Hang]).await, start(vec![says("Hello")]).await);
    let timeout = Duration::from_millis(200);
    let registry = registry(vec![
        ("silent", ProviderOptions { timeout, fallback: vec!["other".to_owned()], ..options(&silent, "m") }),
        ("other", options(&other, "m")),
    ]);
    let result = run(&registry, "llm.chat", ask()).await.0.unwrap();
    assert_eq!(outcomes(&result["tries"]), ["silent PROVIDER_TIMEOUT", "other answered"]);
}

#[tokio::test]
async fn a_provider_that_keeps_failing_is_left_alone_until_a_probe_gets_through() {
    let mut script = vec![LlmBehavior::Refuse(500, None); 5];
    script.push(says("back"));
    let stand_in = start(script).await;
    let registry = registry(vec![("one", options(&stand_in, "m"))]);
    for _ in 0..5 {
        expect_failure(&run(&registry, "llm.chat", ask()).await.0, "PROVIDER_ERROR", true);
    }
    let outcome = run(&registry, "llm.chat", ask()).await.0;
    expect_failure(&outcome, "PROVIDER_PAUSED", true);
    let wait = outcome.unwrap_err().retry_after.unwrap();
    assert!(wait <= Duration::from_secs(30));
    assert_eq!(stand_in.requests().await.len(), 5, "an open breaker sends nothing");
    tokio::time::pause();
    tokio::time::advance(wait).await;
    tokio::time::resume();
    for _ in 0..2 {
        assert_eq!(run(&registry, "llm.chat", ask()).await.0.unwrap()["content"], "back");
    }
}

#[tokio::test]
async fn thirty_two_attempts_keep_to_the_limit_of_their_provider() {
    let stand_in = start(vec![says("Hello")]).await;
    let registry =
        Arc::new(registry(vec![("one", ProviderOptions { concurrency: Some(3), ..options(&stand_in, "m") })]));
    let mut attempts = JoinSet::new();
    for _ in 0..32 {
        let registry = Arc::clone(&registry);
        attempts.spawn(async move { run(&registry, "llm.chat", ask()).await.0.unwrap()["content"].clone() });
    }
    assert_eq!(attempts.join_all().await, vec![json!("Hello"); 32]);
    assert!((1..=3).contains(&stand_in.most_at_once()), "{} at once", stand_in.most_at_once());
}

#[tokio::test]
async fn anthropic_is_asked_in_its_own_protocol() {
    let stand_in = start(vec![LlmBehavior::Stream(vec!["Hel".to_owned(), "lo".to_owned()])]).await;
    let registry = registry(vec![("claude", ProviderOptions { api: Api::Anthropic, ..options(&stand_in, "m") })]);
    let (outcome, progress, _) = run(&registry, "llm.chat", ask()).await;
    let result = outcome.unwrap();
    assert_eq!(
        (&result["content"], &result["finish_reason"], &result["model"]),
        (&json!("Hello"), &json!("stop"), &json!("m"))
    );
    assert_eq!(result["usage"], json!({"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}));
    assert_eq!(progress.output.as_deref(), Some("Hello"));
    let (headers, body) = stand_in.requests().await.remove(0);
    assert_eq!(
        (headers["x-api-key"].to_str().unwrap(), headers["anthropic-version"].to_str().unwrap()),
        (KEY, "2023-06-01")
    );
    assert!(!headers.contains_key("authorization"));
    assert_eq!((&body["system"], body["messages"].as_array().unwrap().len()), (&json!("Be brief."), 1));
    assert!(body["max_tokens"].is_u64() && body["stream"] == true);

    let mut payload = ask();
    payload["response_format"] = json!({"type": "json_object"});
    expect_failure(&run(&registry, "llm.chat", payload).await.0, "OPTION_NOT_SUPPORTED", false);
}

#[tokio::test]
async fn a_key_is_in_no_failure_and_in_no_log() {
    let leak = format!("your key {KEY} is bad");
    let leak_in_stream: &'static str = "your key sk-canary-key is bad";
    for behavior in [
        LlmBehavior::RefuseSaying(401, leak.clone()),
        LlmBehavior::RefuseSaying(500, leak.clone()),
        LlmBehavior::RefuseSaying(400, leak),
        LlmBehavior::ErrorInStream("api_error", leak_in_stream),
        LlmBehavior::Garbage,
        LlmBehavior::CutStream,
    ] {
        for api in [Api::OpenAi, Api::Anthropic] {
            let stand_in = start(vec![behavior.clone()]).await;
            let registry = registry(vec![("one", ProviderOptions { api, ..options(&stand_in, "m") })]);
            let (outcome, progress, logs) = run(&registry, "llm.chat", ask()).await;
            let shown = format!("{outcome:?} {progress:?} {logs:?}");
            assert!(outcome.is_err() && !shown.contains("canary"), "{shown}");
            assert!(format!("{:?}", stand_in.requests().await).contains(KEY), "it was sent");
        }
    }
}
