//! The autoscaler's decisions in sentences.

use std::time::Duration;

use flowork_api_types::autoscale::AutoscaleReason;

use super::{
    AutoscaleOptions, Basis,
    rules::{History, Load, PATIENCE_DOWN, PATIENCE_UP, Step, Window, holds_peak},
};

/// Why a step was taken.
pub(super) fn of_step(options: &AutoscaleOptions, step: Step, from: u32, load: &Load, history: &History) -> String {
    let target = milliseconds(options.target_latency);
    match step.reason {
        AutoscaleReason::ClaimDelay => format!(
            "One worker more: in {PATIENCE_UP} windows of 10 s in a row jobs waited longer than three times the target \
             of {target}; {}.",
            delay(history.newest())
        ),
        AutoscaleReason::Headroom => format!(
            "One worker more: {}, less than {} times the last hour's peak of {}.",
            can_do(from, load),
            options.headroom_factor,
            rate(load.peak)
        ),
        AutoscaleReason::Quiet => format!(
            "One worker less: in {PATIENCE_DOWN} windows of 10 s in a row jobs waited less than 0.3 times the target of \
             {target}, and workers were busy {} of their time; {}.",
            percent(history.utilization()),
            enough(step.to, options, load)
        ),
        AutoscaleReason::Fixed | AutoscaleReason::Unfixed => unreachable!("the rules take no part for a person"),
    }
}

/// What followed when a person fixed the number, or left it to others again.
pub(super) fn of_person(basis: &Basis, from: u32, to: u32, fixed: bool) -> String {
    let before = if from == to { "as many as there were".to_owned() } else { format!("before there {}", were(from)) };
    if fixed {
        return format!("A person decided on {}; {before}.", workers(to));
    }
    let by = if matches!(basis, Basis::Load(_)) { "the load" } else { "the setting `workers`" };
    format!("A person left the number to {by} again: {}, {before}.", workers(to))
}

/// Why there are as many workers as there are, where no rule is asked.
pub(super) fn of_rest(basis: &Basis, fixed: Option<u32>) -> String {
    match (basis, fixed) {
        (Basis::Recovery, _) => "The node was started for recovery, so that it runs no jobs.".to_owned(),
        (Basis::Load(_), Some(_)) => "A person decided on their number, until it is left to the load again.".to_owned(),
        (Basis::Setting(_), Some(_)) => {
            "A person decided on their number, until it is left to the setting `workers` again.".to_owned()
        }
        (Basis::Load(_) | Basis::Setting(_), None) => {
            "The setting `workers` fixes their number; without it they follow the load.".to_owned()
        }
    }
}

/// Why there are as many workers as there are.
pub(super) fn of_stay(options: &AutoscaleOptions, workers: u32, history: &History) -> String {
    let load = history.load();
    let slow = history.slow_in_a_row(options);
    if slow > 0 && workers >= options.workers_max {
        return format!(
            "Jobs wait too long ({}), but {workers} workers are the most allowed.",
            delay(history.newest())
        );
    }
    if slow > 0 {
        return format!(
            "Jobs wait too long ({}); once that was so in {PATIENCE_UP} windows of 10 s in a row there is one worker \
             more. So far it was in {slow}.",
            delay(history.newest())
        );
    }
    if workers <= options.workers_min {
        return format!("Jobs are claimed in time, and {} the fewest allowed.", are(workers));
    }
    if !holds_peak(options, &load, workers - 1) {
        return format!(
            "Jobs are claimed in time; {}, less than {} times the last hour's peak of {}.",
            can_do(workers - 1, &load),
            options.headroom_factor,
            rate(load.peak)
        );
    }
    format!(
        "Jobs are claimed in time; after {PATIENCE_DOWN} quiet windows of 10 s in a row, with workers busy less than 50 % \
         of their time, there is one worker less. So far {} were quiet, and workers were busy {} of their time.",
        history.quiet_in_a_row(options).min(PATIENCE_DOWN),
        percent(history.utilization())
    )
}

fn delay(window: Option<&Window>) -> String {
    match window {
        Some(Window { claim_delay_p95: Some(p95), .. }) => format!("the p95 claim delay was {}", milliseconds(*p95)),
        _ => "none could be claimed, because every worker was busy".to_owned(),
    }
}

fn enough(workers: u32, options: &AutoscaleOptions, load: &Load) -> String {
    if load.peak == 0.0 {
        return "nothing was started in the last hour".to_owned();
    }
    format!(
        "{}, at least {} times the last hour's peak of {}",
        can_do(workers, load),
        options.headroom_factor,
        rate(load.peak)
    )
}

fn can_do(workers: u32, load: &Load) -> String {
    let workers_text = self::workers(workers);
    match load.capacity(workers) {
        Some(capacity) => format!("{workers_text} can do {}", rate(capacity)),
        None => format!("what {workers_text} can do is not known while no job has ended"),
    }
}

fn workers(count: u32) -> String {
    if count == 1 { "1 worker".to_owned() } else { format!("{count} workers") }
}

fn were(count: u32) -> String {
    if count == 1 { "was 1".to_owned() } else { format!("were {count}") }
}

fn are(workers: u32) -> String {
    if workers == 1 { "1 worker is".to_owned() } else { format!("{workers} workers are") }
}

fn milliseconds(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn rate(per_s: f64) -> String {
    if per_s >= 10.0 { format!("{per_s:.0} jobs/s") } else { format!("{per_s:.2} jobs/s") }
}
