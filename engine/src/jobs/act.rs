//! What a person does to a job: cancel it, ask for it again.

use std::time::Duration;

use flowork_api_types::{
    EngineId, JobId,
    job::{Job, JobAction, JobState},
};
use flowork_sqlite::StoreError;

use super::{Caller, query::JobLookupError};
use crate::{engines::Engines, store::ActOutcome};

/// Why an action on a job was refused. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// No such job, or none that the caller may see.
    #[error("there is no job {job_id}")]
    NotFound {
        /// As it was asked for.
        job_id: JobId,
    },
    /// The job's state does not allow it.
    #[error("{job_id} is {state}, which does not allow this action")]
    InvalidState {
        /// The job.
        job_id: JobId,
        /// Its state.
        state: JobState,
        /// What was asked for.
        action: JobAction,
    },
    /// The engine's queue is at its cap.
    #[error("the queue of {engine_id} is full")]
    QueueFull {
        /// The engine.
        engine_id: EngineId,
        /// When there should be room.
        retry_after: Duration,
    },
    /// Another open job has the unique key.
    #[error("{holder} is open and has the unique key of {job_id}")]
    UniqueKeyHeld {
        /// The job.
        job_id: JobId,
        /// The job that has the key.
        holder: JobId,
    },
    /// The job was changed, but can't be shown.
    #[error("the job was changed, but its stored {what} is damaged")]
    Corrupt {
        /// The job.
        job_id: JobId,
        /// `payload` or `result`.
        what: &'static str,
    },
    /// The store failed.
    #[error("the job could not be changed")]
    Store(#[from] StoreError),
}

impl Engines {
    /// Ends a job. One that runs is told to stop; it is cancelled once its worker has answered.
    ///
    /// # Errors
    /// See [`ActionError`].
    pub async fn cancel(&self, caller: &Caller, id: JobId) -> Result<Job, ActionError> {
        let (host, shard) = self.shard_of(id).ok_or(ActionError::NotFound { job_id: id })?;
        let outcome = shard.cancel(id, caller.actor()).await?;
        self.acted(caller, id, JobAction::Cancel, &host, outcome).await
    }

    /// Brings a failed, cancelled or expired job back, with all its attempts before it.
    ///
    /// # Errors
    /// See [`ActionError`].
    pub async fn requeue(&self, caller: &Caller, id: JobId) -> Result<Job, ActionError> {
        let (host, shard) = self.shard_of(id).ok_or(ActionError::NotFound { job_id: id })?;
        let outcome = shard.requeue(id, caller.actor()).await?;
        self.acted(caller, id, JobAction::Requeue, &host, outcome).await
    }

    async fn acted(
        &self,
        caller: &Caller,
        id: JobId,
        action: JobAction,
        host: &crate::engines::Host,
        outcome: ActOutcome,
    ) -> Result<Job, ActionError> {
        match outcome {
            ActOutcome::Done => self.job(caller, id).await.map_err(|error| match error {
                JobLookupError::NotFound { job_id } => ActionError::NotFound { job_id },
                JobLookupError::Corrupt { job_id, what } => ActionError::Corrupt { job_id, what },
                JobLookupError::Store(error) => ActionError::Store(error),
            }),
            ActOutcome::NotFound => Err(ActionError::NotFound { job_id: id }),
            ActOutcome::InvalidState(state) => Err(ActionError::InvalidState { job_id: id, state, action }),
            ActOutcome::UniqueHeld(holder) => Err(ActionError::UniqueKeyHeld { job_id: id, holder }),
            ActOutcome::QueueFull => {
                Err(ActionError::QueueFull { engine_id: host.id(), retry_after: host.retry_after() })
            }
        }
    }
}
