//! The target `vault_files` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("vault_files");
