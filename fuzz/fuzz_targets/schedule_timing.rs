//! The target `schedule_timing` as a program for `cargo fuzz`.
#![no_main]

flowork_fuzz::program!("schedule_timing");
