//! Black-box suites over the real `flowork` binary: HTTP, files, signals. Browser and desktop suites are beside, in
//! `tests/browser` and `tests/desktop`.

#![cfg(test)]

mod audit;
#[cfg(target_os = "linux")]
mod chaos;
mod commands;
mod documentation;
mod durability;
mod language_models;
mod modules;
mod recovery;
mod schedules;
#[cfg(target_os = "linux")]
mod security;
mod sync_sessions;
#[cfg(target_os = "linux")]
mod wake;
mod workers;
