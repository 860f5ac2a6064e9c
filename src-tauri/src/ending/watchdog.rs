//! The last bound of an ending: whatever hangs, the process ends.

use std::thread;
use std::time::Duration;

/// Ends the process with this code once the time is over, if it has not ended by then. It depends on nothing: neither the
/// windows' thread nor the one that stops the node has to do anything for it. What a node has promised is on the disk, so that
/// the next start finds the rest in its queues, as after a crash.
pub(crate) fn ends_within(time: Duration, code: u8) {
    let watch = move || {
        thread::sleep(time);
        tracing::error!("the app hangs at its end and is cut off");
        eprintln!("error: the app hung at its end and was cut off; jobs that ran will run again");
        std::process::exit(i32::from(code));
    };
    if let Err(error) = thread::Builder::new().name("watchdog".to_owned()).spawn(watch) {
        tracing::warn!(%error, "the end of the app has no bound");
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Says to the test that it is the process that hangs.
    const HANGS: &str = "FLOWORK_TEST_HANGS";

    #[test]
    fn process_that_hangs_is_ended_with_the_code() {
        if std::env::var_os(HANGS).is_some() {
            ends_within(Duration::from_millis(10), 3);
            loop {
                thread::park();
            }
        }
        let this = std::env::current_exe().unwrap();
        let name = "ending::watchdog::tests::process_that_hangs_is_ended_with_the_code";
        let status = Command::new(this).args(["--exact", name]).env(HANGS, "1").status().unwrap();
        assert_eq!(status.code(), Some(3));
    }
}
