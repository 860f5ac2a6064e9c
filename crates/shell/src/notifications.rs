//! Telling a person what happened, outside of any window.

#[cfg(target_os = "linux")]
mod freedesktop;
#[cfg(not(target_os = "linux"))]
mod native;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use crate::{
    links::Link,
    preferences::NotifyAbout,
    watch::Happening,
    words::{Arg, Words},
};
#[cfg(target_os = "linux")]
use freedesktop::Screen;
#[cfg(not(target_os = "linux"))]
use native::Screen;

/// After a notification, what else happens is gathered for this long: a queue that fails has hundreds of jobs.
const GATHER: Duration = Duration::from_secs(5);
/// Notes that wait to be gathered. Beyond them they are dropped; the dashboard has all.
const NOTES_MAX: usize = 64;

/// What is done with the link of a notification that was clicked.
type Clicked = Arc<dyn Fn(Link) + Send + Sync>;

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// In one line.
    pub title: String,
    /// What there is to say about it.
    pub body: String,
    /// It waits for a person.
    pub urgent: bool,
    /// What a click on it shows.
    pub link: Link,
}

impl Note {
    /// What to say about a happening; `None` where the person does not want to hear of it.
    pub fn of(happening: &Happening, about: NotifyAbout, words: &Words) -> Option<Self> {
        let job = |title, kind: &str, id: &_, urgent| {
            let title = words.text(title);
            Self { title, body: kind.to_owned(), urgent, link: Link::Job(*id) }
        };
        match (happening, about) {
            (_, NotifyAbout::Off) | (Happening::JobCompleted { .. }, NotifyAbout::Failed) => None,
            (Happening::JobCompleted { id, kind }, _) => Some(job("note-completed", kind, id, false)),
            (Happening::JobFailed { id, kind }, _) => Some(job("note-failed", kind, id, true)),
            (Happening::Attention(notice), _) => {
                let title = words.text("note-attention");
                Some(Self { title, body: notice.message.clone(), urgent: true, link: Link::Open })
            }
        }
    }

    /// One for many that came at once.
    fn digest(notes: &[Self], words: &Words) -> Option<Self> {
        match notes {
            [] => None,
            [note] => Some(note.clone()),
            many => Some(Self {
                title: words.format("note-more", &[("count", Arg::Number(many.len() as u64))]),
                body: words.text("note-more-detail"),
                urgent: many.iter().any(|note| note.urgent),
                link: Link::Open,
            }),
        }
    }
}

/// Shows notifications until it is dropped. Where the system shows none, that is one line in the log, once.
pub struct Notifier {
    sender: mpsc::Sender<(Note, Arc<Words>)>,
    task: JoinHandle<()>,
}

impl Notifier {
    /// Makes one; `clicked` is called with what a click asks to see. Call it in a runtime. Asks the system nothing before
    /// there is something to show.
    pub fn start(clicked: impl Fn(Link) + Send + Sync + 'static) -> Self {
        let (sender, receiver) = mpsc::channel(NOTES_MAX);
        let task = tokio::spawn(show_all(receiver, Screen::new(Arc::new(clicked))));
        Self { sender, task }
    }

    /// Shows a notification, soon: the first at once, more within seconds as one. Does not wait; where too many wait
    /// already, this one is dropped.
    pub fn show(&self, note: Note, words: &Arc<Words>) {
        if self.sender.try_send((note, Arc::clone(words))).is_err() {
            tracing::debug!("a notification was dropped, because too many wait");
        }
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn show_all(mut receiver: mpsc::Receiver<(Note, Arc<Words>)>, mut screen: Screen) {
    while let Some((note, _)) = receiver.recv().await {
        screen.show(&note).await;
        // What comes within the time of the last one is shown together, and then again.
        while let Some(note) = gather(&mut receiver).await {
            screen.show(&note).await;
        }
    }
}

/// Waits for as long as notes are gathered, and makes one of them.
async fn gather(receiver: &mut mpsc::Receiver<(Note, Arc<Words>)>) -> Option<Note> {
    let ends = Instant::now() + GATHER;
    let (mut notes, mut words) = (Vec::new(), None);
    loop {
        tokio::select! {
            () = sleep_until(ends) => break,
            next = receiver.recv() => match next {
                Some((note, its_words)) => {
                    notes.push(note);
                    words = Some(its_words);
                }
                None => break,
            },
        }
    }
    let words = words?;
    Note::digest(&notes, &words)
}

#[cfg(test)]
mod tests;
