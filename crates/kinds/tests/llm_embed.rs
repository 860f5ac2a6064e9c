//! `llm.embed` against servers that speak the protocol.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/server.rs"]
mod server;

use flowork_egress::EgressPolicy;
use flowork_engine::KindRegistry;
use flowork_kinds::{Api, KindsOptions, Provider, ProviderOptions, Providers, register_builtin};
use flowork_test_support::{LlmBehavior, LlmStandIn};
use serde_json::{Value, json};
use server::{Server, answer, expect_failure, run};

fn options(url: &str, model: &str) -> ProviderOptions {
    ProviderOptions { embed_model: Some(model.to_owned()), max_retries: 0, ..ProviderOptions::new(url) }
}

fn registry(providers: Vec<(&str, ProviderOptions)>) -> KindRegistry {
    let first = providers[0].0.to_owned();
    let by_name = providers.into_iter().map(|(name, options)| (name.to_owned(), Provider::new(options).unwrap()));
    let providers = Providers::new(by_name.collect(), Some(first));
    let registry = KindRegistry::default();
    register_builtin(&registry, KindsOptions { egress: EgressPolicy::default(), providers, commands: None }).unwrap();
    registry
}

#[tokio::test]
async fn each_text_gets_its_vector_in_order() {
    let stand_in = LlmStandIn::start(LlmBehavior::Embed(3)).await.unwrap();
    let registry = registry(vec![("one", options(stand_in.url(), "embedder"))]);
    let result = run(&registry, "llm.embed", json!({"input": ["a", "bb", "ccc"], "dimensions": 3})).await.0.unwrap();
    // The stand-in answers in reverse order.
    assert_eq!(result["embeddings"], json!([[1.0, 0.0, 0.0], [2.0, 1.0, 0.0], [3.0, 2.0, 0.0]]));
    assert_eq!(
        (&result["dimensions"], &result["model"], &result["provider"]),
        (&json!(3), &json!("embedder"), &json!("one"))
    );
    assert_eq!(result["usage"], json!({"prompt_tokens": 3, "total_tokens": 3}));
    let one = run(&registry, "llm.embed", json!({"input": "four", "model": "other"})).await.0.unwrap();
    assert_eq!(one["embeddings"], json!([[4.0, 0.0, 0.0]]));
    let requests = stand_in.requests().await;
    assert_eq!((&requests[0].1["model"], &requests[0].1["dimensions"]), (&json!("embedder"), &json!(3)));
    assert_eq!((&requests[1].1["model"], &requests[1].1["input"]), (&json!("other"), &json!(["four"])));
}

#[tokio::test]
async fn only_who_has_the_same_model_stands_in() {
    let down = LlmStandIn::start(LlmBehavior::Refuse(500, None)).await.unwrap();
    let other = LlmStandIn::start(LlmBehavior::Embed(2)).await.unwrap();
    let same = LlmStandIn::start(LlmBehavior::Embed(2)).await.unwrap();
    let fallback = vec!["other".to_owned(), "same".to_owned()];
    let registry = registry(vec![
        ("down", ProviderOptions { fallback, ..options(down.url(), "embedder") }),
        ("other", options(other.url(), "another")),
        ("same", options(same.url(), "embedder")),
    ]);
    let result = run(&registry, "llm.embed", json!({"input": "a"})).await.0.unwrap();
    assert_eq!(result["provider"], "same");
    assert!(other.requests().await.is_empty(), "its vectors could not be compared with those of the first");
}

#[tokio::test]
async fn vectors_that_do_not_fit_into_a_result_are_refused_clearly() {
    let stand_in = LlmStandIn::start(LlmBehavior::Embed(4096)).await.unwrap();
    let registry = registry(vec![("one", options(stand_in.url(), "embedder"))]);
    let outcome = run(&registry, "llm.embed", json!({"input": vec!["text"; 200]})).await.0;
    expect_failure(&outcome, "RESULT_TOO_LARGE", false);
    let message = outcome.unwrap_err().error.message;
    assert!(message.contains("200 texts") && message.contains("would fit"), "{message}");
    let some = run(&registry, "llm.embed", json!({"input": vec!["text"; 50]})).await.0.unwrap();
    assert!(some.to_string().len() < 1 << 20);
}

#[tokio::test]
async fn what_can_not_be_embedded_says_why() {
    let stand_in = LlmStandIn::start(LlmBehavior::Embed(3)).await.unwrap();
    let claude = ProviderOptions { api: Api::Anthropic, ..options(stand_in.url(), "m") };
    let no_model = ProviderOptions { embed_model: None, ..options(stand_in.url(), "m") };
    let registry = registry(vec![("claude", claude), ("bare", no_model)]);
    expect_failure(&run(&registry, "llm.embed", json!({"input": "a"})).await.0, "EMBEDDINGS_NOT_SUPPORTED", false);
    let outcome = run(&registry, "llm.embed", json!({"input": "a", "provider": "bare"})).await.0;
    expect_failure(&outcome, "NO_MODEL", false);
    assert!(outcome.unwrap_err().error.hint.unwrap().contains("providers.bare.embed_model"));
    let kind = registry.get("llm.embed").unwrap();
    let wrong: [Value; 5] =
        [json!({}), json!({"input": ""}), json!({"input": []}), json!({"input": 7}), json!({"input": vec!["x"; 257]})];
    for payload in wrong {
        assert!(kind.check(&payload).is_err(), "{payload}");
    }
}

#[tokio::test]
async fn answers_that_are_no_embeddings_are_told_apart() {
    for body in [
        "{}",
        "[",
        r#"{"data":[]}"#,
        r#"{"data":[{"index":0,"embedding":[1.0]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1.0]},{"index":7,"embedding":[1.0]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1.0]},{"index":1,"embedding":[1.0,2.0]}]}"#,
        r#"{"data":[{"index":0,"embedding":[]},{"index":1,"embedding":[]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1e300]},{"index":1,"embedding":[1.0]}]}"#,
    ] {
        let server = Server::start(answer(200, "content-type: application/json\r\n", body)).await;
        let registry = registry(vec![("one", options(&server.url("/v1"), "m"))]);
        let outcome = run(&registry, "llm.embed", json!({"input": ["a", "b"]})).await.0;
        expect_failure(&outcome, "PROVIDER_INVALID_ANSWER", false);
    }
}
