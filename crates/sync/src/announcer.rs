//! Tells the node that sessions have changed, so that whoever looks at a list of them fetches it anew.
//!
//! However many changes there are, it is told at most once a second, and to few owners one by one: whoever follows one
//! session listens to the session itself. As long as nothing changes, it costs nothing.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use flowork_api_types::event::Event;
use flowork_engine::Events;
use tokio::sync::Notify;

/// Between two times: how old a list may be at the most.
const PAUSE: Duration = Duration::from_secs(1);
/// Owners who are told one by one. If there are more, everybody is told, once: it says nothing but that there is
/// something to fetch, and whoever may see none of it fetches what they had.
const OWNERS_MAX: usize = 4;

/// Gathers what changed, and tells it.
#[derive(Debug, Default)]
pub(crate) struct Announcer {
    /// Whose sessions have changed; one more than are told one by one at the most.
    owners: Mutex<BTreeSet<Arc<str>>>,
    noted: Notify,
}

impl Announcer {
    /// Notes that sessions of these owners have changed.
    pub(crate) fn note(&self, changed: impl IntoIterator<Item = Arc<str>>) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        for owner in changed {
            if owners.len() <= OWNERS_MAX {
                owners.insert(owner);
            }
        }
        let some = !owners.is_empty();
        drop(owners);
        if some {
            self.noted.notify_one();
        }
    }

    /// Tells what is noted, at once and then once each pause.
    pub(crate) async fn tell(&self, events: &Events) {
        loop {
            self.noted.notified().await;
            let owners = std::mem::take(&mut *self.owners.lock().unwrap_or_else(PoisonError::into_inner));
            if owners.is_empty() {
                continue;
            }
            if owners.len() > OWNERS_MAX {
                events.publish(None, Event::SessionsChanged);
            } else {
                events.publish_all(owners.into_iter().map(|owner| (Some(owner), Event::SessionsChanged)));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(number: usize) -> Arc<str> {
        format!("owner {number}").into()
    }

    struct Node {
        announcer: Arc<Announcer>,
        feed: flowork_engine::EventFeed,
    }

    impl Node {
        fn start() -> Self {
            let (announcer, events) = (Arc::new(Announcer::default()), Events::default());
            let feed = events.subscribe(None);
            let tells = Arc::clone(&announcer);
            tokio::spawn(async move { tells.tell(&events).await });
            Self { announcer, feed }
        }

        /// Whom it told, until it has been quiet for a while.
        async fn told(&mut self, quiet: Duration) -> Vec<Option<Arc<str>>> {
            let mut told = Vec::new();
            while let Ok(Some((owner, envelope))) = tokio::time::timeout(quiet, self.feed.next()).await {
                assert_eq!(envelope.event, Event::SessionsChanged);
                told.push(owner);
            }
            told
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_change_is_told_at_once_and_a_flood_once_a_second() {
        let mut node = Node::start();
        node.announcer.note([owner(1)]);
        assert_eq!(node.told(Duration::from_millis(1)).await, [Some(owner(1))]);
        for _ in 0..5_000 {
            node.announcer.note([owner(1), owner(2)]);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let told = node.told(Duration::from_secs(10)).await;
        assert!((8..=12).contains(&told.len()), "two owners in five seconds: {}", told.len());
        assert!(told.ends_with(&[Some(owner(1)), Some(owner(2))]), "the last change is told too");
        assert_eq!(node.told(Duration::from_hours(1)).await, [], "and then it is quiet");
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_owners_everybody_is_told_once() {
        let mut node = Node::start();
        node.announcer.note((0..1_000).map(owner));
        assert_eq!(node.told(Duration::from_secs(10)).await, [None]);
        node.announcer.note((0..OWNERS_MAX).map(owner));
        assert_eq!(node.told(Duration::from_secs(10)).await.len(), OWNERS_MAX);
        node.announcer.note([]);
        assert_eq!(node.told(Duration::from_secs(10)).await, [], "nobody has changed anything");
    }
}
