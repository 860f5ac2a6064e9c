//! Notifications as the desktops of Linux have them: `org.freedesktop.Notifications` on the session bus.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::StreamExt;
use tokio::{task::JoinHandle, time::timeout};
use zbus::{Connection, zvariant::Value};

use super::{Clicked, Note};
use crate::links::Link;

/// The action that a click on the notification itself is.
const DEFAULT: &str = "default";
/// The server decides how long a notification is shown.
const AS_USUAL: i32 = -1;
/// A server that is well answers at once.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Of what was shown, so many can still be clicked. A click on an older one does nothing.
const LINKS_MAX: usize = 256;
/// A notification that waits for a person, in the words of the specification.
const URGENCY_NORMAL: u8 = 1;
/// One that only tells.
const URGENCY_LOW: u8 = 0;

#[zbus::proxy(
    interface = "org.freedesktop.Notifications",
    default_service = "org.freedesktop.Notifications",
    default_path = "/org/freedesktop/Notifications",
    gen_blocking = false
)]
trait Notifications {
    #[expect(clippy::too_many_arguments, reason = "they are the specification's")]
    fn notify(
        &self,
        app_name: &str,
        replaces_id: u32,
        app_icon: &str,
        summary: &str,
        body: &str,
        actions: &[&str],
        hints: HashMap<&str, &Value<'_>>,
        expire_timeout: i32,
    ) -> zbus::Result<u32>;

    fn get_capabilities(&self) -> zbus::Result<Vec<String>>;

    #[zbus(signal)]
    fn action_invoked(&self, id: u32, action_key: String) -> zbus::Result<()>;
}

/// What a click on each notification shows, oldest first.
type Links = Arc<Mutex<Vec<(u32, Link)>>>;

/// Where notifications are shown.
pub(super) struct Screen {
    clicked: Clicked,
    server: Option<Server>,
    failed: bool,
}

/// A server that was reached.
struct Server {
    proxy: NotificationsProxy<'static>,
    links: Links,
    /// Its texts may have markup, so ours is escaped.
    has_markup: bool,
    clicks: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.clicks.abort();
    }
}

impl Screen {
    pub(super) fn new(clicked: Clicked) -> Self {
        Self { clicked, server: None, failed: false }
    }

    pub(super) async fn show(&mut self, note: &Note) {
        self.show_on(Connection::session(), note).await;
    }

    async fn show_on(&mut self, bus: impl Future<Output = zbus::Result<Connection>>, note: &Note) {
        let reason = match timeout(ANSWER_WAIT, self.try_show(bus, note)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it gave no answer within {} s", ANSWER_WAIT.as_secs()),
        };
        // The bus may be another one after the next sign-in; a server is looked for anew each time.
        self.server = None;
        if !std::mem::replace(&mut self.failed, true) {
            tracing::warn!(reason, "the desktop shows no notifications");
        }
    }

    async fn try_show(&mut self, bus: impl Future<Output = zbus::Result<Connection>>, note: &Note) -> zbus::Result<()> {
        let server = match self.server.take() {
            Some(server) => server,
            None => Server::reach(&bus.await?, &self.clicked).await?,
        };
        let server = self.server.insert(server);
        let urgency = Value::U8(if note.urgent { URGENCY_NORMAL } else { URGENCY_LOW });
        let entry = Value::from("flowork-desktop");
        let hints = HashMap::from([("urgency", &urgency), ("desktop-entry", &entry)]);
        let body = if server.has_markup { escaped(&note.body) } else { note.body.clone() };
        let actions = [DEFAULT, ""];
        let shown = server.proxy.notify("Flowork", 0, "flowork", &note.title, &body, &actions, hints, AS_USUAL);
        let id = shown.await?;
        let mut links = server.links.lock().unwrap_or_else(PoisonError::into_inner);
        if links.len() == LINKS_MAX {
            links.remove(0);
        }
        links.push((id, note.link));
        Ok(())
    }
}

impl Server {
    async fn reach(bus: &Connection, clicked: &Clicked) -> zbus::Result<Self> {
        let proxy = NotificationsProxy::new(bus).await?;
        let has_markup = proxy.get_capabilities().await?.iter().any(|capability| capability == "body-markup");
        let mut invoked = proxy.receive_action_invoked().await?;
        let links = Links::default();
        let (known, clicked) = (Arc::clone(&links), Arc::clone(clicked));
        let clicks = tokio::spawn(async move {
            while let Some(signal) = invoked.next().await {
                if let Ok(args) = signal.args()
                    && args.action_key == DEFAULT
                    && let Some(link) = take(&known, args.id)
                {
                    clicked(link);
                }
            }
        });
        Ok(Self { proxy, links, has_markup, clicks })
    }
}

/// The link of a notification, which a click has closed. A server that was started anew counts from 1 again, so the last
/// one of that number is meant.
fn take(links: &Links, id: u32) -> Option<Link> {
    let mut links = links.lock().unwrap_or_else(PoisonError::into_inner);
    let place = links.iter().rposition(|(known, _)| *known == id)?;
    Some(links.remove(place).1)
}

/// A text that a server with markup shows as it is.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
