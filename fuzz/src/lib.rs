//! Everything that reads bytes from outside, fed with what nobody would send.
//!
//! A [`Target`] takes any bytes and must come back: no panic, no hang, no answer that says the node is broken, nobody let
//! in. `cargo xtask fuzz` looks for bytes that break one, with libFuzzer; the seeds in `seeds/<target>/`, and what was
//! found once, are replayed by an ordinary test.
//!
//! Not here: whether an answer is the right one; the tests of each crate say that.

mod node;
pub mod replay;
mod targets;

pub use targets::{TARGETS, Target};

/// Feeds `data` to the target called `name`.
///
/// # Panics
/// The target found something, or there is none of this name.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target of this name").run)(data);
}

/// Makes the program that `cargo fuzz` runs for a target.
#[cfg(feature = "libfuzzer")]
#[macro_export]
macro_rules! program {
    ($name:literal) => {
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::run($name, data));
    };
}
