//! The payload schema of `command.run`. Names the programs, so that a form can offer them.

use serde_json::{Value, json};

use super::{
    CommandOptions, OUTPUT_BYTES_DEFAULT, OUTPUT_BYTES_MAX, TIMEOUT_MS_DEFAULT, TIMEOUT_MS_MAX,
    guard::{ARGS_BYTES_MAX, ARGS_MAX, STDIN_BYTES_MAX},
};

pub(super) fn schema(options: &CommandOptions) -> Value {
    let programs: Vec<_> = options.programs.iter().map(|path| path.to_string_lossy()).collect();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": false,
        "required": ["program"],
        "properties": {
            "program": {
                "type": "string", "title": "Program", "enum": programs,
                "description": "One of those that the owner lists."
            },
            "args": {
                "type": "array", "title": "Arguments", "maxItems": ARGS_MAX,
                "items": {"type": "string", "title": "Argument", "maxLength": ARGS_BYTES_MAX},
                "description": "Handed to the program as they are; there is no shell that would read them.",
                "examples": [["--version"]]
            },
            "stdin": {
                "type": "string", "title": "Input", "maxLength": STDIN_BYTES_MAX, "x-multiline": true,
                "description": "What the program reads on its standard input."
            },
            "cwd": {
                "type": "string", "title": "Folder", "minLength": 1, "maxLength": 4096,
                "description": "Where the program runs: a folder that the owner allows, or one below it. An empty folder of its own, if left empty."
            },
            "timeout_ms": {
                "type": "integer", "title": "Patience (ms)", "minimum": 1, "maximum": TIMEOUT_MS_MAX,
                "default": TIMEOUT_MS_DEFAULT, "description": "Then the program is killed with all it has started."
            },
            "output_bytes_max": {
                "type": "integer", "title": "Longest output (bytes)", "minimum": 0, "maximum": OUTPUT_BYTES_MAX,
                "default": OUTPUT_BYTES_DEFAULT, "description": "Kept of each of stdout and stderr; the rest is dropped."
            },
            "ok_exit_codes": {
                "type": "array", "title": "Good exit codes", "minItems": 1, "maxItems": 256,
                "items": {"type": "integer"}, "examples": [[0, 1]],
                "description": "Any other fails the job. Without it, only 0 is good."
            }
        }
    });
    let properties = &mut schema["properties"];
    if !options.environment.is_empty() {
        properties["env"] = json!({
            "type": "object", "title": "Variables", "additionalProperties": {"type": "string"},
            "propertyNames": {"enum": options.environment},
            "description": format!("By name. The owner allows: {}.", options.environment.join(", "))
        });
    }
    if cfg!(target_os = "linux") {
        properties["memory_mb"] = json!({
            "type": "integer", "title": "Memory (MiB)", "minimum": 1,
            "maximum": options.memory_bytes_max.map_or(1 << 30, |bytes| bytes >> 20),
            "description": "That each process may have of its own; the owner's bound, if left empty."
        });
    }
    schema
}
