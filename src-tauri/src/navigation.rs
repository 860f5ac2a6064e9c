//! Where the main window may go: the app's own pages while there is no node, then the node and nothing else.
//!
//! Neither the app's pages in this window nor the node's may call a Tauri command. What they want done is a navigation to
//! a host that cannot exist, which is caught here.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tauri::Url;

/// The host of addresses that mean "do something"; `.invalid` is reserved and never resolves.
const ACTION_HOST: &str = "action.flowork.invalid";
/// How often the node's pages may ask for a sign-in within [`SIGN_INS_WITHIN`]: a page that asks in a loop stops there.
const SIGN_INS_MAX: usize = 5;
/// See [`SIGN_INS_MAX`].
const SIGN_INS_WITHIN: Duration = Duration::from_mins(1);

/// What a page asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Try to start the node again.
    Retry,
    /// Start the node on a port that nobody has, and keep that one.
    FreePort,
    /// Show the folder with the logs.
    OpenLogs,
    /// End the app.
    Quit,
    /// Show the app's settings.
    Settings,
    /// Sign this window in with the vault's key.
    SignIn,
}

/// What to do about an address that the window is about to go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Go there.
    Stay,
    /// Do this instead.
    Act(Action),
    /// Open it in the person's own browser instead.
    Browser,
    /// Do nothing.
    Refuse,
}

/// Returns the address of one of the app's own pages.
pub(crate) fn page(name: &str) -> Url {
    let base = if cfg!(windows) { "http://tauri.localhost/" } else { "tauri://localhost/" };
    Url::parse(base).and_then(|base| base.join(name)).expect("the names of our pages are valid in a URL")
}

/// Decides about an address, given the address of the node once the window shows it.
pub(crate) fn decide(to: &Url, node: Option<&Url>) -> Decision {
    if to.as_str() == "about:blank" {
        return Decision::Stay;
    }
    match node {
        // A file that a page saves is a navigation to a blob of its own origin, and then a download.
        Some(node) if is_of(to, node) => Decision::Stay,
        None if same_origin(to, &page("")) => Decision::Stay,
        // The first page of a window can still be on its way when the node serves; refused, it would leave nothing.
        Some(_) if is_start_page(to) => Decision::Stay,
        _ if to.host_str() == Some(ACTION_HOST) => {
            action(to.path(), node.is_some()).map_or(Decision::Refuse, Decision::Act)
        }
        _ if opens_in_browser(to) => Decision::Browser,
        _ => Decision::Refuse,
    }
}

/// Says whether an address is the page that says that the node starts. There is nothing on it to ask for.
pub(crate) fn is_start_page(to: &Url) -> bool {
    same_origin(to, &page("")) && to.path() == "/index.html"
}

/// Says whether an address is one that a browser or a mail program opens; everything else could start any program.
pub(crate) fn opens_in_browser(to: &Url) -> bool {
    ["http", "https", "mailto"].contains(&to.scheme()) && to.host_str() != Some(ACTION_HOST)
}

/// The node's pages can only ask for what harms nobody, whoever wrote them.
fn action(path: &str, of_node: bool) -> Option<Action> {
    match path {
        "/settings" => Some(Action::Settings),
        "/sign-in" if of_node => Some(Action::SignIn),
        "/retry" if !of_node => Some(Action::Retry),
        "/free-port" if !of_node => Some(Action::FreePort),
        "/logs" if !of_node => Some(Action::OpenLogs),
        "/quit" if !of_node => Some(Action::Quit),
        _ => None,
    }
}

/// Compares scheme, host and port. Not `Url::origin`, which takes every `tauri:` address for another origin.
pub(crate) fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// Says whether an address is the node's, or a blob that a page of the node made: what may be shown, and what saved.
pub(crate) fn is_of(to: &Url, node: &Url) -> bool {
    match to.scheme() {
        "blob" => Url::parse(to.path()).is_ok_and(|maker| same_origin(&maker, node)),
        _ => same_origin(to, node),
    }
}

/// Puts the code of a one-time link behind the address where the window is, so that signing in does not lead away from it.
pub(crate) fn signed_in_at(link: &Url, window: Option<&Url>) -> Url {
    match window {
        Some(window) if same_origin(window, link) => {
            let mut to = window.clone();
            to.set_fragment(link.fragment());
            to
        }
        _ => link.clone(),
    }
}

/// Keeps count of sign-ins, so that a page that asks in a loop does not fill the node's lists of links.
#[derive(Debug, Default)]
pub(crate) struct SignIns(VecDeque<Instant>);

impl SignIns {
    /// Whether one more is all right now; if so, counts it.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        while self.0.front().is_some_and(|first| now.duration_since(*first) >= SIGN_INS_WITHIN) {
            self.0.pop_front();
        }
        let free = self.0.len() < SIGN_INS_MAX;
        if free {
            self.0.push_back(now);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(to: &str, node: Option<&str>, expected: Decision) {
        let node = node.map(|node| Url::parse(node).unwrap());
        assert_eq!(decide(&Url::parse(to).unwrap(), node.as_ref()), expected, "going to {to} with a node at {node:?}");
    }

    #[test]
    fn window_stays_with_the_node_once_it_runs() {
        let node = Some("http://127.0.0.1:4000/");
        check("http://127.0.0.1:4000/jobs?state=queued", node, Decision::Stay);
        check("http://127.0.0.1:4001/jobs", node, Decision::Browser);
        check("https://127.0.0.1:4000/jobs", node, Decision::Browser);
        check("https://example.com/", node, Decision::Browser);
        check("mailto:a@example.com", node, Decision::Browser);
        check("file:///etc/passwd", node, Decision::Refuse);
        check("javascript:alert(1)", node, Decision::Refuse);
        check("smb://host/share", node, Decision::Refuse);
        check("blob:http://127.0.0.1:4000/1f0c", node, Decision::Stay);
        check("blob:http://127.0.0.1:4001/1f0c", node, Decision::Refuse);
        check("blob:tauri://localhost/1f0c", node, Decision::Refuse);
    }

    #[test]
    fn node_can_ask_for_a_sign_in_and_the_settings_and_for_nothing_else() {
        let node = Some("http://127.0.0.1:4000/");
        check("https://action.flowork.invalid/sign-in", node, Decision::Act(Action::SignIn));
        check("https://action.flowork.invalid/settings", node, Decision::Act(Action::Settings));
        for path in ["quit", "retry", "free-port", "logs", "format", "sign-in/x"] {
            check(&format!("https://action.flowork.invalid/{path}"), node, Decision::Refuse);
        }
        check(page("error.html").as_str(), node, if cfg!(windows) { Decision::Browser } else { Decision::Refuse });
    }

    #[test]
    fn page_that_was_on_its_way_when_the_node_came_is_let_in() {
        let node = Some("http://127.0.0.1:4000/");
        check(page("index.html").as_str(), node, Decision::Stay);
        check(&format!("{}?lang=de", page("index.html")), node, Decision::Stay);
    }

    #[test]
    fn buttons_work_before_the_node_runs() {
        check(page("error.html").as_str(), None, Decision::Stay);
        check("https://action.flowork.invalid/retry", None, Decision::Act(Action::Retry));
        check("https://action.flowork.invalid/free-port", None, Decision::Act(Action::FreePort));
        check("https://action.flowork.invalid/logs", None, Decision::Act(Action::OpenLogs));
        check("https://action.flowork.invalid/settings", None, Decision::Act(Action::Settings));
        check("https://action.flowork.invalid/quit", None, Decision::Act(Action::Quit));
        check("https://action.flowork.invalid/sign-in", None, Decision::Refuse);
        check("https://action.flowork.invalid/format", None, Decision::Refuse);
    }

    #[test]
    fn signing_in_keeps_the_page() {
        let url = |text: &str| Url::parse(text).unwrap();
        let link = url("http://127.0.0.1:4000/#pair=abc");
        let at = |window: Option<&str>| signed_in_at(&link, window.map(url).as_ref()).to_string();
        assert_eq!(
            at(Some("http://127.0.0.1:4000/jobs?state=queued#x")),
            "http://127.0.0.1:4000/jobs?state=queued#pair=abc"
        );
        assert_eq!(at(Some(page("index.html").as_str())), link.as_str());
        assert_eq!(at(None), link.as_str());
    }

    #[test]
    fn page_that_asks_in_a_loop_is_stopped() {
        let (mut sign_ins, start) = (SignIns::default(), Instant::now());
        let granted = (0..100_u64).filter(|second| sign_ins.take(start + Duration::from_millis(second * 10))).count();
        assert_eq!(granted, SIGN_INS_MAX);
        assert!(sign_ins.take(start + SIGN_INS_WITHIN + Duration::from_secs(1)), "later it may again");
    }
}
