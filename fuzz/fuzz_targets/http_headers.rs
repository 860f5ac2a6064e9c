//! The target `http_headers` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("http_headers");
