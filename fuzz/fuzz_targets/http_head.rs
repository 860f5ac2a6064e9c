//! The target `http_head` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("http_head");
