//! The target `module_manifest` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("module_manifest");
