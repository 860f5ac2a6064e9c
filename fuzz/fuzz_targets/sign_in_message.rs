//! The target `sign_in_message` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("sign_in_message");
