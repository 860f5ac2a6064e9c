//! `site-check`: is a page there, how fast, until when its certificate lasts, and which of its links are broken.
//!
//! A site with a bad certificate or broken links is a result; a site that can't be reached is a failure that is tried
//! again.

mod links;
mod page;
mod tls;

use std::time::{Duration, Instant};

use flowork_egress::{Egress, EgressError, EgressPolicy, Method, Request, Url};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{channel::Channel, failure::Failure};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inputs {
    url: String,
    #[serde(default = "default_max_links")]
    max_links: usize,
    #[serde(default = "default_timeout_ms")]
    timeout_ms: u64,
}

fn default_max_links() -> usize {
    50
}

fn default_timeout_ms() -> u64 {
    10_000
}

#[derive(Debug, Serialize)]
struct Hop {
    status: u16,
    url: String,
}

/// Reads `body` as the page at `url`; returns how many links it holds.
pub fn fuzz_page(body: &[u8], content_type: Option<&str>, url: &Url) -> usize {
    page::parse(&page::decode(body, content_type), url).1.len()
}

/// Checks the site.
pub(crate) fn run(inputs: Inputs, allow_hosts: &[String], channel: &Channel) -> Result<Value, Failure> {
    let policy = EgressPolicy::parse(allow_hosts)
        .map_err(|error| Failure::new("INVALID_POLICY", error.to_string()).hint("correct egress.allow_hosts"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("NO_RUNTIME", format!("can't start: {error}")).retryable(true))?;
    runtime.block_on(check(inputs, &Egress::new(policy), channel))
}

async fn check(inputs: Inputs, egress: &Egress, channel: &Channel) -> Result<Value, Failure> {
    let timeout = Duration::from_millis(inputs.timeout_ms.clamp(100, 120_000));
    let started = Instant::now();
    channel.progress(0.02, "fetching the page");
    let mut request = Request::new(Method::GET, &inputs.url).map_err(|error| failure(&error))?;
    let url = request.url.clone();
    request.limits.total_timeout = timeout;
    request.limits.response_bytes_max = u64::MAX;
    let (response, problem) = match egress.send(request).await {
        Ok(response) => (Some(response), None),
        Err(error @ EgressError::Tls { .. }) => (None, Some(error)),
        Err(error) => return Err(failure(&error)),
    };
    let first_byte_ms = started.elapsed().as_millis() as u64;
    let final_url = response.as_ref().map_or_else(|| url.clone(), |response| response.url.clone());
    let mut report = json!({
        "url": url.as_str(),
        "final_url": final_url.as_str(),
        "reachable": response.is_some(),
        "problem": problem.as_ref().map(EgressError::chain),
        "status": response.as_ref().map(|response| response.status.as_u16()),
    });
    let mut found = Vec::new();
    if let Some(mut response) = response {
        let redirects: Vec<_> = response
            .redirects
            .iter()
            .map(|redirect| Hop { status: redirect.status.as_u16(), url: redirect.url.to_string() })
            .collect();
        let page = page::read(&mut response).await.map_err(|error| failure(&error))?;
        found.clone_from(&page.links);
        report["redirects"] = json!(redirects);
        report["content_type"] = json!(page.content_type);
        report["bytes"] = json!(page.bytes);
        report["bytes_truncated"] = json!(page.truncated);
        report["title"] = json!(page.title);
        report["first_byte_ms"] = json!(first_byte_ms);
        report["elapsed_ms"] = json!(started.elapsed().as_millis() as u64);
    }
    channel.progress(0.1, "checking the certificate");
    report["tls"] = json!(certificate(egress, &final_url, timeout, channel).await);
    report["links"] = json!(links::check(egress, &found, inputs.max_links.min(1_000), timeout, channel).await);
    channel.progress(1.0, "checked");
    Ok(report)
}

async fn certificate(egress: &Egress, url: &Url, timeout: Duration, channel: &Channel) -> Option<tls::Certificate> {
    if url.scheme() != "https" {
        return None;
    }
    match tls::inspect(egress, url, timeout).await {
        Ok(certificate) => Some(certificate),
        Err(reason) => {
            channel.log("warn", &format!("the certificate can't be looked at: {reason}"));
            None
        }
    }
}

fn failure(error: &EgressError) -> Failure {
    let code = match error {
        EgressError::InvalidUrl { .. }
        | EgressError::SchemeNotAllowed { .. }
        | EgressError::CredentialsInUrl { .. }
        | EgressError::HeaderNotAllowed { .. } => "INVALID_URL",
        EgressError::Refused { .. } => "EGRESS_REFUSED",
        EgressError::Dns { .. } => "DNS_FAILED",
        EgressError::Timeout { .. } => "SITE_TIMEOUT",
        EgressError::TooManyRedirects { .. } | EgressError::InvalidRedirect { .. } => "BAD_REDIRECT",
        _ => "SITE_UNREACHABLE",
    };
    let failure = Failure::new(code, error.chain()).retryable(error.is_transient());
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
