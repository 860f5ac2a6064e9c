//! `shard.scrub`: reads every row of the node's shards while it runs, slowly, and says what is not as it was stored.
//!
//! SQLite serves flipped bits as good data, so somebody has to look. Rows are read in pages by key, each in a read of
//! its own, so that no read keeps the log from starting over; between pages the scrub waits, so that it never takes
//! more than a small share of the disk.

use std::{
    sync::{Arc, PoisonError, RwLock, Weak},
    time::Duration,
};

use async_trait::async_trait;
use flowork_api_types::{
    EngineId, JobId, ShardNumber, event::Event, job::LogLevel, kind::KindDescriptor, node::Notice,
};
use flowork_sqlite::{Cause, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Engines, JobContext, JobFailure, JobKind, Reporter,
    engines::{Host, Inner},
    store::{
        Shard,
        inspect::{Cursor, Level, RowsPage},
    },
};

/// The kind's name.
const KIND: &str = "shard.scrub";
/// Rows in one read: some milliseconds.
const PAGE_ROWS: u32 = 200;
/// The wait after each page: with the reads themselves, some ten thousand rows a second.
const PAUSE: Duration = Duration::from_millis(10);
/// Damaged jobs that a result names; what is past that is counted.
const DAMAGED_MAX: usize = 1_000;
/// The code of the notices made here.
const NOTICE: &str = "JOBS_DAMAGED";

/// Looks through shards. Takes `{engine_id?, shard?}`; without them, all of the node.
pub struct ShardScrub {
    descriptor: KindDescriptor,
    /// The engines hold the kinds, and a kind must not hold the engines.
    engines: Weak<Inner>,
    notices: Arc<RwLock<Vec<Notice>>>,
}

#[derive(Deserialize)]
struct Payload {
    engine_id: Option<EngineId>,
    shard: Option<u16>,
}

/// How a shard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Sound,
    Damaged,
    Quarantined,
}

/// A job that is not as it was stored.
#[derive(Serialize)]
struct DamagedJob {
    job_id: Option<JobId>,
    code: &'static str,
    message: String,
}

#[derive(Serialize)]
struct ShardReport {
    engine_id: EngineId,
    shard: u16,
    outcome: Outcome,
    rows: u64,
    damaged: Vec<DamagedJob>,
    /// Damaged jobs that are not in `damaged`.
    damaged_more: u64,
}

impl ShardScrub {
    /// A scrub of `engines`, which puts what it finds among `notices`.
    pub fn new(engines: &Engines, notices: Arc<RwLock<Vec<Notice>>>) -> Self {
        Self { descriptor: descriptor(), engines: Arc::downgrade(&engines.inner), notices }
    }

    fn tell(&self, host: &Host, report: &ShardReport) {
        let prefix = format!("Shard {} of engine {} ", report.shard, host.id());
        let mut notices = self.notices.write().unwrap_or_else(PoisonError::into_inner);
        notices.retain(|notice| notice.code != NOTICE || !notice.message.starts_with(&prefix));
        if report.outcome == Outcome::Damaged {
            let jobs = report.damaged.len() as u64 + report.damaged_more;
            notices.push(Notice {
                code: NOTICE.to_owned(),
                message: format!("{prefix}has {jobs} jobs that are not as they were stored."),
                hint: Some("look at the disk; the result of the last shard.scrub job names the jobs".to_owned()),
            });
        }
        drop(notices);
        if let Some(engines) = self.engines.upgrade() {
            engines.events.publish(None, Event::NoticesChanged);
        }
    }
}

fn descriptor() -> KindDescriptor {
    KindDescriptor {
        name: KIND.to_owned(),
        title: "Look through the shards".to_owned(),
        description: "Reads every stored job and checks its hashes, slowly and while the node works. Names damaged \
                      jobs; a shard whose structure is damaged is put in quarantine."
            .to_owned(),
        payload_schema: json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "engine_id": {
                    "type": "string",
                    "title": "Engine",
                    "description": "Only shards of this engine.",
                    "pattern": "^eng_[0-9a-f]{32}$"
                },
                "shard": {
                    "type": "integer",
                    "title": "Shard",
                    "description": "Only shards of this number.",
                    "minimum": 0,
                    "maximum": ShardNumber::SHARDS_MAX - 1
                }
            }
        }),
        timeout_ms: 86_400_000,
        reaches_machine: true,
    }
}

#[async_trait]
impl JobKind for ShardScrub {
    fn descriptor(&self) -> &KindDescriptor {
        &self.descriptor
    }

    async fn run(&self, context: JobContext) -> Result<Value, JobFailure> {
        let payload: Payload = serde_json::from_value(context.payload.clone())
            .map_err(|error| JobFailure::permanent("INVALID_PAYLOAD", error.to_string()))?;
        let hosts = match self.engines.upgrade() {
            Some(inner) => Engines { inner }.hosts(),
            None => return Err(JobFailure::retryable("INTERRUPTED", "the node is stopping")),
        };
        let mut chosen = Vec::new();
        for host in hosts.into_iter().filter(|host| payload.engine_id.is_none_or(|id| id == host.id())) {
            for index in (0..ShardNumber::SHARDS_MAX).filter(|index| payload.shard.is_none_or(|shard| shard == *index))
            {
                let number = ShardNumber::new(host.slot(), index);
                chosen.extend(
                    number.and_then(|number| host.shard(number)).map(|shard| (Arc::clone(&host), index, shard)),
                );
            }
        }
        if chosen.is_empty() {
            return Err(JobFailure::permanent("SHARD_NOT_FOUND", "there is no such shard")
                .hint("GET /v1/engines lists the engines with the number of their shards"));
        }
        let mut reports = Vec::new();
        let total = chosen.len();
        for (done, (host, index, shard)) in chosen.into_iter().enumerate() {
            let report = self.scrub(&context, &host, index, &shard, (done, total)).await?;
            if report.outcome != Outcome::Sound {
                context.reporter.log(LogLevel::Error, &format!("shard {index} of {}: {:?}", host.id(), report.outcome));
            }
            self.tell(&host, &report);
            reports.push(report);
        }
        context.reporter.progress(Some(1.0), None);
        let ok = reports.iter().all(|report| report.outcome == Outcome::Sound);
        Ok(json!({"ok": ok, "shards": reports}))
    }
}

impl ShardScrub {
    async fn scrub(
        &self,
        context: &JobContext,
        host: &Host,
        index: u16,
        shard: &Shard,
        (done, total): (usize, usize),
    ) -> Result<ShardReport, JobFailure> {
        let mut report = ShardReport {
            engine_id: host.id(),
            shard: index,
            outcome: Outcome::Sound,
            rows: 0,
            damaged: Vec::new(),
            damaged_more: 0,
        };
        let mut next = Some(Cursor::default());
        while let Some(cursor) = next {
            let mut page = match shard.inspect(cursor.clone(), index, PAGE_ROWS).await {
                Ok(page) => page,
                Err(error) if error.is_quarantined() => {
                    report.outcome = Outcome::Quarantined;
                    return Ok(report);
                }
                Err(StoreError::Sqlite(error)) if error.sqlite_error_code().is_none() => {
                    // SQLite is content, and what it gave is no row of ours.
                    shard.health().condemn(Cause::Damaged, format!("table {}: {error}", cursor.table()));
                    report.outcome = Outcome::Quarantined;
                    return Ok(report);
                }
                Err(error) => return Err(JobFailure::retryable("SHARD_UNREADABLE", error.to_string())),
            };
            next = page.next.take();
            report.take(page);
            say(&context.reporter, (done, total), index, report.rows);
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = context.cancel.cancelled() => {
                    return Err(JobFailure::retryable("INTERRUPTED", format!("was interrupted after {} rows", report.rows)));
                }
            }
        }
        Ok(report)
    }
}

impl ShardReport {
    fn take(&mut self, page: RowsPage) {
        self.rows += page.rows;
        for finding in page.findings.into_iter().filter(|finding| finding.level == Level::Error) {
            self.outcome = Outcome::Damaged;
            if self.damaged.len() < DAMAGED_MAX {
                self.damaged.push(DamagedJob { job_id: finding.job_id, code: finding.code, message: finding.message });
            } else {
                self.damaged_more += 1;
            }
        }
    }
}

fn say(reporter: &Reporter, (done, total): (usize, usize), index: u16, rows: u64) {
    let message = format!("shard {index}: {rows} rows");
    reporter.progress(Some(done as f64 / total as f64), Some(&message));
}
