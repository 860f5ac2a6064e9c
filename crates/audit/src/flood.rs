//! Keeps a flood of calls that anybody can make, such as sign-ins that fail, from filling the disk: of too many, only
//! their number is written.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use flowork_api_types::audit::AuditOutcome;
use serde_json::json;

use crate::entry::{Actor, Entry};

/// What a count is of.
const WINDOW: Duration = Duration::from_mins(10);
/// Calls of one address in a window that are written one by one. A person who mistypes makes fewer.
const PER_ADDRESS_MAX: u32 = 20;
/// Calls of all addresses in a window that are written one by one. With the counts this is at most 10 MiB a day.
const ALL_MAX: u32 = 150;
/// Counts of a window that are written apart, those of the busiest addresses.
const COUNTS_MAX: usize = 16;
/// Addresses that are counted apart; more share one count.
const ADDRESSES_MAX: usize = 1_024;
/// Between two looks at all addresses.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);
/// Actions that are told apart in a count.
const ACTIONS_MAX: usize = 16;

/// The action of an entry that is a count.
pub(crate) const COUNTED: &str = "calls.counted";

/// What is to become of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Write,
    /// It was counted. The first of a count sets its timer.
    Counted {
        first: bool,
    },
}

/// The calls of the present window.
#[derive(Default)]
pub(crate) struct Flood(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    windows: HashMap<Option<Source>, Window>,
    all: Option<(Instant, u32)>,
    swept_at: Option<Instant>,
}

/// An address; of IPv6 the network, since one host has a whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Source {
    V4([u8; 4]),
    V6([u16; 4]),
    Unknown,
}

struct Window {
    began: Instant,
    written: u32,
    /// By action and outcome.
    counted: BTreeMap<(String, AuditOutcome), u64>,
}

impl Flood {
    pub(crate) fn take(&self, ip: Option<&str>, action: &str, outcome: AuditOutcome, now: Instant) -> Verdict {
        let mut counts = self.lock();
        let all = counts.all.get_or_insert((now, 0));
        if now.duration_since(all.0) >= WINDOW {
            *all = (now, 0);
        }
        let room = all.1 < ALL_MAX;
        // What is over and has nothing to tell makes room.
        if counts.windows.len() >= ADDRESSES_MAX
            && counts.swept_at.is_none_or(|at| now.duration_since(at) >= SWEEP_PAUSE)
        {
            counts.swept_at = Some(now);
            counts.windows.retain(|_, window| !window.counted.is_empty() || now.duration_since(window.began) < WINDOW);
        }
        let mut source = Some(Source::of(ip));
        if !counts.windows.contains_key(&source) && counts.windows.len() >= ADDRESSES_MAX {
            source = None;
        }
        let fresh = || Window { began: now, written: 0, counted: BTreeMap::new() };
        let window = counts.windows.entry(source).or_insert_with(fresh);
        if window.counted.is_empty() && now.duration_since(window.began) >= WINDOW {
            *window = fresh();
        }
        if room && window.written < PER_ADDRESS_MAX && window.counted.is_empty() {
            window.written += 1;
            if let Some(all) = &mut counts.all {
                all.1 += 1;
            }
            return Verdict::Write;
        }
        let first = window.counted.is_empty();
        let mut call = (action.to_owned(), outcome);
        if window.counted.len() >= ACTIONS_MAX && !window.counted.contains_key(&call) {
            "other".clone_into(&mut call.0);
        }
        *window.counted.entry(call).or_default() += 1;
        Verdict::Counted { first }
    }

    /// When the next count is to be written.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        let counts = self.lock();
        let waiting = counts.windows.values().filter(|window| !window.counted.is_empty());
        waiting.map(|window| window.began + WINDOW).min()
    }

    /// Counts whose minute is over, as entries.
    pub(crate) fn take_due(&self, now: Instant) -> Vec<Entry> {
        self.take_where(|window| now.duration_since(window.began) >= WINDOW)
    }

    /// All counts, as entries.
    pub(crate) fn take_all(&self) -> Vec<Entry> {
        self.take_where(|_| true)
    }

    fn take_where(&self, over: impl Fn(&Window) -> bool) -> Vec<Entry> {
        let taken: Vec<_> = self.lock().windows.extract_if(|_, window| over(window)).collect();
        let mut counted: Vec<_> = taken.into_iter().filter(|(_, window)| !window.counted.is_empty()).collect();
        counted.sort_by_key(|(_, window)| std::cmp::Reverse(window.count()));
        let mut rest = BTreeMap::new();
        for (_, window) in counted.drain(COUNTS_MAX.min(counted.len())..) {
            window.counted.into_iter().for_each(|(action, count)| *rest.entry(action).or_default() += count);
        }
        let mut entries: Vec<_> = counted.iter().map(|(source, window)| to_entry(*source, &window.counted)).collect();
        if !rest.is_empty() {
            entries.push(to_entry(None, &rest));
        }
        entries
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source {
    fn of(ip: Option<&str>) -> Self {
        match ip.and_then(|ip| ip.parse::<IpAddr>().ok()).map(|ip| ip.to_canonical()) {
            Some(IpAddr::V4(ip)) => Self::V4(ip.octets()),
            Some(IpAddr::V6(ip)) => {
                let [a, b, c, d, ..] = ip.segments();
                Self::V6([a, b, c, d])
            }
            None => Self::Unknown,
        }
    }

    fn text(self) -> Option<String> {
        match self {
            Self::V4(octets) => Some(IpAddr::from(octets).to_string()),
            Self::V6([a, b, c, d]) => Some(format!("{}/64", IpAddr::from([a, b, c, d, 0, 0, 0, 0]))),
            Self::Unknown => None,
        }
    }
}

impl Window {
    fn count(&self) -> u64 {
        self.counted.values().sum()
    }
}

fn to_entry(source: Option<Source>, counted: &BTreeMap<(String, AuditOutcome), u64>) -> Entry {
    let refused = counted.keys().any(|(_, outcome)| *outcome == AuditOutcome::Refused);
    let calls: Vec<_> = counted
        .iter()
        .map(|((action, outcome), count)| json!({"action": action, "outcome": outcome, "count": count}))
        .collect();
    let count: u64 = counted.values().sum();
    let detail = json!({
        "count": count,
        "calls": calls,
        "within_ms": WINDOW.as_millis() as u64,
        "many_addresses": source.is_none(),
    });
    let outcome = if refused { AuditOutcome::Refused } else { AuditOutcome::Done };
    let entry = Entry::new(Actor::nobody(), COUNTED).outcome(outcome).detail(&detail);
    match source.and_then(Source::text) {
        Some(ip) => entry.ip(ip),
        None => entry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_from_one_address_becomes_one_count_and_others_are_still_written() {
        let (flood, now) = (Flood::default(), Instant::now());
        let verdicts: Vec<_> =
            (0..1_000).map(|_| flood.take(Some("192.0.2.1"), "session.verify", AuditOutcome::Refused, now)).collect();
        let written = verdicts.iter().filter(|verdict| **verdict == Verdict::Write).count();
        assert_eq!(written, PER_ADDRESS_MAX as usize);
        let firsts = verdicts.iter().filter(|verdict| **verdict == Verdict::Counted { first: true }).count();
        assert_eq!(firsts, 1, "one timer");
        assert_eq!(flood.take(Some("192.0.2.2"), "session.verify", AuditOutcome::Refused, now), Verdict::Write);

        assert_eq!(flood.due_at(), Some(now + WINDOW));
        assert!(flood.take_due(now + WINDOW / 2).is_empty(), "the window is not over");
        let counts = flood.take_due(now + WINDOW);
        assert_eq!(counts.len(), 1);
        assert_eq!(counts[0].ip.as_deref(), Some("192.0.2.1"));
        assert!(counts[0].detail.as_deref().unwrap().contains("\"count\":980"), "{:?}", counts[0].detail);
        assert_eq!(flood.due_at(), None);
        assert_eq!(
            flood.take(Some("192.0.2.1"), "session.verify", AuditOutcome::Refused, now + WINDOW),
            Verdict::Write,
            "a new window"
        );
    }

    #[test]
    fn hosts_of_one_ipv6_network_are_one() {
        let (flood, now) = (Flood::default(), Instant::now());
        for host in 0..PER_ADDRESS_MAX {
            assert_eq!(
                flood.take(Some(&format!("2001:db8::{host:x}")), "a", AuditOutcome::Refused, now),
                Verdict::Write
            );
        }
        assert_eq!(
            flood.take(Some("2001:db8::ffff"), "a", AuditOutcome::Refused, now),
            Verdict::Counted { first: true }
        );
        assert_eq!(flood.take_all()[0].ip.as_deref(), Some("2001:db8::/64"));
    }

    #[test]
    fn a_million_addresses_take_bounded_memory_and_few_rows() {
        let (flood, now) = (Flood::default(), Instant::now());
        let mut written = 0;
        for address in 0..1_000_000_u32 {
            let ip = std::net::Ipv4Addr::from(address).to_string();
            written += u32::from(flood.take(Some(&ip), "a", AuditOutcome::Refused, now) == Verdict::Write);
        }
        assert_eq!(written, ALL_MAX);
        assert!(flood.lock().windows.len() <= ADDRESSES_MAX + 1);
        let counts = flood.take_all();
        assert!(counts.len() <= COUNTS_MAX + 1, "{}", counts.len());
    }
}
