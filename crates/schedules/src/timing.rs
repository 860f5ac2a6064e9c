//! When a schedule runs: a cron expression in a time zone, or an interval.
//!
//! A [`Timing`] is a set of instants, the due times; it holds no state and knows no clock. [`Timing::next_after`] gives
//! them one by one, and gives the same ones wherever it is started from.

mod cron;
mod zone;

use flowork_api_types::{
    Timestamp,
    schedule::{INTERVAL_MS_MAX, INTERVAL_MS_MIN, ScheduledRun},
};
use jiff::tz::TimeZone;

use cron::Cron;
pub use cron::CronError;
pub use zone::UnknownTimeZone;

/// The time zone of a cron expression that names none.
pub const DEFAULT_TIME_ZONE: &str = "UTC";
/// Local times as a person reads them: `Sun 2026-03-29 03:00:00 CEST`.
const LOCAL_FORMAT: &str = "%a %Y-%m-%d %H:%M:%S %Z";

/// When a schedule runs, as it is written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimingText {
    /// A cron expression.
    pub cron: Option<String>,
    /// The IANA name of its time zone.
    pub time_zone: Option<String>,
    /// An interval in milliseconds.
    pub interval_ms: Option<u64>,
    /// Where intervals are counted from.
    pub anchor: Option<Timestamp>,
}

/// When a schedule runs, understood.
#[derive(Clone, Debug)]
pub struct Timing {
    rule: Rule,
    zone: TimeZone,
}

#[derive(Clone, Debug)]
enum Rule {
    Cron(Cron),
    Interval { anchor_ms: i64, every_ms: i64 },
}

/// Why text says no times.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// Neither a cron expression nor an interval.
    #[error("give either cron or interval_ms")]
    Missing,
    /// Both.
    #[error("give either cron or interval_ms, not both")]
    Both,
    /// The interval is out of range.
    #[error("{interval_ms} is not between {INTERVAL_MS_MIN} and {INTERVAL_MS_MAX}")]
    Interval {
        /// As it was given.
        interval_ms: u64,
    },
    /// An anchor without an interval.
    #[error("only intervals have an anchor")]
    Anchor,
    /// The cron expression says nothing.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// There is no such time zone.
    #[error(transparent)]
    TimeZone(#[from] UnknownTimeZone),
}

impl TimingError {
    /// The field that is wrong, as a JSON pointer.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Missing | Self::Cron(_) => "/cron",
            Self::Both | Self::Interval { .. } => "/interval_ms",
            Self::Anchor => "/anchor",
            Self::TimeZone(_) => "/time_zone",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing => Some("for example {\"cron\": \"@daily\"} or {\"interval_ms\": 60000}".to_owned()),
            Self::Both | Self::Anchor | Self::Interval { .. } => None,
            Self::Cron(error) => Some(error.hint().to_owned()),
            Self::TimeZone(error) => Some(error.hint()),
        }
    }
}

impl Timing {
    /// Understands what was written. An interval without an anchor is counted from `now`. Cron expressions that no day
    /// ever meets are refused.
    ///
    /// # Errors
    /// See [`TimingError`].
    pub fn parse(text: &TimingText, now: Timestamp) -> Result<Self, TimingError> {
        let zone = zone::find(text.time_zone.as_deref().unwrap_or(DEFAULT_TIME_ZONE))?;
        let rule = match (&text.cron, text.interval_ms) {
            (None, None) => return Err(TimingError::Missing),
            (Some(_), Some(_)) => return Err(TimingError::Both),
            (Some(_), None) if text.anchor.is_some() => return Err(TimingError::Anchor),
            (Some(cron), None) => Rule::Cron(Cron::parse(cron, now)?),
            (None, Some(interval_ms)) if !(INTERVAL_MS_MIN..=INTERVAL_MS_MAX).contains(&interval_ms) => {
                return Err(TimingError::Interval { interval_ms });
            }
            (None, Some(interval_ms)) => {
                Rule::Interval { anchor_ms: text.anchor.unwrap_or(now).as_millis(), every_ms: interval_ms as i64 }
            }
        };
        let timing = Self { rule, zone };
        if matches!(timing.rule, Rule::Cron(_)) && timing.next_after(now).is_none() {
            return Err(CronError::Never.into());
        }
        Ok(timing)
    }

    /// The first due time after `at`; `None` when there is none any more.
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        match &self.rule {
            Rule::Cron(cron) => cron.next_after(at, &self.zone),
            Rule::Interval { anchor_ms, every_ms } => {
                let passed = at.as_millis().checked_sub(*anchor_ms)?;
                let count = if passed < 0 { 0 } else { passed / every_ms + 1 };
                anchor_ms.checked_add(count.checked_mul(*every_ms)?).map(Timestamp)
            }
        }
    }

    /// The next `count` due times after `at`.
    pub fn preview(&self, at: Timestamp, count: usize) -> Vec<ScheduledRun> {
        let next = |at: &Timestamp| self.next_after(*at);
        let runs = std::iter::successors(next(&at), next).take(count);
        runs.map(|at| ScheduledRun { at, local: self.local(at) }).collect()
    }

    /// The name of its time zone, as the database writes it.
    pub fn zone_name(&self) -> Option<&str> {
        self.zone.iana_name()
    }

    fn local(&self, at: Timestamp) -> String {
        match jiff::Timestamp::from_millisecond(at.as_millis()) {
            Ok(instant) => instant.to_zoned(self.zone.clone()).strftime(LOCAL_FORMAT).to_string(),
            // Past the year 9999, where nothing has a form.
            Err(_) => at.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
