//! Runs a module as the node does: one JSON request in, JSON lines out.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses a part of it; a test stops at the first surprise"
)]

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The last line a module wrote.
pub fn run(name: &str, inputs: &Value, allow_hosts: &[String]) -> Value {
    run_all(name, inputs, allow_hosts).pop().unwrap()
}

/// All lines a module wrote.
pub fn run_all(name: &str, inputs: &Value, allow_hosts: &[String]) -> Vec<Value> {
    let request = json!({"id": "job_x", "attempt": 1, "inputs": inputs, "policy": {"allow_hosts": allow_hosts}});
    run_raw(name, request.to_string().as_bytes())
}

/// All lines a module wrote to this input.
pub fn run_raw(name: &str, input: &[u8]) -> Vec<Value> {
    let lines = Lines::default();
    flowork_sample_modules::run_with(name, input, lines.clone());
    let bytes = lines.0.lock().unwrap();
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// The value of a result.
#[track_caller]
pub fn value(mut line: Value) -> Value {
    assert_eq!(line["type"], "result", "{line}");
    line["value"].take()
}

/// Checks that a line is an error with this code and a hint.
#[track_caller]
pub fn expect_error(line: &Value, code: &str) {
    assert_eq!((&line["type"], &line["code"]), (&json!("error"), &json!(code)), "{line}");
    assert!(line["hint"].is_string(), "an error says what to do next: {line}");
}
