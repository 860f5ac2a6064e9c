//! Whose turn it is with an idempotency key.
//!
//! A key counts on the whole node, but only the writer of one shard of one engine decides about it, and which engine that
//! is hangs on a look at all of them. So requests of one caller with one key go one after the other, from that look until
//! the writer has answered. In memory only: one process holds the data directory. And for one engine too, because another
//! may be added at any moment.
//!
//! Nobody waits for a second turn while holding one, so nobody waits for ever. There are as many lines as keys in requests
//! that have not been answered.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use tokio::{
    runtime::Handle,
    sync::{Mutex as Line, OwnedMutexGuard},
};
use tokio_util::task::TaskTracker;

/// The caller and the key.
type Key = (Arc<str>, String);

/// The keys that somebody has a turn with. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub(crate) struct KeyTurns {
    lines: Arc<Mutex<HashMap<Key, Arc<Line<()>>>>>,
}

impl KeyTurns {
    /// Waits until nobody who came before has this key.
    pub(crate) async fn wait(&self, owner: Arc<str>, key: &str) -> Turn {
        let key = (owner, key.to_owned());
        let line = Arc::clone(self.lock().entry(key.clone()).or_default());
        // Made before the wait: who goes away while waiting must leave no line behind either.
        let mut turn = Turn { turns: self.clone(), key, line: Some(Arc::clone(&line)), held: None };
        turn.held = Some(line.lock_owned().await);
        turn
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Line<()>>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn, or a place in the line for one. Over when dropped.
pub(crate) struct Turn {
    turns: KeyTurns,
    key: Key,
    line: Option<Arc<Line<()>>>,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turn {
    /// Waits for an answer and ends the turn with it. If whoever waits goes away, a task of `tasks` waits on: what was asked
    /// still happens, and until then the next one would not see it.
    pub(crate) fn until<F>(self, answer: F, tasks: &TaskTracker) -> Asked<F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Asked { waiting: Some((Box::pin(answer), self)), tasks: tasks.clone() }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.held.take());
        let mut lines = self.turns.lock();
        drop(self.line.take());
        // Whoever stands in the line holds it too.
        if lines.get(&self.key).is_some_and(|line| Arc::strong_count(line) == 1) {
            lines.remove(&self.key);
        }
    }
}

/// What was asked in a turn.
pub(crate) struct Asked<F: Future<Output: Send> + Send + 'static> {
    /// Until there is an answer.
    waiting: Option<(Pin<Box<F>>, Turn)>,
    tasks: TaskTracker,
}

impl<F: Future<Output: Send> + Send + 'static> Future for Asked<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (answer, _) = self.waiting.as_mut().expect("nobody polls a future that has ended");
        let answer = ready!(answer.as_mut().poll(context));
        self.waiting = None;
        Poll::Ready(answer)
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Asked<F> {
    fn drop(&mut self) {
        // Without a runtime the process is about to end, and turns with it.
        if let (Some((answer, turn)), Ok(runtime)) = (self.waiting.take(), Handle::try_current()) {
            let wait_on = async move {
                answer.await;
                drop(turn);
            };
            self.tasks.spawn_on(wait_on, &runtime);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    fn lines(turns: &KeyTurns) -> usize {
        turns.lock().len()
    }

    #[tokio::test]
    async fn one_key_of_one_caller_is_had_by_one_at_a_time() {
        let turns = KeyTurns::default();
        let first = turns.wait("ada".into(), "k").await;
        let mut second = Box::pin(turns.wait("ada".into(), "k"));
        assert!(second.as_mut().now_or_never().is_none());
        for (owner, key) in [("ada", "other"), ("bob", "k")] {
            assert!(turns.wait(owner.into(), key).now_or_never().is_some(), "{owner} {key}");
        }
        drop(first);
        assert!(second.now_or_never().is_some());
    }

    #[tokio::test]
    async fn lines_are_forgotten_when_nobody_stands_in_them() {
        let turns = KeyTurns::default();
        let first = turns.wait("ada".into(), "k").await;
        let mut gone = Box::pin(turns.wait("ada".into(), "k"));
        assert!(gone.as_mut().now_or_never().is_none());
        let mut stays = Box::pin(turns.wait("ada".into(), "k"));
        assert!(stays.as_mut().now_or_never().is_none());
        drop(gone);
        assert_eq!(lines(&turns), 1);
        drop(first);
        drop(stays.await);
        assert_eq!(lines(&turns), 0);
        let held = turns.wait("ada".into(), "k").await;
        let mut gone = Box::pin(turns.wait("ada".into(), "k"));
        assert!(gone.as_mut().now_or_never().is_none());
        drop(held);
        drop(gone);
        assert_eq!(lines(&turns), 0, "the last one went away without its turn");
    }

    #[tokio::test]
    async fn a_turn_lasts_until_the_answer_also_when_nobody_waits_for_it() {
        let (turns, tasks) = (KeyTurns::default(), TaskTracker::new());
        let (sender, answer) = oneshot::channel::<u8>();
        let mut asked = turns.wait("ada".into(), "k").await.until(answer, &tasks);
        assert!((&mut asked).now_or_never().is_none());
        drop(asked);
        tokio::task::yield_now().await;
        let mut next = Box::pin(turns.wait("ada".into(), "k"));
        assert!(next.as_mut().now_or_never().is_none(), "nobody knows yet what became of the first");
        sender.send(1).unwrap();
        drop(next.await);
        tasks.close();
        tasks.wait().await;
        assert_eq!(lines(&turns), 0);
    }
}
