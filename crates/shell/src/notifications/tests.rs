use super::*;
use crate::{
    view::tests::{job_id, notice},
    words::Language,
};

fn words() -> Arc<Words> {
    Arc::new(Words::load(&Language::Tag("en".to_owned())))
}

fn note(title: &str, urgent: bool) -> Note {
    Note { title: title.to_owned(), body: String::new(), urgent, link: Link::Job(job_id(1)) }
}

#[test]
fn person_hears_of_what_they_want_to_hear_of() {
    let (id, kind, words) = (job_id(1), "http.fetch".to_owned(), words());
    let completed = Happening::JobCompleted { id, kind: kind.clone() };
    let failed = Happening::JobFailed { id, kind };
    let attention = Happening::Attention(notice("SHARD_FAILING"));
    let told = |about| {
        [&completed, &failed, &attention].map(|happening| Note::of(happening, about, &words).map(|note| note.title))
    };
    let (finished, broke, look) =
        ("Job finished".to_owned(), "Job failed".to_owned(), "Flowork needs a look".to_owned());
    assert_eq!(told(NotifyAbout::Off), [None, None, None]);
    assert_eq!(told(NotifyAbout::Failed), [None, Some(broke.clone()), Some(look.clone())]);
    assert_eq!(told(NotifyAbout::All), [Some(finished), Some(broke), Some(look)]);
    let note = Note::of(&failed, NotifyAbout::Failed, &words).unwrap();
    assert_eq!((note.body.as_str(), note.link, note.urgent), ("http.fetch", Link::Job(id), true));
    assert_eq!(Note::of(&attention, NotifyAbout::Failed, &words).unwrap().link, Link::Open);
}

#[test]
fn many_at_once_become_one() {
    let words = words();
    assert_eq!(Note::digest(&[], &words), None);
    let one = note("a", false);
    assert_eq!(Note::digest(std::slice::from_ref(&one), &words), Some(one.clone()), "one alone is shown as it is");
    let many = Note::digest(&[one, note("b", true), note("c", false)], &words).unwrap();
    assert_eq!((many.title.as_str(), many.urgent, many.link), ("3 more things happened", true, Link::Open));
}

#[tokio::test(start_paused = true)]
async fn storm_is_gathered_for_seconds_and_then_told_once() {
    let (sender, mut receiver) = mpsc::channel(NOTES_MAX);
    let words = words();
    for _ in 0..40 {
        sender.send((note("a", true), Arc::clone(&words))).await.unwrap();
    }
    let gathered = gather(&mut receiver).await.unwrap();
    assert_eq!(gathered.title, "40 more things happened");
    assert_eq!(gather(&mut receiver).await, None, "and then it is quiet");
}
