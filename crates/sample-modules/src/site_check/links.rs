//! Asks for each link of the page whether it is there.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use flowork_egress::{Egress, EgressError, Method, Request, Url};
use futures_util::{StreamExt, stream};
use serde::Serialize;

use crate::channel::Channel;

/// Links asked for at the same time; more looks like an attack to the other side.
const CONCURRENCY: usize = 8;

/// What became of the links.
#[derive(Debug, Serialize)]
pub(super) struct Links {
    /// On the page.
    found: usize,
    checked: usize,
    broken: usize,
    /// In the order of the page.
    items: Vec<Link>,
}

#[derive(Debug, Serialize)]
struct Link {
    url: String,
    verdict: Verdict,
    status: Option<u16>,
    method: String,
    elapsed_ms: u64,
    error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Broken,
    /// There, but not for us: 401, 403, 429.
    Restricted,
    /// Not asked: it leads to an address that is refused.
    Refused,
}

/// Checks the first `max` links.
pub(super) async fn check(egress: &Egress, urls: &[Url], max: usize, timeout: Duration, channel: &Channel) -> Links {
    let count = urls.len().min(max);
    let done = AtomicUsize::new(0);
    let checks = urls.iter().take(max).map(|url| async {
        let link = check_link(egress, url, timeout).await;
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        channel.progress(0.1 + 0.89 * done as f64 / count as f64, &format!("{done} of {count} links"));
        link
    });
    let items: Vec<Link> = stream::iter(checks.collect::<Vec<_>>()).buffered(CONCURRENCY).collect().await;
    let broken = items.iter().filter(|link| link.verdict == Verdict::Broken).count();
    for link in items.iter().filter(|link| link.verdict == Verdict::Broken).take(20) {
        let reason = link.error.clone().or(link.status.map(|status| status.to_string())).unwrap_or_default();
        channel.log("warn", &format!("broken link {}: {reason}", link.url));
    }
    Links { found: urls.len(), checked: items.len(), broken, items }
}

/// Asks with HEAD, and once more with GET where that did not go well: many servers know only GET.
async fn check_link(egress: &Egress, url: &Url, timeout: Duration) -> Link {
    let started = Instant::now();
    let mut method = Method::HEAD;
    let mut answer = ask(egress, url, &method, timeout).await;
    let again = match &answer {
        Ok(status) => *status >= 400,
        Err(error) => matches!(error, EgressError::Transfer { .. }),
    };
    if again {
        method = Method::GET;
        answer = ask(egress, url, &method, timeout).await;
    }
    let (verdict, status, error) = match answer {
        Ok(status @ (401 | 403 | 429)) => (Verdict::Restricted, Some(status), None),
        Ok(status @ 400..) => (Verdict::Broken, Some(status), None),
        Ok(status) => (Verdict::Ok, Some(status), None),
        Err(error @ EgressError::Refused { .. }) => (Verdict::Refused, None, Some(error.to_string())),
        Err(error) => (Verdict::Broken, None, Some(error.chain())),
    };
    let elapsed_ms = started.elapsed().as_millis() as u64;
    Link { url: url.to_string(), verdict, status, method: method.to_string(), elapsed_ms, error }
}

async fn ask(egress: &Egress, url: &Url, method: &Method, timeout: Duration) -> Result<u16, EgressError> {
    let mut request = Request::new(method.clone(), url.as_str())?;
    request.limits.total_timeout = timeout;
    // The body is not read: dropping the answer closes the connection.
    Ok(egress.send(request).await?.status.as_u16())
}
