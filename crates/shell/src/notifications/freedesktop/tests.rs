use tokio::{net::UnixStream, sync::mpsc, time::timeout};
use zbus::{Guid, connection::Builder, object_server::SignalEmitter, zvariant::OwnedValue};

use super::*;
use crate::view::tests::job_id;

/// Far longer than a message takes; only a defect waits for it.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// What a server was asked to show.
#[derive(Debug)]
struct Shown {
    app: (String, String),
    replaces_id: u32,
    expire_timeout: i32,
    title: String,
    body: String,
    actions: Vec<String>,
    urgency: u8,
}

/// A desktop's own server, in words of the specification.
struct Desktop {
    shown: mpsc::UnboundedSender<Shown>,
    last: u32,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Desktop {
    #[expect(clippy::too_many_arguments, reason = "they are the specification's")]
    fn notify(
        &mut self,
        app_name: String,
        replaces_id: u32,
        app_icon: String,
        summary: String,
        body: String,
        actions: Vec<String>,
        mut hints: HashMap<String, OwnedValue>,
        expire_timeout: i32,
    ) -> u32 {
        let urgency = u8::try_from(hints.remove("urgency").unwrap()).unwrap();
        self.shown
            .send(Shown {
                app: (app_name, app_icon),
                replaces_id,
                expire_timeout,
                title: summary,
                body,
                actions,
                urgency,
            })
            .unwrap();
        self.last += 1;
        self.last
    }

    #[expect(clippy::unused_self, reason = "it is a method on the bus")]
    fn get_capabilities(&self) -> Vec<String> {
        vec!["body".to_owned(), "body-markup".to_owned()]
    }

    #[zbus(signal)]
    async fn action_invoked(emitter: &SignalEmitter<'_>, id: u32, action_key: &str) -> zbus::Result<()>;
}

/// Both ends of a bus that has nobody else on it.
async fn bus(desktop: Desktop) -> (Connection, Connection) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = Builder::unix_stream(theirs).server(Guid::generate()).unwrap().p2p();
    let server = server.serve_at("/org/freedesktop/Notifications", desktop).unwrap();
    let (ours, theirs) = tokio::join!(Builder::unix_stream(ours).p2p().build(), server.build());
    (ours.unwrap(), theirs.unwrap())
}

#[tokio::test]
async fn notification_is_shown_as_it_is_and_a_click_leads_to_its_job() {
    let (shown, mut seen) = mpsc::unbounded_channel();
    let (ours, theirs) = bus(Desktop { shown, last: 40 }).await;
    let (clicked, mut clicks) = mpsc::unbounded_channel();
    let clicked: Clicked = Arc::new(move |link| clicked.send(link).unwrap());
    let mut screen = Screen::new(clicked);
    let note = |body: &str, link, urgent| Note { title: "Job failed".to_owned(), body: body.to_owned(), urgent, link };
    let (first, second) = (Link::Job(job_id(1)), Link::Job(job_id(2)));

    screen.show_on(async { Ok(ours) }, &note("<b>a & b</b>", first, true)).await;
    screen.show(&note("plain", second, false)).await;
    let one = seen.recv().await.unwrap();
    assert_eq!((one.title.as_str(), one.body.as_str()), ("Job failed", "&lt;b&gt;a &amp; b&lt;/b&gt;"));
    assert_eq!(one.app, ("Flowork".to_owned(), "flowork".to_owned()));
    assert_eq!((one.replaces_id, one.expire_timeout), (0, AS_USUAL));
    assert_eq!((one.actions[0].as_str(), one.urgency), (DEFAULT, URGENCY_NORMAL));
    assert_eq!(seen.recv().await.unwrap().urgency, URGENCY_LOW);

    let emitter = SignalEmitter::new(&theirs, "/org/freedesktop/Notifications").unwrap();
    Desktop::action_invoked(&emitter, 7, DEFAULT).await.unwrap();
    Desktop::action_invoked(&emitter, 42, "other").await.unwrap();
    Desktop::action_invoked(&emitter, 42, DEFAULT).await.unwrap();
    Desktop::action_invoked(&emitter, 42, DEFAULT).await.unwrap();
    Desktop::action_invoked(&emitter, 41, DEFAULT).await.unwrap();
    for expected in [second, first] {
        let click = timeout(PATIENCE, clicks.recv()).await.unwrap();
        assert_eq!(click, Some(expected), "each can be clicked once, and others are somebody else's");
    }
}

#[tokio::test(start_paused = true)]
async fn server_that_says_nothing_holds_nobody_up() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = Builder::unix_stream(theirs).server(Guid::generate()).unwrap().p2p();
    let (ours, _theirs) = tokio::join!(Builder::unix_stream(ours).p2p().build(), server.build());
    let mut screen = Screen::new(Arc::new(|_| {}));
    let note = Note { title: "a".to_owned(), body: String::new(), urgent: false, link: Link::Open };
    screen.show_on(async { ours }, &note).await;
    assert!(screen.failed && screen.server.is_none(), "it is said, and looked for anew the next time");
}
