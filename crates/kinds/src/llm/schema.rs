//! The parts that the payload schemas of the kinds share.

use serde_json::{Value, json};

use super::Providers;

impl Providers {
    /// `provider`, with the names there are.
    pub(crate) fn provider_schema(&self) -> Value {
        let names: Vec<&str> = self.names().collect();
        let mut schema = json!({
            "type": "string", "title": "Provider",
            "description": "A name from providers in config.toml."
        });
        if let Some(name) = self.default_name() {
            schema["default"] = name.into();
        }
        if !names.is_empty() {
            schema["examples"] = json!(names);
        }
        schema
    }

    /// `model`, with the one of the default provider.
    pub(crate) fn model_schema(default: Option<&str>) -> Value {
        let mut schema = json!({
            "type": "string", "title": "Model", "minLength": 1, "maxLength": 200,
            "description": "As the provider names it; the one of the provider's configuration, if left empty."
        });
        if let Some(name) = default {
            schema["examples"] = json!([name]);
        }
        schema
    }

    /// `fallback`.
    pub(crate) fn fallback_schema() -> Value {
        json!({
            "type": "boolean", "title": "Ask others", "default": true,
            "description": "Whether the provider's fallbacks are asked where it can't answer."
        })
    }
}
