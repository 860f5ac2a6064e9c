//! The target `keystore_file` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("keystore_file");
