//! The target `image_file` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("image_file");
