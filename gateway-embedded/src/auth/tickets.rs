//! Tickets: what a browser puts into the URL of a stream, where it can send no headers.
//!
//! A ticket works once, within half a minute, and only for the path and the caller it was made for, so that one that
//! ends up in a log or a history is worth nothing. Kept in memory alone, as a hash.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use flowork_api_types::Timestamp;

use super::person::{Account, Person};
use crate::edge::scope::random_hex;

/// The parameter of a query that holds a ticket.
pub(crate) const TICKET_PARAMETER: &str = "ticket";
/// How long a ticket works. A browser opens the stream at once.
pub(crate) const TICKET_TTL: Duration = Duration::from_secs(30);

/// What tickets open: routes that browsers open without headers, as the table of `router.rs` writes them.
const STREAM_ROUTES: [&str; 3] = ["/v1/events", "/v1/jobs/{job_id}/events", "/ws"];
/// Tickets at a time.
const TICKETS_MAX: usize = 4_096;
/// Tickets of one account at a time. More only take the place of their own.
const TICKETS_PER_ACCOUNT_MAX: usize = 64;
const PREFIX: &str = "flt_";

/// The tickets that nobody has used yet, the oldest first.
#[derive(Default)]
pub(crate) struct Tickets(Mutex<VecDeque<Ticket>>);

struct Ticket {
    hash: blake3::Hash,
    path: String,
    person: Person,
    account: Account,
    expires_at: Timestamp,
}

impl Tickets {
    /// Makes a ticket for this path. The caller has seen to it that [`is_stream`] says yes.
    pub(crate) fn issue(&self, path: &str, person: Person, from: IpAddr, now: Timestamp) -> (String, Timestamp) {
        let text = format!("{PREFIX}{}", random_hex::<32>());
        let expires_at = Timestamp(now.as_millis() + TICKET_TTL.as_millis() as i64);
        let (hash, account) = (blake3::hash(text.as_bytes()), person.account(from));
        let ticket = Ticket { hash, path: path.to_owned(), person, account, expires_at };
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|kept| now < kept.expires_at);
        let is_theirs = |kept: &Ticket| kept.account == ticket.account;
        if tickets.iter().filter(|kept| is_theirs(kept)).count() >= TICKETS_PER_ACCOUNT_MAX
            && let Some(at) = tickets.iter().position(is_theirs)
        {
            tickets.remove(at);
        }
        if tickets.len() >= TICKETS_MAX {
            tickets.pop_front();
        }
        tickets.push_back(ticket);
        (text, expires_at)
    }

    /// Uses a ticket up. One that comes for another path, or too late, is used up as well.
    ///
    /// Whether the person may still come in is for the caller to ask of the records.
    pub(crate) fn redeem(&self, text: &str, path: &str, now: Timestamp) -> Option<Person> {
        let hash = blake3::hash(text.as_bytes());
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = tickets.iter().position(|kept| kept.hash == hash)?;
        let ticket = tickets.remove(at)?;
        (ticket.path == path && now < ticket.expires_at).then_some(ticket.person)
    }
}

/// Whether tickets can be had for this path: it is a stream's, and nothing but a path.
pub(crate) fn is_stream(path: &str) -> bool {
    STREAM_ROUTES.iter().any(|route| matches(route, path))
}

/// Whether tickets are looked at on this route, which is written as in the table of routes.
pub(crate) fn is_stream_route(route: &str) -> bool {
    STREAM_ROUTES.contains(&route)
}

fn matches(route: &str, path: &str) -> bool {
    let plain = |segment: &str| {
        !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    let (route, path) = (route.split('/'), path.split('/'));
    route.clone().count() == path.clone().count()
        && route.zip(path).all(|(wanted, found)| wanted == found || (wanted.starts_with('{') && plain(found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_are_for_streams_alone() {
        for path in ["/v1/events", "/ws", "/v1/jobs/job_01930c5ea2f07a3c8000000000000000/events"] {
            assert!(is_stream(path), "{path}");
        }
        for path in [
            "",
            "/",
            "/v1/jobs",
            "/v1/events/",
            "/v1/events?cursor=1",
            "/v1/events#x",
            "/v1/jobs//events",
            "/v1/jobs/../events",
            "/v1/jobs/a%2fb/events",
            "/v1/jobs/a/events/b",
            "v1/events",
            "//v1/events",
            "https://evil.example/ws",
        ] {
            assert!(!is_stream(path), "{path}");
        }
    }
}
