//! What a queue must never do, read off a history of what clients asked and were told.
//!
//! Two numbers order the entries: `asked` was drawn before a request was sent, `told` after its answer had come. What
//! was told before something else was asked happened before it; entries that overlap may have happened in any order.

use std::collections::HashMap;

/// One thing that a client did and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) asked: u64,
    pub(crate) told: u64,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A job was asked for under a key. `id`: what the client was told, if it was told.
    Enqueued { key: String, id: Option<String> },
    /// A worker got a lease. The payload carries the key.
    Claimed { key: String, id: String, epoch: u32, at_ms: i64 },
    /// A worker asked for more time and got it.
    Renewed { id: String, epoch: u32, at_ms: i64 },
    /// A worker's end of an attempt was accepted; `last`: the job ended with it.
    Finished { id: String, epoch: u32, last: bool },
    /// The job was found ended when all was over.
    Ended { id: String },
    /// The node was started; leases that were held hold for their full length from here.
    Started { at_ms: i64 },
}

/// How long an abandoned job may stay out of reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) reclaimed_within_ms: i64,
}

#[derive(Default)]
struct Job<'a> {
    enqueued: Option<&'a Entry>,
    claims: Vec<(&'a Entry, u32, i64)>,
    renewals: Vec<(&'a Entry, u32, i64)>,
    finishes: Vec<(&'a Entry, u32, bool)>,
    ended: bool,
}

/// Everything that is wrong with a history.
pub(crate) fn violations(history: &[Entry], bounds: Bounds) -> Vec<String> {
    let mut asked: HashMap<&str, &Entry> = HashMap::new();
    let mut jobs: HashMap<&str, Job<'_>> = HashMap::new();
    let mut starts = Vec::new();
    let mut wrong = Vec::new();
    for entry in history {
        match &entry.what {
            What::Enqueued { key, id } => {
                asked.insert(key, entry);
                if let Some(id) = id {
                    jobs.entry(id).or_default().enqueued = Some(entry);
                }
            }
            What::Claimed { id, epoch, at_ms, .. } => {
                jobs.entry(id).or_default().claims.push((entry, *epoch, *at_ms));
            }
            What::Renewed { id, epoch, at_ms } => jobs.entry(id).or_default().renewals.push((entry, *epoch, *at_ms)),
            What::Finished { id, epoch, last } => jobs.entry(id).or_default().finishes.push((entry, *epoch, *last)),
            What::Ended { id } => jobs.entry(id).or_default().ended = true,
            What::Started { at_ms } => starts.push(*at_ms),
        }
    }
    for (id, job) in &mut jobs {
        job.claims.sort_by_key(|(_, epoch, _)| *epoch);
        let say = |what: String| format!("{id}: {what}");
        wrong.extend(origin(job, &asked).into_iter().map(say));
        wrong.extend(leases(job).into_iter().map(say));
        wrong.extend(endings(job).into_iter().map(say));
        wrong.extend(orphans(job, &starts, bounds).into_iter().map(say));
    }
    wrong
}

/// A claim comes after its enqueue, and gives the job that was asked for.
fn origin(job: &Job<'_>, asked: &HashMap<&str, &Entry>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (claim, epoch, _) in &job.claims {
        let What::Claimed { key, .. } = &claim.what else { continue };
        match asked.get(key.as_str()) {
            None => wrong.push(format!("epoch {epoch} was claimed and nobody asked for {key}")),
            Some(enqueue) if claim.told < enqueue.asked => wrong.push(format!("claimed before {key} was asked for")),
            Some(_) => {}
        }
        if let Some(What::Enqueued { key: enqueued, .. }) = job.enqueued.map(|entry| &entry.what)
            && enqueued != key
        {
            wrong.push(format!("enqueued as {enqueued} and claimed as {key}"));
        }
    }
    wrong
}

/// An epoch has one holder, epochs rise, and nobody's word counts once a later epoch is out.
fn leases(job: &Job<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for pair in job.claims.windows(2) {
        let ((first, epoch, _), (second, next, _)) = (&pair[0], &pair[1]);
        if epoch == next {
            wrong.push(format!("two workers hold epoch {epoch}"));
        } else if second.told < first.asked {
            wrong.push(format!("epoch {next} was given out before epoch {epoch}"));
        }
    }
    let spoken = job.finishes.iter().map(|(entry, epoch, _)| (entry, epoch, "finish"));
    let spoken = spoken.chain(job.renewals.iter().map(|(entry, epoch, _)| (entry, epoch, "renewal")));
    for (entry, epoch, word) in spoken {
        let later = job.claims.iter().find(|(claim, of, _)| of > epoch && claim.told < entry.asked);
        // An accepted finish may be repeated at any time, and is accepted again.
        let repeated = job.finishes.iter().any(|(first, of, _)| of == epoch && first.told < entry.asked);
        if let Some((_, of, _)) = later
            && !(word == "finish" && repeated)
        {
            wrong.push(format!("a {word} of epoch {epoch} was accepted after epoch {of} was given out"));
        }
    }
    wrong
}

/// A job that somebody was promised ends, and ends once.
fn endings(job: &Job<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    if job.enqueued.is_some() && !job.ended {
        wrong.push("was acknowledged and never ended".to_owned());
    }
    let Some((last, epoch, _)) = job.finishes.iter().find(|(_, _, last)| *last) else { return wrong };
    let other = job.finishes.iter().find(|(_, of, last)| *last && of != epoch);
    if let Some((_, of, _)) = other {
        wrong.push(format!("finished twice, in epochs {epoch} and {of}"));
    }
    if let Some((_, of, _)) = job.claims.iter().find(|(claim, _, _)| claim.asked > last.told) {
        wrong.push(format!("finished in epoch {epoch} and claimed again in epoch {of}"));
    }
    wrong
}

/// What a worker left behind is given to another in time. A lease that nobody was told of can't be judged.
fn orphans(job: &Job<'_>, starts: &[i64], bounds: Bounds) -> Vec<String> {
    let mut wrong = Vec::new();
    for pair in job.claims.windows(2) {
        let ((_, epoch, claimed), (_, next, again)) = (&pair[0], &pair[1]);
        // An attempt that failed waits for its backoff instead.
        if *next != epoch + 1 || job.finishes.iter().any(|(_, of, _)| of == epoch) {
            continue;
        }
        let renewed = job.renewals.iter().filter(|(_, of, _)| of == epoch).map(|(_, _, at)| *at);
        let started = starts.iter().copied().filter(|at| at <= again);
        let heard = renewed.chain(started).fold(*claimed, i64::max);
        let waited = again - heard;
        if waited > bounds.reclaimed_within_ms {
            wrong.push(format!("epoch {epoch} was abandoned and given out again after {waited} ms"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { reclaimed_within_ms: 35_000 };

    fn entry(asked: u64, told: u64, what: What) -> Entry {
        Entry { asked, told, what }
    }

    fn enqueued(asked: u64) -> Entry {
        entry(asked, asked + 1, What::Enqueued { key: "k".to_owned(), id: Some("j".to_owned()) })
    }

    fn claimed(asked: u64, epoch: u32, at_ms: i64) -> Entry {
        entry(asked, asked + 1, What::Claimed { key: "k".to_owned(), id: "j".to_owned(), epoch, at_ms })
    }

    fn finished(asked: u64, epoch: u32) -> Entry {
        entry(asked, asked + 1, What::Finished { id: "j".to_owned(), epoch, last: true })
    }

    fn ended() -> Entry {
        entry(99, 100, What::Ended { id: "j".to_owned() })
    }

    fn check(history: &[Entry], expected: Option<&str>) {
        let wrong = violations(history, BOUNDS);
        match expected {
            None => assert!(wrong.is_empty(), "{wrong:?}"),
            Some(words) => assert!(wrong.iter().any(|one| one.contains(words)), "{words:?} is not in {wrong:?}"),
        }
    }

    #[test]
    fn an_ordinary_life_is_fine() {
        check(&[enqueued(1), claimed(3, 1, 0), finished(5, 1), ended()], None);
        // The first worker went away; the second finished, and said so twice.
        let history = [enqueued(1), claimed(3, 1, 0), claimed(5, 2, 31_000), finished(7, 2), finished(9, 2), ended()];
        check(&history, None);
    }

    #[test]
    fn each_thing_that_must_not_happen_is_found() {
        check(&[enqueued(1), claimed(3, 1, 0), finished(5, 1)], Some("never ended"));
        check(&[claimed(3, 1, 0)], Some("nobody asked"));
        check(&[enqueued(5), claimed(2, 1, 0), ended()], Some("before k was asked for"));
        check(&[enqueued(1), claimed(3, 1, 0), claimed(5, 1, 0), ended()], Some("two workers hold epoch 1"));
        check(&[enqueued(1), claimed(3, 2, 0), claimed(5, 1, 0), ended()], Some("given out before"));
        let late = [enqueued(1), claimed(3, 1, 0), claimed(5, 2, 31_000), finished(7, 1), ended()];
        check(&late, Some("after epoch 2 was given out"));
        let twice = [enqueued(1), claimed(3, 1, 0), claimed(5, 2, 0), finished(7, 2), finished(9, 1), ended()];
        check(&twice, Some("finished twice"));
        let again = [enqueued(1), claimed(3, 1, 0), finished(5, 1), claimed(7, 2, 0), ended()];
        check(&again, Some("claimed again"));
        let slow = [enqueued(1), claimed(3, 1, 0), claimed(5, 2, 36_000), finished(7, 2), ended()];
        check(&slow, Some("after 36000 ms"));
    }

    #[test]
    fn a_start_of_the_node_gives_abandoned_leases_their_full_length_again() {
        let started = entry(4, 4, What::Started { at_ms: 20_000 });
        let history = [enqueued(1), claimed(3, 1, 0), started, claimed(5, 2, 51_000), finished(7, 2), ended()];
        check(&history, None);
    }
}
