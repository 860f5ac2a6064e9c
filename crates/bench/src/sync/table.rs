//! The table that is printed, in which every goal that was missed is marked.

use hdrhistogram::Histogram;

/// What was promised of a duration, in milliseconds; nothing of what is `None`.
#[derive(Clone, Copy, Default)]
pub(super) struct Goal {
    pub(super) p50: Option<f64>,
    pub(super) p99: Option<f64>,
    pub(super) max: Option<f64>,
}

pub(super) fn begin() {
    println!("| what | goal | measured |\n| --- | --- | --- |");
}

pub(super) fn row(what: &str, goal: &str, measured: &str) {
    println!("| {what} | {goal} | {measured} |");
}

/// A row of durations in microseconds.
pub(super) fn durations(what: &str, goal: Goal, measured: &Histogram<u64>) {
    row(what, &goal.promise(), &goal.judge(measured));
}

/// A figure, marked if it is not what was promised.
pub(super) fn figure(text: &str, met: bool) -> String {
    if met { text.to_owned() } else { format!("{text} **missed**") }
}

impl Goal {
    fn parts(self) -> [(&'static str, Option<f64>); 3] {
        [("p50", self.p50), ("p99", self.p99), ("max", self.max)]
    }

    fn promise(self) -> String {
        let promised = self.parts().into_iter().filter_map(|(name, goal)| Some(format!("{name} ≤ {} ms", goal?)));
        promised.collect::<Vec<_>>().join(", ")
    }

    fn judge(self, microseconds: &Histogram<u64>) -> String {
        let found = [microseconds.value_at_quantile(0.5), microseconds.value_at_quantile(0.99), microseconds.max()];
        let figures = self.parts().into_iter().zip(found).map(|((name, goal), found)| {
            let found_ms = found as f64 / 1e3;
            // No promise is kept by what was not measured.
            let met = goal.is_none_or(|goal_ms| found_ms <= goal_ms && !microseconds.is_empty());
            figure(&format!("{name} {found_ms:.2} ms"), met)
        });
        format!("{} of {}", figures.collect::<Vec<_>>().join(", "), microseconds.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::histogram;

    #[test]
    fn a_goal_that_was_missed_says_so_beside_its_figure() {
        let goal = Goal { p50: Some(2.0), p99: Some(10.0), max: None };
        assert_eq!(goal.promise(), "p50 ≤ 2 ms, p99 ≤ 10 ms");
        let mut taken = histogram();
        taken.record_n(1_000, 90).unwrap();
        taken.record_n(30_000, 10).unwrap();
        let judged = goal.judge(&taken);
        assert!(judged.starts_with("p50 1.00 ms, p99 30.0"), "{judged}");
        assert_eq!(judged.matches("ms **missed**, max").count(), 1, "the p99 and nothing else: {judged}");
        assert_eq!(judged.matches("missed").count(), 1, "{judged}");
        assert!(goal.judge(&histogram()).contains("missed"), "nothing was measured");
    }
}
