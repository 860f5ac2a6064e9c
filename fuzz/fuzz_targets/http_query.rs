//! The target `http_query` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("http_query");
