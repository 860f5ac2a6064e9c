//! The target `vault_parts` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("vault_parts");
