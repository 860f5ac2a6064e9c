//! The target `module_output` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("module_output");
