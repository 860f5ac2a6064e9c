//! Black-box suites over the real `flowork` binary: HTTP, files, signals. Browser and desktop suites are beside, in
//! `tests/browser` and `tests/desktop`.

#![cfg(test)]

mod documentation;
mod durability;
mod language_models;
mod modules;
