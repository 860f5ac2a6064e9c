//! The target `socket_messages` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("socket_messages");
