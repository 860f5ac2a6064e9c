//! The target `http_body` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("http_body");
