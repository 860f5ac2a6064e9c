//! Schedules: what to enqueue, and when.
//!
//! [`timing`] understands cron expressions, time zones and intervals. [`plan`] decides which due times fire. Both are
//! pure. [`Schedules`] is what the rest of the node holds: the operations of people, and the one task that waits for the
//! next due time of all schedules and enqueues jobs.
//!
//! A due time fires once, across crashes: it is first written down as owed, then enqueued under an idempotency key made
//! of schedule and due time, and then written down as fired. Whatever is owed at a start is enqueued again under the same
//! key, which finds the job if there is one.
//!
//! Not here: SQL (the control store), HTTP (the gateway), what a job is (the engine).

mod fire;
mod operations;
pub mod plan;
mod runner;
pub mod timing;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use flowork_api_types::{ScheduleId, Timestamp, event::Event};
use flowork_control::ControlStore;
use flowork_engine::{Clock, Engines};
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use operations::{ListError, LookupError, RunError, WriteError};

/// The schedules of a node. Cheap to clone.
#[derive(Clone)]
pub struct Schedules {
    inner: Arc<Inner>,
}

struct Inner {
    control: ControlStore,
    engines: Engines,
    clock: Clock,
    /// Runs that were due before were missed.
    started: Timestamp,
    /// Schedules that somebody has changed since the timer last looked.
    changed: Mutex<HashSet<ScheduleId>>,
    wake: Notify,
    stopping: CancellationToken,
    timer: Mutex<Option<JoinHandle<()>>>,
}

impl Schedules {
    /// Starts the timer. What was missed before is made up for as each schedule says.
    pub fn start(control: ControlStore, engines: Engines, clock: Clock) -> Self {
        let schedules = Self::without_timer(control, engines, clock);
        let timer = tokio::spawn(runner::run(Arc::clone(&schedules.inner)));
        *schedules.inner.timer.lock().unwrap_or_else(PoisonError::into_inner) = Some(timer);
        schedules
    }

    /// Schedules that can be looked at and changed, and fire only when a person says so. What is due meanwhile counts as
    /// missed, for the next [start](Self::start).
    pub fn without_timer(control: ControlStore, engines: Engines, clock: Clock) -> Self {
        let inner = Inner {
            started: clock.now(),
            control,
            engines,
            clock,
            changed: Mutex::default(),
            wake: Notify::new(),
            stopping: CancellationToken::new(),
            timer: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Stops the timer, once the run that it is enqueuing is stored.
    pub async fn shutdown(self) {
        self.inner.stopping.cancel();
        let timer = self.inner.timer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(timer) = timer
            && timer.await.is_err()
        {
            tracing::error!("the timer of the schedules had crashed");
        }
    }

    /// Makes the timer look at the clock again, after the machine has slept or a test has moved it.
    pub fn poke(&self) {
        self.inner.wake.notify_one();
    }
}

impl Inner {
    /// Tells the timer and whoever listens that a schedule is another one now.
    fn changed(&self, id: ScheduleId, owner: &str) {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        self.wake.notify_one();
        self.tell(owner);
    }

    fn tell(&self, owner: &str) {
        self.engines.events().publish(Some(owner.into()), Event::SchedulesChanged);
    }
}
