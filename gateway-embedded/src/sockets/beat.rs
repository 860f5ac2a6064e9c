//! The one timer of all sockets: it tells each of them, once in a while, to look whether its client is still there.
//!
//! Sockets are in groups, which have their turns one after the other, so that ten thousand of them don't speak at once.
//! The timer waits for the next turn of a group that has somebody in it, and few sockets are in few groups: a node with
//! one socket wakes up once in five seconds, and one without sockets never.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// Groups that are told one after the other: of ten thousand sockets twenty speak at once, every ten milliseconds. Two
/// hundred at once would keep every other call waiting for some milliseconds.
const GROUPS: usize = 500;
/// Sockets of a group before the next one gets any. That many speak at once without being noticed.
const GROUP_FILL: usize = 16;

/// Tells sockets when to look after their clients.
pub(super) struct Beat {
    /// How often each socket is told.
    every: Duration,
    /// Each counts its turns.
    groups: [watch::Sender<u32>; GROUPS],
    /// Told when somebody has come. Of many at once only the first costs the timer a look.
    filled: Notify,
}

/// One socket's ear.
pub(super) struct Beats {
    receiver: watch::Receiver<u32>,
    turns: u32,
}

/// What a socket is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It is its turn.
    Turn,
    /// It is not, but the machine has slept: whoever did not answer in time could not.
    Anew,
}

impl Beat {
    pub(super) fn new(every: Duration) -> Self {
        Self { every, groups: std::array::from_fn(|_| watch::Sender::new(0)), filled: Notify::new() }
    }

    /// Beats until it is stopped, while somebody listens.
    pub(super) async fn run(self: Arc<Self>, stopping: CancellationToken) {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = self.beats() => {}
        }
    }

    async fn beats(&self) {
        let turn = self.every / GROUPS as u32;
        // Whose turn it was, and when. Turns that came late put off those after them: a process that was stopped does not
        // make up for all that it missed.
        let (mut group, mut at) = (0, Instant::now());
        loop {
            let Some(steps) = self.steps_to_next(group) else {
                self.filled.notified().await;
                at = Instant::now().checked_sub(turn).map_or(at, |lately| at.max(lately));
                continue;
            };
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(at + turn * steps) => {
                    (group, at) = ((group + steps as usize) % GROUPS, Instant::now());
                    self.groups[group].send_modify(|turns| *turns = turns.wrapping_add(1));
                }
                () = self.filled.notified() => {
                    // Turns of those that were empty have passed meanwhile.
                    let passed = (at.elapsed().as_nanos() / turn.as_nanos().max(1)).min(u128::from(steps - 1)) as u32;
                    (group, at) = ((group + passed as usize) % GROUPS, at + turn * passed);
                }
            }
        }
    }

    /// How many turns on there is a group with somebody in it.
    fn steps_to_next(&self, group: usize) -> Option<u32> {
        (1..=GROUPS).find(|steps| self.groups[(group + steps) % GROUPS].receiver_count() > 0).map(|steps| steps as u32)
    }

    /// Tells every socket at once, out of turn.
    pub(super) fn tell_all(&self) {
        for group in &self.groups {
            group.send_modify(|_| {});
        }
    }

    /// Listens from now on.
    pub(super) fn listen(&self) -> Beats {
        let room = self.groups.iter().find(|group| group.receiver_count() < GROUP_FILL);
        let group = room.or_else(|| self.groups.iter().min_by_key(|group| group.receiver_count()));
        let group = group.unwrap_or(&self.groups[0]);
        let receiver = group.subscribe();
        // Also in company: of two who come to an empty group at once, each may see the other and think that it was told.
        self.filled.notify_one();
        let turns = *receiver.borrow();
        Beats { receiver, turns }
    }
}

impl Beats {
    /// Resolves with the next beat. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Told {
        if self.receiver.changed().await.is_err() {
            // The beat lives as long as the gateway.
            std::future::pending::<()>().await;
        }
        let turns = *self.receiver.borrow_and_update();
        let told = if turns == self.turns { Told::Anew } else { Told::Turn };
        self.turns = turns;
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(5);

    struct Beating {
        beat: Arc<Beat>,
        stopping: CancellationToken,
        task: tokio::task::JoinHandle<()>,
    }

    impl Beating {
        fn start() -> Self {
            let (beat, stopping) = (Arc::new(Beat::new(EVERY)), CancellationToken::new());
            let task = tokio::spawn(Arc::clone(&beat).run(stopping.clone()));
            Self { beat, stopping, task }
        }

        async fn stop(self) {
            self.stopping.cancel();
            self.task.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_socket_is_told_each_five_seconds_and_many_not_all_at_once() {
        let beating = Beating::start();
        let mut listeners: Vec<_> = (0..=GROUP_FILL).map(|_| beating.beat.listen()).collect();
        let mut other = listeners.pop().unwrap();
        assert_eq!(other.next().await, Told::Turn);
        let mut last = Instant::now();
        for _ in 0..3 {
            assert_eq!(listeners[0].next().await, Told::Turn);
            assert!(last.elapsed() < EVERY && !last.elapsed().is_zero(), "it is in another group");
            assert_eq!(other.next().await, Told::Turn);
            // The timer counts in milliseconds.
            assert!((EVERY..EVERY + Duration::from_millis(5)).contains(&last.elapsed()), "{:?}", last.elapsed());
            last = Instant::now();
        }
        beating.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_timer_waits_for_who_is_there_and_for_nobody_else() {
        let beat = Beat::new(EVERY);
        assert_eq!(beat.steps_to_next(7), None, "for ever");
        let few: Vec<_> = (0..GROUP_FILL).map(|_| beat.listen()).collect();
        assert_eq!(beat.steps_to_next(0), Some(GROUPS as u32), "once in five seconds for all of them");
        let many: Vec<_> = (0..GROUP_FILL * GROUPS).map(|_| beat.listen()).collect();
        assert!((0..GROUPS).all(|group| beat.steps_to_next(group) == Some(1)));
        let sizes: Vec<_> = beat.groups.iter().map(watch::Sender::receiver_count).collect();
        assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 2, "{sizes:?}");
        drop((few, many));
        assert_eq!(beat.steps_to_next(0), None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_after_a_long_silence_is_told_too() {
        let beating = Beating::start();
        tokio::time::sleep(EVERY * 3).await;
        let mut late = beating.beat.listen();
        let before = Instant::now();
        assert_eq!(late.next().await, Told::Turn);
        assert!(before.elapsed() <= EVERY);
        drop(late);
        tokio::time::sleep(EVERY * 3).await;
        let mut again = beating.beat.listen();
        for _ in 0..3 {
            let before = Instant::now();
            assert_eq!(again.next().await, Told::Turn);
            assert!(before.elapsed() <= EVERY);
        }
        beating.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_tells_the_timer_also_in_company() {
        let beat = Beat::new(EVERY);
        let _listeners = [beat.listen(), beat.listen()];
        beat.filled.notified().await;
        let _another = beat.listen();
        tokio::time::timeout(EVERY, beat.filled.notified()).await.expect("the group was not empty, and it is told");
    }

    #[tokio::test(start_paused = true)]
    async fn all_sockets_can_be_told_out_of_turn() {
        let beating = Beating::start();
        let mut listeners: Vec<_> = (0..GROUP_FILL * 2).map(|_| beating.beat.listen()).collect();
        let before = Instant::now();
        beating.beat.tell_all();
        for listener in &mut listeners {
            assert_eq!(listener.next().await, Told::Anew);
        }
        assert!(before.elapsed().is_zero());
        assert_eq!(listeners[0].next().await, Told::Turn, "and turns go on");
        beating.stop().await;
    }
}
