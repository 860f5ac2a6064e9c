//! Keeps a flood of calls from filling the disk: of too many, only their number is written. Calls that anybody can make,
//! such as sign-ins that fail, are counted by address; what somebody did who is known is counted by who it was, apart
//! from the others, so that no stranger's flood hides it.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use flowork_api_types::audit::{ActorKind, AuditOutcome};
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
/// Calls of one known caller in a window that are written one by one. A person who works hard makes fewer.
const PER_ACTOR_MAX: u32 = 200;
/// Windows of known callers: more callers than a node has. Calls of more are written.
const ACTORS_MAX: usize = 4_096;
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
    /// By caller, and whether they were refused: what somebody was not let do must not hide what they did.
    actors: HashMap<(ActorKind, String, bool), Window>,
    actors_swept_at: Option<Instant>,
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
        let window = counts.windows.entry(source).or_insert_with(|| Window::new(now));
        window.begin_anew_if_over(now);
        if room && window.written < PER_ADDRESS_MAX && window.counted.is_empty() {
            window.written += 1;
            if let Some(all) = &mut counts.all {
                all.1 += 1;
            }
            return Verdict::Write;
        }
        window.count_one(action, outcome)
    }

    /// The same for a caller who is known, whatever all others do.
    pub(crate) fn take_of(&self, actor: &Actor, action: &str, outcome: AuditOutcome, now: Instant) -> Verdict {
        let Some(subject) = &actor.subject else { return Verdict::Write };
        let mut counts = self.lock();
        let key = (actor.kind, subject.clone(), outcome == AuditOutcome::Refused);
        if counts.actors.len() >= ACTORS_MAX && !counts.actors.contains_key(&key) {
            if counts.actors_swept_at.is_none_or(|at| now.duration_since(at) >= SWEEP_PAUSE) {
                counts.actors_swept_at = Some(now);
                counts
                    .actors
                    .retain(|_, window| !window.counted.is_empty() || now.duration_since(window.began) < WINDOW);
            }
            if counts.actors.len() >= ACTORS_MAX {
                return Verdict::Write;
            }
        }
        let window = counts.actors.entry(key).or_insert_with(|| Window::new(now));
        window.begin_anew_if_over(now);
        if window.written < PER_ACTOR_MAX && window.counted.is_empty() {
            window.written += 1;
            return Verdict::Write;
        }
        window.count_one(action, outcome)
    }

    /// When the next count is to be written.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        let counts = self.lock();
        let all = counts.windows.values().chain(counts.actors.values());
        let waiting = all.filter(|window| !window.counted.is_empty());
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
        let mut counts = self.lock();
        let of_actors: Vec<_> = counts.actors.extract_if(|_, window| over(window)).collect();
        let taken: Vec<_> = counts.windows.extract_if(|_, window| over(window)).collect();
        drop(counts);
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
        // Who it was is never lost in a sum: they are few, and each of them has a name.
        let of_actors = of_actors.into_iter().filter(|(_, window)| !window.counted.is_empty());
        entries.extend(
            of_actors
                .map(|((kind, subject, _), window)| count_entry(Actor::named(kind, subject), false, &window.counted)),
        );
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
    fn new(began: Instant) -> Self {
        Self { began, written: 0, counted: BTreeMap::new() }
    }

    /// Unless it has something to tell.
    fn begin_anew_if_over(&mut self, now: Instant) {
        if self.counted.is_empty() && now.duration_since(self.began) >= WINDOW {
            *self = Self::new(now);
        }
    }

    fn count_one(&mut self, action: &str, outcome: AuditOutcome) -> Verdict {
        let first = self.counted.is_empty();
        let mut call = (action.to_owned(), outcome);
        if self.counted.len() >= ACTIONS_MAX && !self.counted.contains_key(&call) {
            "other".clone_into(&mut call.0);
        }
        *self.counted.entry(call).or_default() += 1;
        Verdict::Counted { first }
    }

    fn count(&self) -> u64 {
        self.counted.values().sum()
    }
}

fn to_entry(source: Option<Source>, counted: &BTreeMap<(String, AuditOutcome), u64>) -> Entry {
    let entry = count_entry(Actor::nobody(), source.is_none(), counted);
    match source.and_then(Source::text) {
        Some(ip) => entry.ip(ip),
        None => entry,
    }
}

fn count_entry(actor: Actor, many_addresses: bool, counted: &BTreeMap<(String, AuditOutcome), u64>) -> Entry {
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
        "many_addresses": many_addresses,
    });
    let outcome = if refused { AuditOutcome::Refused } else { AuditOutcome::Done };
    Entry::new(actor, COUNTED).outcome(outcome).detail(&detail)
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
    fn of_a_known_caller_so_many_are_written_and_the_rest_is_counted_by_name() {
        let (flood, now) = (Flood::default(), Instant::now());
        let (ann, ben) = (Actor::named(ActorKind::Person, "ann"), Actor::named(ActorKind::Person, "ben"));
        let take = |actor: &Actor, at| flood.take_of(actor, "session.update", AuditOutcome::Done, at);
        let written = (0..1_000).filter(|_| take(&ann, now) == Verdict::Write).count();
        assert_eq!(written, PER_ACTOR_MAX as usize);
        assert_eq!(take(&ben, now), Verdict::Write, "another one has a window of their own");
        let engine = Actor::named(ActorKind::Engine, "ann");
        assert_eq!(take(&engine, now), Verdict::Write, "so has another kind of caller of the same name");
        assert_eq!(flood.due_at(), Some(now + WINDOW));
        let counts = flood.take_due(now + WINDOW);
        assert_eq!(counts.len(), 1);
        assert_eq!(counts[0].actor, ann);
        assert!(counts[0].detail.as_deref().unwrap().contains("\"count\":800"), "{:?}", counts[0].detail);
        assert_eq!(take(&ann, now + WINDOW), Verdict::Write, "a new window");
    }

    #[test]
    fn what_a_known_caller_is_refused_hides_nothing_of_what_they_do() {
        let (flood, now) = (Flood::default(), Instant::now());
        let ann = Actor::named(ActorKind::Person, "ann");
        let take = |outcome| flood.take_of(&ann, "member.update", outcome, now);
        let written = (0..1_000).filter(|_| take(AuditOutcome::Refused) == Verdict::Write).count();
        assert_eq!(written, PER_ACTOR_MAX as usize, "so many, and not all that they try");
        assert_eq!(take(AuditOutcome::Done), Verdict::Write);
        let counts = flood.take_all();
        assert_eq!((counts.len(), &counts[0].actor), (1, &ann));
    }

    #[test]
    fn a_flood_of_strangers_hides_nothing_of_who_is_known() {
        let (flood, now) = (Flood::default(), Instant::now());
        for address in 0..10_000_u32 {
            let ip = std::net::Ipv4Addr::from(address).to_string();
            flood.take(Some(&ip), "a", AuditOutcome::Refused, now);
        }
        for n in 0..2 * ACTORS_MAX {
            let actor = Actor::named(ActorKind::Person, format!("m_{n}"));
            assert_eq!(flood.take_of(&actor, "a", AuditOutcome::Done, now), Verdict::Write, "{n}");
        }
        assert!(flood.lock().actors.len() <= ACTORS_MAX, "in bounded memory");
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
