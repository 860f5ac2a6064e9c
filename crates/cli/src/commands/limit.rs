//! `flowork limit list`, `set` and `remove`

use flowork_api_types::limit::{Limit, LimitList, LimitTarget, Rate, SetLimitRequest};
use serde_json::json;

use crate::{
    client::{Client, path_segment},
    duration,
    exit::Failure,
    output::{Format, table},
};

/// Limit how much runs at once and how often jobs start
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the limits
    List,
    /// Set the limit of a target, new or anew; it holds at once, for all workers
    Set {
        /// kind:NAME, user:SUBJECT, queue:NAME, provider:NAME or key:CONCURRENCY_KEY
        target: LimitTarget,
        /// Jobs that may run at once; 0 holds all of them back
        #[arg(long, value_name = "NUMBER", required_unless_present = "rate")]
        concurrency: Option<u32>,
        /// Starts a period, such as 10/s, 600/m or 5/30s
        #[arg(long, value_name = "COUNT/PERIOD", value_parser = parse_rate)]
        rate: Option<Rate>,
    },
    /// Remove the limit of a target
    Remove {
        /// As `list` shows it
        target: LimitTarget,
    },
}

pub(super) async fn run(command: Command, client: &Client, format: Format) -> Result<(), Failure> {
    match command {
        Command::List => {
            let limits: LimitList = client.get("/v1/limits").await?;
            format.print(&limits, |limits| {
                let rows: Vec<_> = limits.items.iter().map(row).collect();
                table(&["TARGET", "CONCURRENCY", "RATE", "RUNNING"], &rows)
            })
        }
        Command::Set { target, concurrency, rate } => {
            let limit: Limit = client.put(&path_of(&target), &SetLimitRequest { concurrency, rate }).await?;
            format.print(&limit, |limit| format!("{} is limited.", limit.rule.target))
        }
        Command::Remove { target } => {
            client.delete(&path_of(&target)).await?;
            format.print(&json!({"removed": target}), |_| format!("{target} is not limited any more."))
        }
    }
}

fn path_of(target: &LimitTarget) -> String {
    format!("/v1/limits/{}", path_segment(&target.to_string()))
}

fn row(limit: &Limit) -> Vec<String> {
    let rule = &limit.rule;
    let dash = || "-".to_owned();
    vec![
        rule.target.to_string(),
        rule.concurrency.map_or_else(dash, |concurrency| concurrency.to_string()),
        rule.rate.map_or_else(dash, |rate| format!("{}/{}", rate.count, period(rate.per_ms))),
        limit.running.to_string(),
    ]
}

/// Reads `10/s` and `5/30s`.
fn parse_rate(text: &str) -> Result<Rate, String> {
    let form = || "a rate is a count and a period: 10/s, 600/m, 5/30s".to_owned();
    let (count, period) = text.split_once('/').ok_or_else(form)?;
    let count = count.trim().parse().map_err(|_| form())?;
    let period = period.trim();
    let one = period.chars().next().is_some_and(|first| !first.is_ascii_digit());
    let per = duration::parse(&if one { format!("1{period}") } else { period.to_owned() }).map_err(|_| form())?;
    Ok(Rate { count, per_ms: per.as_millis() as u64 })
}

/// The shortest form that `parse_rate` reads.
fn period(per_ms: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
    let (size, unit) = units.into_iter().find(|(size, _)| per_ms.is_multiple_of(*size)).unwrap_or((1, "ms"));
    match per_ms / size {
        1 => unit.to_owned(),
        many => format!("{many}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_they_are_shown() {
        for (text, count, per_ms) in
            [("10/s", 10, 1_000), ("600/m", 600, 60_000), ("5/30s", 5, 30_000), ("1/1500ms", 1, 1_500)]
        {
            let rate = parse_rate(text).unwrap();
            assert_eq!((rate.count, rate.per_ms), (count, per_ms), "{text}");
            assert_eq!(format!("{}/{}", rate.count, period(rate.per_ms)), text);
        }
        for bad in ["", "10", "10/", "/s", "x/s", "10/fortnight", "-1/s"] {
            assert!(parse_rate(bad).is_err(), "{bad}");
        }
    }
}
