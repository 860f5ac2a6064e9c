//! Cron expressions, and what they mean when clocks are changed.
//!
//! * An expression whose second, minute and hour are plain numbers, or lists of them, names fixed times of the day. When
//!   clocks go forward over such a time, it is due at the first moment after the gap. When clocks go back over it, it is
//!   due once, the first time.
//! * Any other expression (`*`, ranges, steps) follows the clock on the wall: what the gap leaves out is not due, and what
//!   the clock shows twice is due twice.
//!
//! Source: the same rules as Vixie cron's for jobs at fixed times and wildcard jobs.

use croner::{
    Cron as Pattern,
    parser::{CronParser, Seconds, Year},
};
use flowork_api_types::{Timestamp, schedule::CRON_BYTES_MAX};
use jiff::tz::TimeZone;

/// Fixed times of the day in one expression. With more it follows the clock on the wall, as `*` does.
const FIXED_TIMES_MAX: usize = 60;

/// How far ahead due times are looked for: further apart than any two of the same day and weekday of a calendar, and short
/// enough that the search for a day that never comes ends in a moment.
const YEARS_AHEAD: i16 = 100;
/// The last year that the search knows.
const YEARS_MAX: i16 = 5_000;

/// What expressions of six fields consist of, with what each may hold.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0-59"),
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of month", "1-31, L for the last day, 15W for the weekday nearest to the 15th"),
    ("month", "1-12 or JAN-DEC"),
    ("day of week", "0-7 or SUN-SAT (0 and 7 are Sunday), FRI#2 for the second Friday, FRI#L for the last"),
];

/// Why an expression says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Not five or six fields.
    #[error("the cron expression has {fields} fields; it needs 5, or 6 with the second in front")]
    Fields {
        /// How many it has.
        fields: usize,
    },
    /// An alias that there is none of.
    #[error("{alias:?} is not an alias; there are @hourly, @daily, @weekly, @monthly and @yearly")]
    Alias {
        /// As it was given.
        alias: String,
    },
    /// One field is not valid.
    #[error("the {name} field {text:?} is not valid; it takes {takes}")]
    Field {
        /// Which.
        name: &'static str,
        /// As it was given.
        text: String,
        /// What it may hold.
        takes: &'static str,
    },
    /// It is too long.
    #[error("the cron expression is longer than {CRON_BYTES_MAX} bytes")]
    TooLong,
    /// No moment ever meets it.
    #[error("the cron expression never comes true")]
    Never,
}

impl CronError {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Fields { .. } => {
                "minute, hour, day of month, month, day of week: 30 2 * * MON-FRI is 2:30 on workdays"
            }
            Self::Alias { .. } => "write the five fields out: @daily is 0 0 * * *",
            Self::Field { .. } => "fields take numbers, lists (1,15), ranges (1-5), steps (*/10) and *",
            Self::TooLong => "make several schedules of it",
            Self::Never => {
                "some days do not exist, such as 30 February; L as day of month is the last day of each month"
            }
        }
    }
}

/// An expression, understood.
#[derive(Clone, Debug)]
pub(super) struct Cron {
    /// One for each fixed time of the day, or else one in all.
    patterns: Vec<Pattern>,
}

impl Cron {
    /// Understands an expression; it has due times up to a hundred years after `now`.
    pub(super) fn parse(text: &str, now: Timestamp) -> Result<Self, CronError> {
        let last_year = year_of(now) + YEARS_AHEAD;
        if text.len() > CRON_BYTES_MAX {
            return Err(CronError::TooLong);
        }
        let text = spelled_out(text.trim())?;
        let mut fields: Vec<&str> = text.split_whitespace().collect();
        match fields.len() {
            5 => fields.insert(0, "0"),
            6 => {}
            count => return Err(CronError::Fields { fields: count }),
        }
        for (index, (name, takes)) in FIELDS.into_iter().enumerate() {
            // Alone among stars, so that the error is this field's.
            let mut alone = ["*"; 6];
            alone[index] = fields[index];
            let gaps = fields[index].split(',').any(str::is_empty);
            if gaps || !fields[index].is_ascii() || pattern(&alone, YEARS_MAX).is_none() {
                return Err(CronError::Field { name, text: fields[index].to_owned(), takes });
            }
        }
        let patterns: Option<Vec<Pattern>> = match fixed_times(&fields) {
            Some(times) => times.iter().map(|time| pattern(&[time, &fields[3..]].concat(), last_year)).collect(),
            None => pattern(&fields, last_year).map(|pattern| vec![pattern]),
        };
        // Each field is valid, and they are parsed one by one.
        patterns.map(|patterns| Self { patterns }).ok_or(CronError::Never)
    }

    pub(super) fn next_after(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let at = jiff::Timestamp::from_millisecond(at.as_millis()).ok()?.to_zoned(zone.clone());
        // Fixed times that one gap swallows are all due at its end, so they make one due time.
        let next = self.patterns.iter().filter_map(|pattern| pattern.find_next_occurrence(&at, false).ok());
        next.map(|next| Timestamp(next.timestamp().as_millisecond())).min()
    }
}

fn pattern(fields: &[&str], last_year: i16) -> Option<Pattern> {
    let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Required).build();
    parser.parse(&format!("{} 1970-{last_year}", fields.join(" "))).ok()
}

fn year_of(at: Timestamp) -> i16 {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
    at.to_zoned(TimeZone::UTC).year().clamp(1970, YEARS_MAX - YEARS_AHEAD)
}

/// Five fields instead of an alias.
fn spelled_out(text: &str) -> Result<String, CronError> {
    if !text.starts_with('@') {
        return Ok(text.to_owned());
    }
    let fields = match text.to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => return Err(CronError::Alias { alias: text.to_owned() }),
    };
    Ok(fields.to_owned())
}

/// Second, minute and hour of each fixed time, if the expression names nothing but such.
fn fixed_times<'a>(fields: &[&'a str]) -> Option<Vec<[&'a str; 3]>> {
    let plain = |field: &str| field.bytes().all(|byte| byte.is_ascii_digit() || byte == b',');
    let [seconds, minutes, hours] = [fields[0], fields[1], fields[2]];
    if ![seconds, minutes, hours].into_iter().all(plain) {
        return None;
    }
    let mut times = Vec::new();
    for hour in hours.split(',') {
        for minute in minutes.split(',') {
            times.extend(seconds.split(',').map(|second| [second, minute, hour]));
        }
    }
    (times.len() <= FIXED_TIMES_MAX).then_some(times)
}
