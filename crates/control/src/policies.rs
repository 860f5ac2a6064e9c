//! What people decided about the work of the node, and what holds until they decide otherwise: paused queues, limits,
//! how many workers engines have, and the drain.

use std::{collections::BTreeMap, sync::PoisonError};

use flowork_api_types::{
    EngineId, Timestamp,
    limit::{LIMITS_MAX, LimitRule, LimitTarget, Rate},
    queue::QueueName,
};
use flowork_sqlite::StoreError;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    ControlStore,
    store::to_the_end,
    workers::{self, WorkersRecord},
};

/// Queues that may be paused at the same time.
pub const PAUSED_QUEUES_MAX: usize = 1_000;

/// Since when a queue is paused, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PausedQueue {
    /// Since when.
    pub at: Timestamp,
    /// Who paused it.
    pub by: String,
}

/// A limit, and when it was last set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitRecord {
    /// What it counts and how much it lets pass.
    pub rule: LimitRule,
    /// When it was last set.
    pub set_at: Timestamp,
}

/// A drain that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrainRecord {
    /// Since when.
    pub since: Timestamp,
    /// Who asked for it.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// It is on disk, so that it holds after a restart too.
    pub stored: bool,
}

/// All of it, as of the last change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policies {
    /// By name.
    pub paused_queues: BTreeMap<String, PausedQueue>,
    /// By target.
    pub limits: BTreeMap<LimitTarget, LimitRecord>,
    /// By engine; those of which somebody has decided the number.
    pub workers: BTreeMap<EngineId, WorkersRecord>,
    /// `None` while the node works.
    pub drain: Option<DrainRecord>,
}

/// Why a policy was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// As many queues are paused as may be.
    #[error("{PAUSED_QUEUES_MAX} queues are paused, and no more may be")]
    TooManyPaused,
    /// There are as many limits as may be.
    #[error("there are {LIMITS_MAX} limits, and no more may be")]
    TooManyLimits,
    /// There is no limit for this target.
    #[error("there is no limit for {target}")]
    UnknownLimit {
        /// As it was asked for.
        target: LimitTarget,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ControlStore {
    /// What people decided, as of the last change.
    pub fn policies(&self) -> Policies {
        self.memory.policies.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Pauses a queue, whether or not it has jobs. One that is paused keeps its time.
    ///
    /// # Errors
    /// See [`PolicyError`]; nothing changed.
    pub async fn pause_queue(&self, name: &QueueName, by: &str, now: Timestamp) -> Result<(), PolicyError> {
        let (name, by) = (name.to_string(), by.to_owned());
        let store = self.clone();
        to_the_end(async move {
            let _in_turn = store.memory.policy_changes.lock().await;
            let row = (name.clone(), by.clone());
            let known = store
                .database
                .write(move |connection| {
                    let (name, by) = row;
                    if count(connection, "SELECT count(*) FROM paused_queues WHERE name <> ?1", &name)?
                        >= PAUSED_QUEUES_MAX
                    {
                        return Ok(None);
                    }
                    connection.execute(
                        "INSERT INTO paused_queues (name, paused_at_ms, paused_by) VALUES (?1, ?2, ?3)
                         ON CONFLICT (name) DO NOTHING",
                        params![name, now.as_millis(), by],
                    )?;
                    let select = "SELECT name, paused_at_ms, paused_by FROM paused_queues WHERE name = ?1";
                    connection.query_row(select, [name], paused_queue).map(Some)
                })
                .await?;
            let (name, paused) = known.ok_or(PolicyError::TooManyPaused)?;
            store.change_policies(|policies| _ = policies.paused_queues.insert(name, paused));
            Ok(())
        })
        .await
    }

    /// Lets a queue go on. One that is not paused stays as it is.
    ///
    /// # Errors
    /// The store failed; nothing changed.
    pub async fn resume_queue(&self, name: &QueueName) -> Result<(), StoreError> {
        let (store, name) = (self.clone(), name.to_string());
        to_the_end(async move {
            let _in_turn = store.memory.policy_changes.lock().await;
            let row = name.clone();
            store
                .database
                .write(move |connection| connection.execute("DELETE FROM paused_queues WHERE name = ?1", [row]))
                .await?;
            store.change_policies(|policies| _ = policies.paused_queues.remove(&name));
            Ok(())
        })
        .await
    }

    /// Sets the limit of a target, new or anew.
    ///
    /// # Errors
    /// See [`PolicyError`]; nothing changed.
    pub async fn set_limit(&self, rule: LimitRule, now: Timestamp) -> Result<LimitRecord, PolicyError> {
        let store = self.clone();
        to_the_end(async move {
            let _in_turn = store.memory.policy_changes.lock().await;
            let record = LimitRecord { rule, set_at: now };
            let row = record.clone();
            let stored = store.database.write(move |connection| upsert_limit(connection, &row)).await?;
            if !stored {
                return Err(PolicyError::TooManyLimits);
            }
            let kept = record.clone();
            store.change_policies(|policies| _ = policies.limits.insert(kept.rule.target.clone(), kept));
            Ok(record)
        })
        .await
    }

    /// Removes the limit of a target.
    ///
    /// # Errors
    /// See [`PolicyError`]; nothing changed.
    pub async fn remove_limit(&self, target: LimitTarget) -> Result<(), PolicyError> {
        let store = self.clone();
        to_the_end(async move {
            let _in_turn = store.memory.policy_changes.lock().await;
            let text = target.to_string();
            let removed = store
                .database
                .write(move |connection| connection.execute("DELETE FROM limits WHERE target = ?1", [text]))
                .await?;
            if removed == 0 {
                return Err(PolicyError::UnknownLimit { target });
            }
            store.change_policies(|policies| _ = policies.limits.remove(&target));
            Ok(())
        })
        .await
    }

    /// Notes that the node drains, or that it works again. A drain that is on keeps who asked for it first, and when.
    ///
    /// A disk that takes nothing is a reason to drain, so there a drain is noted in memory alone: it is not
    /// [stored](DrainRecord::stored) then.
    ///
    /// # Errors
    /// The store failed, and a drain that is stored was to end; nothing changed.
    pub async fn set_drain(&self, drain: Option<DrainRecord>) -> Result<(), StoreError> {
        let store = self.clone();
        to_the_end(async move {
            let _in_turn = store.memory.policy_changes.lock().await;
            let unstored_before = store.policies().drain.filter(|known| !known.stored);
            let drain = drain.map(|drain| unstored_before.clone().unwrap_or(DrainRecord { stored: false, ..drain }));
            let (noted, was_unstored) = (drain.clone(), unstored_before.is_some());
            let known = store
                .database
                .write(move |connection| {
                    match drain {
                        Some(drain) => connection.execute(
                            "INSERT INTO drain (id, since_ms, by_whom, reason) VALUES (1, ?1, ?2, ?3)
                             ON CONFLICT (id) DO NOTHING",
                            params![drain.since.as_millis(), drain.by, drain.reason],
                        ),
                        None => connection.execute("DELETE FROM drain", []),
                    }?;
                    select_drain(connection)
                })
                .await;
            let known = match (known, noted) {
                (Ok(known), _) => known,
                (Err(error), Some(drain)) if !error.is_closed() => store.policies().drain.or(Some(drain)),
                // What is not on the disk needs nothing of it to go.
                (Err(error), None) if was_unstored && !error.is_closed() => None,
                (Err(error), _) => return Err(error),
            };
            store.change_policies(|policies| policies.drain = known);
            Ok(())
        })
        .await
    }

    pub(crate) fn change_policies(&self, change: impl FnOnce(&mut Policies)) {
        change(&mut self.memory.policies.write().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) async fn load_policies(&self) -> Result<(), StoreError> {
        let policies = self
            .database
            .read(|connection| {
                let paused_queues = connection
                    .prepare("SELECT name, paused_at_ms, paused_by FROM paused_queues")?
                    .query_map([], paused_queue)?
                    .collect::<rusqlite::Result<_>>()?;
                let limits = connection
                    .prepare("SELECT target, concurrency, rate_count, rate_per_ms, set_at_ms FROM limits")?
                    .query_map([], limit)?
                    .filter_map(Result::transpose)
                    .collect::<rusqlite::Result<_>>()?;
                let (workers, drain) = (workers::select(connection)?, select_drain(connection)?);
                Ok(Policies { paused_queues, limits, workers, drain })
            })
            .await?;
        self.change_policies(|known| *known = policies);
        Ok(())
    }
}

/// Says whether there was room for it.
fn upsert_limit(connection: &Connection, record: &LimitRecord) -> rusqlite::Result<bool> {
    let LimitRecord { rule, set_at } = record;
    let target = rule.target.to_string();
    if count(connection, "SELECT count(*) FROM limits WHERE target <> ?1", &target)? >= LIMITS_MAX {
        return Ok(false);
    }
    connection.execute(
        "INSERT INTO limits (target, concurrency, rate_count, rate_per_ms, set_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (target) DO UPDATE SET concurrency = excluded.concurrency, rate_count = excluded.rate_count,
             rate_per_ms = excluded.rate_per_ms, set_at_ms = excluded.set_at_ms",
        params![
            target,
            rule.concurrency,
            rule.rate.map(|rate| rate.count),
            rule.rate.map(|rate| rate.per_ms as i64),
            set_at.as_millis()
        ],
    )?;
    Ok(true)
}

fn count(connection: &Connection, select: &str, key: &str) -> rusqlite::Result<usize> {
    connection.query_row(select, [key], |row| row.get::<_, i64>(0)).map(|count| count as usize)
}

fn paused_queue(row: &Row<'_>) -> rusqlite::Result<(String, PausedQueue)> {
    Ok((row.get(0)?, PausedQueue { at: Timestamp(row.get(1)?), by: row.get(2)? }))
}

/// `None` for a target that only a newer version knows; its row stays for that one.
fn limit(row: &Row<'_>) -> rusqlite::Result<Option<(LimitTarget, LimitRecord)>> {
    let Ok(target) = row.get::<_, String>(0)?.parse::<LimitTarget>() else { return Ok(None) };
    let rate = match (row.get::<_, Option<u32>>(2)?, row.get::<_, Option<i64>>(3)?) {
        (Some(count), Some(per_ms)) => Some(Rate { count, per_ms: per_ms as u64 }),
        _ => None,
    };
    let rule = LimitRule { target: target.clone(), concurrency: row.get(1)?, rate };
    Ok(Some((target, LimitRecord { rule, set_at: Timestamp(row.get(4)?) })))
}

fn select_drain(connection: &Connection) -> rusqlite::Result<Option<DrainRecord>> {
    let drain = |row: &Row<'_>| {
        Ok(DrainRecord { since: Timestamp(row.get(0)?), by: row.get(1)?, reason: row.get(2)?, stored: true })
    };
    connection.query_row("SELECT since_ms, by_whom, reason FROM drain", [], drain).optional()
}
