//! Brings what waits to the gateway, in batches, until it has taken each.

use std::time::Duration;

use flowork_api_types::engine::{FinishAnswer, Lease};
use flowork_engine::pool::Workers;
use tokio::time::{Instant, sleep};

use super::{
    end,
    gateway::{CallCause, CallError},
    outbox::{Fill, Parcel, Settled},
    remote::{Remote, backoff},
};

/// Ends are collected for so long, so that those of a busy engine share a call.
const COLLECT: Duration = Duration::from_millis(4);
/// How long after its lease surely ended an end is kept. A node that was restarted gives the engines elsewhere another
/// lease, and takes an end as long as nobody else has the job; restarts and updates take minutes at most.
const KEPT_PAST_LEASE: Duration = Duration::from_mins(10);

/// Goes on until it is dropped.
pub(super) async fn deliver(workers: Workers<Remote>) {
    let (remote, mut backoff) = (workers.source(), backoff());
    // Only one at a time, to find the one that the gateway does not take.
    let mut singly = false;
    loop {
        remote.outbox.any().await;
        if !remote.outbox.has_full_batch() {
            sleep(COLLECT).await;
        }
        let mut batch = remote.outbox.batch();
        if singly {
            batch.truncate(1);
        }
        match tell(remote, &batch).await {
            Ok(outcomes) => {
                backoff.reset();
                singly = false;
                settle(remote, outcomes);
            }
            Err(error) if error.cause == CallCause::Refused && batch.len() > 1 => singly = true,
            Err(error) if error.cause == CallCause::Refused => {
                singly = false;
                for Parcel { lease, .. } in batch {
                    let reason = &error.failure.body.message;
                    tracing::error!(job = %lease.id, reason, "the gateway does not take how the attempt ended");
                    settle(remote, vec![(lease, Settled::Refused)]);
                }
            }
            Err(error) => {
                let wait = backoff.next(error.retry_after);
                let Fill { items, bytes } = remote.outbox.fill();
                tracing::warn!(items, bytes, "ends of attempts wait for the gateway");
                remote.note(error);
                give_up(&workers);
                sleep(wait).await;
            }
        }
    }
}

async fn tell(remote: &Remote, batch: &[Parcel]) -> Result<Vec<(Lease, Settled)>, CallError> {
    let mut outcomes = Vec::new();
    let ends: Vec<_> = batch.iter().filter_map(|parcel| Some((parcel.lease, parcel.end.as_deref()?))).collect();
    if !ends.is_empty() {
        let texts: Vec<_> = ends.iter().map(|(_, text)| *text).collect();
        let answer = remote.gateway.finish(end::body(&texts)).await?;
        outcomes.extend(std::iter::zip(&ends, answer.items).map(|((lease, _), item)| {
            let settled = match item.outcome {
                FinishAnswer::Accepted => Settled::Accepted,
                FinishAnswer::LeaseLost => Settled::LeaseLost,
            };
            (*lease, settled)
        }));
    }
    let unused: Vec<_> = batch.iter().filter(|parcel| parcel.end.is_none()).map(|parcel| parcel.lease).collect();
    if !unused.is_empty() {
        remote.gateway.release(unused.clone()).await?;
        outcomes.extend(unused.into_iter().map(|lease| (lease, Settled::Accepted)));
    }
    Ok(outcomes)
}

fn settle(remote: &Remote, outcomes: Vec<(Lease, Settled)>) {
    remote.outbox.settle(outcomes);
    remote.room_came();
}

/// Forgets ends that no gateway would take any more.
fn give_up(workers: &Workers<Remote>) {
    let now = Instant::now();
    let over = |lease: &Lease| {
        workers
            .attempts()
            .lease_until(*lease)
            .is_none_or(|until| now.saturating_duration_since(until) > KEPT_PAST_LEASE)
    };
    let outcomes = workers.source().outbox.leases().into_iter().filter(over).map(|lease| (lease, Settled::LeaseLost));
    let outcomes: Vec<_> = outcomes.collect();
    if !outcomes.is_empty() {
        settle(workers.source(), outcomes);
    }
}
