//! The target `egress_url` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("egress_url");
