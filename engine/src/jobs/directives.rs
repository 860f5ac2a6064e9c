//! What the node wants of an engine elsewhere, told as soon as it does: stop this job, stop claiming, run so many.
//!
//! Nothing here is stored; what people decided is, elsewhere. An engine that was away hears what holds now, and the answers to its renewals name every job
//! that is to be stopped; so a directive that gets lost costs a renewal's time and no more.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use flowork_api_types::{EngineId, JobId, engine::Directive, event::Event};
use tokio::sync::{broadcast, mpsc, watch};

use super::lease::EngineCallError;
use crate::{
    engines::{Engines, Host},
    store::{Actor, Lookup},
};

/// Cancelled jobs that wait for one engine's stream. An engine that falls behind by more is told to renew instead.
const CANCELS_WAITING_MAX: usize = 256;

/// What is wanted of which engine.
#[derive(Default)]
pub(crate) struct Directives {
    /// By slot, for the engines that listen or did.
    cancels: Mutex<HashMap<u16, broadcast::Sender<JobId>>>,
    desired_workers: Mutex<HashMap<EngineId, u32>>,
    changed: watch::Sender<()>,
}

impl Directives {
    /// Something that streams look at has changed.
    pub(crate) fn notify(&self) {
        self.changed.send_replace(());
    }

    pub(crate) fn desired_workers(&self, engine_id: EngineId) -> Option<u32> {
        lock(&self.desired_workers).get(&engine_id).copied()
    }

    fn listen(&self, slot: u16) -> broadcast::Receiver<JobId> {
        let mut cancels = lock(&self.cancels);
        cancels.entry(slot).or_insert_with(|| broadcast::channel(CANCELS_WAITING_MAX).0).subscribe()
    }

    fn cancel(&self, id: JobId) {
        if let Some(sender) = lock(&self.cancels).get(&id.shard().slot()) {
            // Nobody listens at the moment; the renewal tells.
            let _ = sender.send(id);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engines {
    /// Listens to what the node wants of an engine. The first directive tells whether it may claim.
    ///
    /// # Errors
    /// See [`EngineCallError`].
    pub fn directives(&self, engine_id: EngineId) -> Result<DirectiveFeed, EngineCallError> {
        let host = self.host(engine_id).ok_or(EngineCallError::UnknownEngine { engine_id })?;
        let wanted = self.wanted();
        let (cancels, changed) = (wanted.listen(host.slot()), wanted.changed.subscribe());
        Ok(DirectiveFeed { engines: self.clone(), host, cancels, changed, drain: None, workers: None })
    }

    /// Asks an engine elsewhere to run this many jobs at once; `None`: as many as it was started with.
    pub(crate) fn set_desired_workers(&self, engine_id: EngineId, workers: Option<u32>) {
        let mut desired = lock(&self.wanted().desired_workers);
        match workers {
            Some(workers) => desired.insert(engine_id, workers),
            None => desired.remove(&engine_id),
        };
        drop(desired);
        self.wanted().notify();
        self.events().publish(None, Event::EnginesChanged);
    }

    /// Brings every cancel to the workers that hold the job: those of this process, or an engine elsewhere.
    pub(crate) fn route_cancels(
        &self,
        local_slot: Option<u16>,
        local: mpsc::UnboundedSender<JobId>,
        mut cancelled: mpsc::UnboundedReceiver<JobId>,
    ) {
        let (engines, stopping) = (self.clone(), self.stopping());
        self.spawn(async move {
            loop {
                let id = tokio::select! {
                    id = cancelled.recv() => id,
                    () = stopping.cancelled() => return,
                };
                match id {
                    // The pool may have stopped already.
                    Some(id) if Some(id.shard().slot()) == local_slot => _ = local.send(id),
                    Some(id) => engines.wanted().cancel(id),
                    None => return,
                }
            }
        });
    }
}

/// One engine's directives, as they come.
pub struct DirectiveFeed {
    engines: Engines,
    host: Arc<Host>,
    cancels: broadcast::Receiver<JobId>,
    changed: watch::Receiver<()>,
    /// What was told last.
    drain: Option<bool>,
    workers: Option<u32>,
}

impl DirectiveFeed {
    /// The next directive; waits for one.
    pub async fn next(&mut self) -> Directive {
        loop {
            self.changed.mark_unchanged();
            let drain = self.engines.keeps_from_claiming();
            if self.drain.replace(drain) != Some(drain) {
                return Directive::Drain { on: drain };
            }
            let workers = self.engines.wanted().desired_workers(self.host.id());
            if std::mem::replace(&mut self.workers, workers) != workers {
                return Directive::DesiredWorkers { workers };
            }
            tokio::select! {
                biased;
                id = self.cancels.recv() => match id {
                    Ok(id) => if let Some(directive) = self.cancel(id).await {
                        return directive;
                    },
                    Err(_) => return Directive::Renew,
                },
                // The sender lives as long as the engines, which this feed holds.
                _ = self.changed.changed() => {}
            }
        }
    }

    /// Which claim of the job is meant: by the time this is looked up it may have ended.
    async fn cancel(&self, job_id: JobId) -> Option<Directive> {
        let shard = self.host.shard(job_id.shard())?;
        match shard.lookup(job_id, Actor { subject: Arc::from(""), only_own: false }).await {
            Ok(Lookup::Found(row)) => row.cancel_requested.then_some(Directive::Cancel { job_id, epoch: row.epoch }),
            Ok(Lookup::NotFound) => None,
            Ok(Lookup::Corrupt { .. }) | Err(_) => Some(Directive::Renew),
        }
    }
}
