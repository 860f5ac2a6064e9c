//! The target `access_token` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("access_token");
