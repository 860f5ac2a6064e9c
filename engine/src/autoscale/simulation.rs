//! Hours of load against the rules, with a clock of the test's own and seeded chance.

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};

use super::{rules::holds_peak, *};

/// A node in numbers: jobs come, wait, run and end, second by second.
struct Node {
    measures: Measures,
    scaler: Autoscaler,
    second: i64,
    /// Seconds since which each waiting job waits, the longest first.
    waiting: VecDeque<i64>,
    /// Seconds at which running jobs end.
    running: Vec<i64>,
    busy: Duration,
    decisions: Vec<AutoscaleDecision>,
}

/// The start of a window.
const START: i64 = 1_767_225_600_000;

impl Node {
    fn new(options: AutoscaleOptions, workers: u32) -> Self {
        let engine_id = "eng_01930c5ea2f07a3c8000000000000001".parse().unwrap();
        let scaler = Autoscaler::new(engine_id, Basis::Load(options), workers);
        let (measures, busy) = (Measures::default(), Duration::ZERO);
        Self { measures, scaler, second: 0, waiting: VecDeque::new(), running: Vec::new(), busy, decisions: Vec::new() }
    }

    fn tick(&mut self, arrivals: u64, mut takes_seconds: impl FnMut() -> i64) {
        let now = Timestamp(START + self.second * 1_000);
        let workers = self.scaler.workers() as usize;
        let sight = Sight {
            busy: self.busy,
            backed_up: !self.waiting.is_empty() && self.running.len() >= workers,
            ..Sight::default()
        };
        self.decisions.extend(self.scaler.close_until(now, &self.measures, sight));
        let ended = self.running.len();
        self.running.retain(|end| *end > self.second);
        (self.running.len()..ended).for_each(|_| self.measures.finished("q", true, now));
        for _ in 0..arrivals {
            self.measures.enqueued("q", now);
            self.waiting.push_back(self.second);
        }
        while self.running.len() < self.scaler.workers() as usize
            && let Some(since) = self.waiting.pop_front()
        {
            let delay = Duration::from_secs((self.second - since) as u64);
            self.measures.claimed("q", delay, now);
            self.running.push(self.second + takes_seconds());
        }
        self.busy += Duration::from_secs(self.running.len() as u64);
        self.second += 1;
    }

    fn hours(&mut self, hours: f64, mut load: impl FnMut(i64) -> u64, mut takes_seconds: impl FnMut() -> i64) {
        for _ in 0..(hours * 3_600.0) as i64 {
            self.tick(load(self.second), &mut takes_seconds);
        }
    }
}

fn options() -> AutoscaleOptions {
    AutoscaleOptions {
        target_latency: Duration::from_millis(500),
        headroom_factor: 1.3,
        workers_min: 1,
        workers_max: 8,
    }
}

fn check_bounds(node: &Node, options: &AutoscaleOptions, seed: u64) {
    let mut last: Option<&AutoscaleDecision> = None;
    for decision in &node.decisions {
        let bounds = options.workers_min..=options.workers_max;
        assert!(bounds.contains(&decision.to) && bounds.contains(&decision.from), "seed {seed}: {decision:?}");
        assert_eq!(decision.from.abs_diff(decision.to), 1, "seed {seed}: one at a time: {decision:?}");
        if let Some(last) = last {
            assert_eq!(decision.from, last.to, "seed {seed}: each goes on from the one before");
            let windows = (decision.at.as_millis() - last.at.as_millis()) / 10_000;
            let patience = if decision.to > decision.from { 3 } else { 6 };
            assert!(windows >= patience, "seed {seed}: windows start over: {last:?}, {decision:?}");
        }
        last = Some(decision);
    }
}

#[test]
fn any_load_keeps_the_bounds_and_idling_ends_at_the_fewest() {
    for seed in 0..20 {
        let mut random = StdRng::seed_from_u64(seed);
        let min = random.random_range(1..4);
        let max = min + random.random_range(0..12);
        let options = AutoscaleOptions {
            target_latency: Duration::from_millis(random.random_range(50..3_000)),
            headroom_factor: 1.0 + random.random::<f64>(),
            workers_min: min,
            workers_max: max,
        };
        let mut node = Node::new(options, random.random_range(0..20));
        for _ in 0..6 {
            let (rate, takes) = (random.random_range(0.0..3.0), random.random_range(1..20));
            let mut arrivals = StdRng::seed_from_u64(random.next_u64());
            let mut sizes = StdRng::seed_from_u64(random.next_u64());
            let load = |_| (0..4).filter(|_| arrivals.random_bool(rate / 4.0)).count() as u64;
            node.hours(0.4, load, || sizes.random_range(1..=takes));
        }
        let backlog = node.waiting.len() as f64 * 20.0 / 3_600.0;
        node.hours(backlog + 2.5, |_| 0, || 1);
        check_bounds(&node, &options, seed);
        assert!(node.waiting.is_empty() && node.running.is_empty(), "seed {seed}");
        assert_eq!(node.scaler.workers(), min, "seed {seed}: idle for more than an hour");
        assert_eq!(node.scaler.rest(Timestamp(START + node.second * 1_000), true), None, "seed {seed}: no timer");
    }
}

#[test]
fn a_steady_load_settles_and_stays() {
    for seed in 0..10 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut sizes = StdRng::seed_from_u64(seed + 1_000);
        let mut node = Node::new(options(), 1);
        // Two jobs every three seconds, of two to four seconds each: two workers' worth.
        let mut load = |_| u64::from(random.random_bool(2.0 / 3.0));
        let mut takes = || sizes.random_range(2..=4);
        node.hours(2.0, &mut load, &mut takes);
        let settled = node.decisions.len();
        let workers = node.scaler.workers();
        assert!((3..=8).contains(&workers), "seed {seed}: {workers}");
        node.hours(4.0, &mut load, &mut takes);
        let later = &node.decisions[settled..];
        assert!(later.len() <= 4, "seed {seed}: it goes up and down: {later:?}");
        assert!(node.waiting.len() < 20, "seed {seed}: it keeps up");
    }
}

#[test]
fn a_burst_of_long_jobs_brings_every_worker_and_the_rest_of_the_hour_keeps_them() {
    let options = options();
    let mut node = Node::new(options, 1);
    // Nothing is claimed for minutes at a time: only the wait tells.
    node.hours(0.5, |second| if second == 0 { 100 } else { 0 }, || 120);
    assert_eq!(node.scaler.workers(), 8, "{:?}", node.decisions);
    node.hours(1.0, |_| 0, || 120);
    let before = node.decisions.len();
    assert!(node.waiting.is_empty() && node.running.is_empty());
    node.hours(2.5, |_| 0, || 1);
    let down = &node.decisions[before..];
    assert_eq!(node.scaler.workers(), 1);
    for decision in down {
        let load = rules::Load {
            per_worker: decision.capacity_per_s.map(|capacity| capacity / f64::from(decision.from)),
            peak: decision.peak_per_s,
        };
        assert!(holds_peak(&options, &load, decision.to), "{decision:?}");
    }
}
