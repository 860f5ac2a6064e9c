//! The target `audit_rows` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("audit_rows");
