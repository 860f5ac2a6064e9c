//! The target `web_page` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("web_page");
