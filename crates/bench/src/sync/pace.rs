//! Instants at a steady rate. The kernel keeps them, to some ten microseconds: a timer of the asynchronous runtime goes off
//! up to a millisecond late, which would be measured as if the node had taken it.

use std::{
    thread,
    time::{Duration, Instant},
};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// One of the instants, with its number.
pub(super) struct Due {
    pub(super) number: u64,
    pub(super) at: Instant,
}

/// Tells of `count` instants when each has come, in their order. Ends early when nobody listens any more.
pub(super) fn steady(begin: Instant, gap: Duration, count: u32) -> UnboundedReceiver<Due> {
    let (sender, receiver) = unbounded_channel();
    thread::spawn(move || {
        for number in 0..count {
            let at = begin + gap * number;
            wait_until(at);
            if sender.send(Due { number: number.into(), at }).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Holds up this thread until then.
pub(super) fn wait_until(at: Instant) {
    thread::sleep(at.saturating_duration_since(Instant::now()));
}
