//! The tables, as Markdown.

use std::fmt::Write as _;

use super::{
    durability::{Counted, Durability},
    entrants::Entrant,
    plan::{CLIENTS, Depth, Figures, PACE, Plan, Row, SHALLOW, WORKERS},
};
use crate::disk::Fsync;

/// All that a run found out.
pub(super) struct Report {
    pub(super) plan: Plan,
    /// The disk, before and after.
    pub(super) disk: [Fsync; 2],
    /// In the order of the columns; for who could not be measured, why.
    pub(super) contenders: Vec<(Entrant, Result<Figures, String>)>,
    /// Jobs a second over HTTP, or why there is no such figure.
    pub(super) http: Result<f64, String>,
}

/// How a figure is written and compared.
#[derive(Clone, Copy)]
enum Unit {
    /// Jobs a second.
    Rate,
    Milliseconds,
    MebiBytes,
}

/// A row at a depth.
type RowAt = fn(Depth) -> Row;

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::Rate => thousands(value),
            Self::Milliseconds => format!("{value:.2} ms"),
            Self::MebiBytes => format!("{value:.0} MiB"),
        }
    }
}

impl Report {
    /// Everything, ready to be put into a document.
    pub(super) fn markdown(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("writing to a text cannot fail");
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        for (when, disk) in ["before", "after"].into_iter().zip(&self.disk) {
            let ms = |quantile| disk.latency.value_at_quantile(quantile) as f64 / 1e3;
            let (p50, p99) = (ms(0.5), ms(0.99));
            writeln!(text, "Disk {when} the run: {:.0} fsync/s, p50 {p50:.2} ms, p99 {p99:.2} ms.", disk.per_second)?;
        }
        self.write_classes(text)?;
        self.write_figures(text)?;
        self.write_depth(text)?;
        self.write_goals(text)
    }

    fn measured(&self) -> impl Iterator<Item = (Entrant, &Figures)> {
        self.contenders.iter().filter_map(|(entrant, found)| Some((*entrant, found.as_ref().ok()?)))
    }

    fn of(&self, entrant: Entrant) -> Option<&Figures> {
        self.measured().find_map(|(measured, figures)| (measured == entrant).then_some(figures))
    }

    fn value(&self, entrant: Entrant, row: Row) -> Option<f64> {
        self.of(entrant)?.rows.get(&row).copied()
    }

    fn write_classes(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "\n| who | as measured | an answered enqueue is | the end of a job, before the next one starts, is |"
        )?;
        writeln!(text, "| --- | --- | --- | --- |")?;
        for (entrant, found) in &self.contenders {
            let name = entrant.name();
            match found {
                Err(reason) => writeln!(text, "| {name} | **not measured**: {} | | |", cell(reason))?,
                Ok(Figures { setup, calls: Err(reason), .. }) => {
                    writeln!(text, "| {name} | {setup} | not determined: {} | |", cell(reason))?;
                }
                Ok(Figures { setup, calls: Ok(Counted { enqueue, finish }), .. }) => {
                    let (enqueued, finished) = (enqueue.durability(), finish.durability());
                    writeln!(text, "| {name} | {setup} | {enqueued} ({enqueue}) | {finished} ({finish}) |")?;
                }
            }
        }
        writeln!(text, "\nCounted with strace for 100 jobs, one client or one worker at a time.")
    }

    fn write_head(&self, text: &mut String) -> std::fmt::Result {
        let names: Vec<_> = self.contenders.iter().map(|(entrant, _)| entrant.name()).collect();
        writeln!(text, "\n| | {} |", names.join(" | "))?;
        writeln!(text, "| ---{} |", " | ---".repeat(names.len()))
    }

    /// One row: ours, then each other's with ours as a multiple of it.
    fn write_row(&self, text: &mut String, name: &str, row: Row, unit: Unit) -> std::fmt::Result {
        let ours = self.value(Entrant::Flowork, row);
        write!(text, "| {name} |")?;
        for (entrant, _) in &self.contenders {
            match (self.value(*entrant, row), ours) {
                (None, _) => write!(text, " – |")?,
                (Some(theirs), Some(ours)) if *entrant != Entrant::Flowork => {
                    write!(text, " {} (**{:.2}**) |", unit.show(theirs), ours / theirs)?;
                }
                (Some(value), _) => write!(text, " {} |", unit.show(value))?,
            }
        }
        writeln!(text)
    }

    /// One row of counts that nobody is better or worse by.
    fn write_plain(&self, text: &mut String, name: &str, row: Row) -> std::fmt::Result {
        write!(text, "| {name} |")?;
        for (entrant, _) in &self.contenders {
            write!(text, " {} |", self.value(*entrant, row).map_or("–".to_owned(), thousands))?;
        }
        writeln!(text)
    }

    fn write_figures(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "\nIn parentheses: Flowork's figure as a multiple of theirs.")?;
        self.write_head(text)?;
        self.write_plain(text, "the disk right before, fsync/s", Row::Disk)?;
        for clients in CLIENTS {
            self.write_row(text, &format!("enqueue/s, {clients} client(s)"), Row::Enqueue(clients), Unit::Rate)?;
        }
        for workers in WORKERS {
            self.write_row(text, &format!("claim + finish/s, {workers} worker(s)"), Row::Work(workers), Unit::Rate)?;
        }
        let latencies = [
            ("enqueue → claim alone, p50".to_owned(), Row::IdleP50),
            ("enqueue → claim alone, p99".to_owned(), Row::IdleP99),
            (format!("enqueue → claim at {PACE} jobs/s, p50"), Row::PaceP50),
            (format!("enqueue → claim at {PACE} jobs/s, p99"), Row::PaceP99),
        ];
        for (name, row) in latencies {
            self.write_row(text, &name, row, Unit::Milliseconds)?;
        }
        Ok(())
    }

    /// What becomes of it in a long queue.
    fn write_depth(&self, text: &mut String) -> std::fmt::Result {
        let wanted = thousands(self.plan.deep as f64);
        writeln!(
            text,
            "\nFrom {} to {wanted} queued jobs, or as many as {:.0} s were enough for:",
            thousands(SHALLOW as f64),
            self.plan.fill_seconds
        )?;
        self.write_head(text)?;
        self.write_plain(text, "queued jobs reached", Row::Queued(Depth::Deep))?;
        let rows: [(&str, RowAt, Unit); 4] = [
            ("enqueue/s, 64 clients", Row::EnqueueAt, Unit::Rate),
            ("claim + finish/s, 8 workers", Row::WorkAt, Unit::Rate),
            ("one claim + finish, 1 worker", Row::ClaimAt, Unit::Milliseconds),
            ("memory of the queue's processes", Row::Memory, Unit::MebiBytes),
        ];
        for (name, row, unit) in rows {
            write!(text, "| {name} |")?;
            for (entrant, _) in &self.contenders {
                let (few, many) = (self.value(*entrant, row(Depth::Shallow)), self.value(*entrant, row(Depth::Deep)));
                match (few, many) {
                    (Some(few), Some(many)) => {
                        let times = many / few;
                        write!(text, " {} → {} (×{times:.2}) |", unit.show(few), unit.show(many))?;
                    }
                    _ => write!(text, " – |")?,
                }
            }
            writeln!(text)?;
        }
        Ok(())
    }

    fn write_goals(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "\n| goal | wanted | found | |\n| --- | --- | --- | --- |")?;
        let ours = |row| self.value(Entrant::Flowork, row);
        let divided = |a: Option<f64>, b: Option<f64>| Some(a? / b?);
        let floor = divided(ours(Row::Enqueue(512)), self.value(Entrant::Floor, Row::Enqueue(512)));
        let claim = divided(ours(Row::ClaimAt(Depth::Deep)), ours(Row::ClaimAt(Depth::Shallow)));
        let limits = divided(ours(Row::Limited), ours(Row::Unlimited)).map(|kept| 1.0 - kept);
        let http = divided(self.http.as_ref().ok().copied(), ours(Row::Enqueue(64)));
        let fsync_p99 =
            self.disk.iter().map(|disk| disk.latency.value_at_quantile(0.99) as f64 / 1e3).fold(0.0, f64::max);
        let pace = ours(Row::PaceP99);
        goal(text, "enqueue/s at 512 clients, of the floor", "≥ 0.80", floor, |found| found >= 0.8)?;
        goal(text, "enqueue/s at 512 clients", "≥ 40,000", ours(Row::Enqueue(512)), |found| found >= 40_000.0)?;
        goal(text, "claim time from a short to a long queue", "≤ 1.2 ×", claim, |found| found <= 1.2)?;
        let allowed = fsync_p99 + 5.0;
        let name = format!("enqueue → claim p99 at {PACE} jobs/s, ms, checkpoints included");
        goal(text, &name, &format!("≤ {allowed:.2} (fsync p99 + 5)"), pace, |found| found <= allowed)?;
        goal(text, "`POST /v1/jobs` at 64 connections, of the in-process rate", "≥ 0.50", http, |found| {
            found >= 0.5
        })?;
        goal(text, "throughput that three limits cost", "≤ 0.10", limits, |found| found <= 0.1)?;
        if let Err(reason) = &self.http {
            writeln!(text, "\nHTTP was not measured: {}.", cell(reason))?;
        }
        self.write_behind(text)
    }

    /// Each row of the tables where a peer of our own class is ahead.
    fn write_behind(&self, text: &mut String) -> std::fmt::Result {
        let peers = self.measured().filter(|(entrant, _)| Entrant::PEERS.contains(entrant));
        let (mut same, mut behind) = (Vec::new(), Vec::new());
        for (entrant, figures) in peers {
            let Ok(Counted { enqueue, finish }) = &figures.calls else { continue };
            let synced = |ends: bool| if ends { finish } else { enqueue }.durability() == Durability::Synced;
            match (synced(false), synced(true)) {
                (true, true) => same.push(entrant.name().to_owned()),
                (true, false) => same.push(format!("{} (its enqueues only)", entrant.name())),
                (false, true) => same.push(format!("{} (its ends only)", entrant.name())),
                (false, false) => {}
            }
            for (row, theirs) in figures.rows.iter().filter(|(row, _)| synced(row.is_about_ends())) {
                let Some(ours) = self.value(Entrant::Flowork, *row) else { continue };
                if row.less_is_better().is_some_and(|less| if less { ours > *theirs } else { ours < *theirs }) {
                    behind.push(format!("{row:?} of {} ({:.2})", entrant.name(), ours / theirs));
                }
            }
        }
        writeln!(text, "\nPeers of the same class (answered after fsync): {}.", list(&same))?;
        writeln!(text, "Rows where one of them is ahead: {}.", list(&behind))
    }
}

impl Row {
    /// Whether it measures the ends of jobs, and not only their enqueues and starts.
    fn is_about_ends(self) -> bool {
        matches!(self, Self::Work(_) | Self::WorkAt(_) | Self::ClaimAt(_))
    }

    /// Whether the smaller figure is the better one; none where neither is.
    fn less_is_better(self) -> Option<bool> {
        match self {
            Self::Enqueue(_) | Self::Work(_) | Self::EnqueueAt(_) | Self::WorkAt(_) => Some(false),
            Self::IdleP50 | Self::IdleP99 | Self::PaceP50 | Self::PaceP99 | Self::ClaimAt(_) | Self::Memory(_) => {
                Some(true)
            }
            Self::Disk | Self::Queued(_) | Self::Limited | Self::Unlimited => None,
        }
    }
}

fn goal(
    text: &mut String,
    name: &str,
    wanted: &str,
    found: Option<f64>,
    met: impl Fn(f64) -> bool,
) -> std::fmt::Result {
    match found {
        None => writeln!(text, "| {name} | {wanted} | not measured | |"),
        Some(found) => {
            let shown = if found >= 1_000.0 { thousands(found) } else { format!("{found:.2}") };
            writeln!(text, "| {name} | {wanted} | {shown} | {} |", if met(found) { "met" } else { "**missed**" })
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Text that does not end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "/").replace('\n', " ")
}

/// A whole number with its thousands apart.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_thousands_apart() {
        for (value, shown) in [(0.0, "0"), (999.4, "999"), (1_000.0, "1,000"), (1_234_567.0, "1,234,567")] {
            assert_eq!(thousands(value), shown);
        }
    }

    #[test]
    fn who_could_not_be_measured_is_named_with_the_reason() {
        let empty = || Fsync { per_second: 1.0, latency: hdrhistogram::Histogram::new(3).unwrap() };
        let report = Report {
            plan: Plan::QUICK,
            disk: [empty(), empty()],
            contenders: vec![(Entrant::Bullmq, Err("no redis|server".to_owned()))],
            http: Err("no program".to_owned()),
        };
        let text = report.markdown();
        assert!(text.contains("| BullMQ | **not measured**: no redis/server |"), "{text}");
        assert!(text.contains("HTTP was not measured: no program."), "{text}");
    }
}
