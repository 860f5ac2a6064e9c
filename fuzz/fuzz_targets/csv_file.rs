//! The target `csv_file` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("csv_file");
