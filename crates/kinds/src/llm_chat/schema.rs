//! The payload schema of `llm.chat`. Names the configured providers, so that a form can offer them.

use serde_json::{Value, json};

use crate::llm::Providers;

pub(super) fn schema(providers: &Providers) -> Value {
    let model = providers.default_provider().and_then(|provider| provider.options.model.as_deref());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": false,
        "required": ["messages"],
        "properties": {
            "messages": {
                "type": "array", "title": "Messages", "minItems": 1, "maxItems": 1000,
                "description": "The conversation so far, oldest first.",
                "items": {
                    "type": "object", "additionalProperties": false, "required": ["role", "content"],
                    "properties": {
                        "role": {"type": "string", "title": "Role", "enum": ["user", "system", "assistant"], "default": "user"},
                        "content": {"type": "string", "title": "Text", "x-multiline": true}
                    }
                },
                "examples": [[{"role": "user", "content": "Say hello in five languages."}]]
            },
            "provider": providers.provider_schema(),
            "model": Providers::model_schema(model),
            "fallback": Providers::fallback_schema(),
            "temperature": {
                "type": "number", "title": "Temperature", "minimum": 0, "maximum": 2,
                "description": "0 is sober, 1 is lively."
            },
            "max_tokens": {
                "type": "integer", "title": "Longest answer (tokens)", "minimum": 1, "maximum": 1_000_000
            },
            "top_p": {
                "type": "number", "title": "Top p", "minimum": 0, "maximum": 1,
                "description": "Consider only the likeliest words that together reach this share."
            },
            "stop": {
                "type": "array", "title": "Stop at", "maxItems": 4, "items": {"type": "string", "minLength": 1},
                "description": "The answer ends before any of these."
            },
            "seed": {"type": "integer", "title": "Seed", "description": "The same seed gives the same answer, where the provider can."},
            "response_format": {
                "type": "object", "title": "Format of the answer", "examples": [{"type": "json_object"}],
                "description": "As the provider documents it. Anthropic has none."
            }
        }
    })
}
