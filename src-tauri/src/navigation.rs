//! Where the window may go: the app's own pages until the node runs, then the node and nothing else.
//!
//! The pages of the app call no Tauri command. A click on one of their buttons is a navigation to a host that cannot
//! exist, which is caught here.

use tauri::Url;

/// The host of addresses that mean "do something"; `.invalid` is reserved and never resolves.
const ACTION_HOST: &str = "action.flowork.invalid";

/// What a click on a button of the app's own pages asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Try to start the node again.
    Retry,
    /// Show the folder with the logs.
    OpenLogs,
    /// End the app.
    Quit,
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

/// Decides about an address, given the address of the node once it runs.
pub(crate) fn decide(to: &Url, node: Option<&Url>) -> Decision {
    if to.as_str() == "about:blank" {
        return Decision::Stay;
    }
    match node {
        Some(node) if same_origin(to, node) => Decision::Stay,
        None if same_origin(to, &page("")) => Decision::Stay,
        None if to.host_str() == Some(ACTION_HOST) => action(to.path()).map_or(Decision::Refuse, Decision::Act),
        _ if opens_in_browser(to) => Decision::Browser,
        _ => Decision::Refuse,
    }
}

/// Says whether an address is one that a browser or a mail program opens; everything else could start any program.
pub(crate) fn opens_in_browser(to: &Url) -> bool {
    ["http", "https", "mailto"].contains(&to.scheme()) && to.host_str() != Some(ACTION_HOST)
}

fn action(path: &str) -> Option<Action> {
    match path {
        "/retry" => Some(Action::Retry),
        "/logs" => Some(Action::OpenLogs),
        "/quit" => Some(Action::Quit),
        _ => None,
    }
}

/// Compares scheme, host and port. Not `Url::origin`, which takes every `tauri:` address for another origin.
fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
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
    }

    #[test]
    fn node_cannot_press_the_buttons_of_the_error_page() {
        let node = Some("http://127.0.0.1:4000/");
        check("https://action.flowork.invalid/quit", node, Decision::Refuse);
        check(page("error.html").as_str(), node, if cfg!(windows) { Decision::Browser } else { Decision::Refuse });
    }

    #[test]
    fn buttons_work_before_the_node_runs() {
        check(page("error.html").as_str(), None, Decision::Stay);
        check("https://action.flowork.invalid/retry", None, Decision::Act(Action::Retry));
        check("https://action.flowork.invalid/logs", None, Decision::Act(Action::OpenLogs));
        check("https://action.flowork.invalid/quit", None, Decision::Act(Action::Quit));
        check("https://action.flowork.invalid/format", None, Decision::Refuse);
    }
}
