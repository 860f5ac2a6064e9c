//! The target `config_file` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("config_file");
