//! The target `access_assertion` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("access_assertion");
