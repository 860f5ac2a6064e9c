//! The target `llm_stream` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("llm_stream");
