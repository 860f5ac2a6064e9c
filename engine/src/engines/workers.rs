//! How many workers the engines have: as the load or the settings say, or as a person decided.

use flowork_api_types::{
    EngineId,
    autoscale::Autoscaler,
    engine::{EngineLocation, WORKERS_MAX, WORKERS_MIN},
    event::Event,
};

use super::Engines;

/// Why the number of workers stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum FixWorkersError {
    /// No such engine.
    #[error("there is no engine {engine_id}")]
    UnknownEngine {
        /// As it was asked for.
        engine_id: EngineId,
    },
    /// It is too small or too large.
    #[error("{workers} is not between {WORKERS_MIN} and {WORKERS_MAX}")]
    OutOfRange {
        /// As it was asked for.
        workers: u32,
    },
}

impl Engines {
    /// Local workers.
    pub fn workers(&self) -> u32 {
        self.inner.pool.workers().size()
    }

    /// Changes how many local jobs may run at once. What runs goes on, also past a smaller number.
    pub fn set_workers(&self, workers: u32) {
        self.inner.pool.workers().resize(workers);
        self.events().publish(None, Event::EnginesChanged);
    }

    /// Local jobs that run now.
    pub fn running(&self) -> u32 {
        self.inner.pool.workers().running()
    }

    /// For how long the local workers together have run jobs, in milliseconds. Counts what runs now, and never goes
    /// back.
    pub fn busy_ms_total(&self) -> u64 {
        self.inner.pool.workers().busy_ms_total()
    }

    /// Says whether an engine can be given so many workers.
    ///
    /// # Errors
    /// See [`FixWorkersError`].
    pub fn check_workers(&self, engine_id: EngineId, workers: Option<u32>) -> Result<(), FixWorkersError> {
        if self.host(engine_id).is_none() {
            return Err(FixWorkersError::UnknownEngine { engine_id });
        }
        match workers {
            Some(workers) if !(WORKERS_MIN..=WORKERS_MAX).contains(&workers) => {
                Err(FixWorkersError::OutOfRange { workers })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Gives an engine as many workers as a person decided on; `None`: as many as the load or the settings say, or, of an
    /// engine elsewhere, as it was started with. What is asked again changes nothing.
    ///
    /// # Errors
    /// See [`FixWorkersError`]; nothing changed.
    pub fn fix_workers(&self, engine_id: EngineId, workers: Option<u32>) -> Result<(), FixWorkersError> {
        self.check_workers(engine_id, workers)?;
        match self.autoscaler().filter(|_| self.is_local(engine_id)) {
            Some(autoscaler) => {
                self.close_windows();
                match autoscaler.fix(workers, self.now()) {
                    Some(decision) => self.follow(decision),
                    None => self.events().publish(None, Event::EnginesChanged),
                }
            }
            None => self.set_desired_workers(engine_id, workers),
        }
        Ok(())
    }

    /// As many workers as a person decided on for an engine.
    pub(crate) fn fixed_workers(&self, engine_id: EngineId) -> Option<u32> {
        match self.autoscaler().filter(|_| self.is_local(engine_id)) {
            Some(autoscaler) => autoscaler.fixed(),
            None => self.wanted().desired_workers(engine_id),
        }
    }

    /// How many workers the local engine has, and why.
    pub fn describe_workers(&self) -> Autoscaler {
        if let Some(autoscaler) = self.autoscaler() {
            return autoscaler.describe();
        }
        Autoscaler {
            enabled: false,
            fixed: None,
            engine_id: None,
            workers: 0,
            workers_min: 0,
            workers_max: 0,
            target_latency_ms: None,
            headroom_factor: None,
            explanation: "This node has no engine of its own.".to_owned(),
            windows: Vec::new(),
            decisions: Vec::new(),
        }
    }

    fn is_local(&self, engine_id: EngineId) -> bool {
        self.host(engine_id).is_some_and(|host| host.location() == EngineLocation::Local)
    }
}
