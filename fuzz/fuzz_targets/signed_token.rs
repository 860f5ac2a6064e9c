//! The target `signed_token` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("signed_token");
