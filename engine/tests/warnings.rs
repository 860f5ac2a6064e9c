//! What the node warns of while a test runs: for what shows nowhere else.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::DefaultGuard,
};

/// Counts warnings and errors of one message, on the thread of a test that runs on one.
pub(crate) struct Warnings {
    count: Arc<Count>,
    _listening: DefaultGuard,
}

struct Count {
    message: &'static str,
    seen: AtomicUsize,
    more: Notify,
}

impl Warnings {
    /// Counts until it is dropped.
    pub(crate) fn listen(message: &'static str) -> Self {
        let count = Arc::new(Count { message, seen: AtomicUsize::new(0), more: Notify::new() });
        let listening = tracing::subscriber::set_default(Listener(Arc::clone(&count)));
        Self { count, _listening: listening }
    }

    pub(crate) fn seen(&self) -> usize {
        self.count.seen.load(Ordering::SeqCst)
    }

    /// Waits for so many of them.
    pub(crate) async fn told(&self, times: usize) {
        while self.seen() < times {
            self.count.more.notified().await;
        }
    }
}

struct Listener(Arc<Count>);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut found = Found { message: self.0.message, there: false };
        event.record(&mut found);
        if found.there {
            self.0.seen.fetch_add(1, Ordering::SeqCst);
            self.0.more.notify_one();
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Found {
    message: &'static str,
    there: bool,
}

impl Visit for Found {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.there |= field.name() == "message" && format!("{value:?}") == self.message;
    }
}
