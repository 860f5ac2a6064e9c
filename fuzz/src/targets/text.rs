//! Short text that people write.

use std::net::IpAddr;

use flowork_api_types::Timestamp;
use flowork_egress::{AllowedHost, Egress, EgressPolicy, Url};
use flowork_schedules::timing::{Timing, TimingText};
use url::Host;

use crate::node::runtime;

/// 2026-03-29T00:00:00Z, a day on which clocks change.
const NOW: Timestamp = Timestamp(1_774_742_400_000);

/// A cron expression, and a time zone on the next line.
pub(super) fn timing(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (cron, zone) = text.split_once('\n').unwrap_or((text, "Europe/Berlin"));
    let text = TimingText { cron: Some(cron.to_owned()), time_zone: Some(zone.to_owned()), ..TimingText::default() };
    match Timing::parse(&text, NOW) {
        Ok(timing) => {
            let mut at = NOW;
            for _ in 0..3 {
                let Some(next) = timing.next_after(at) else { break };
                assert!(next > at, "{text:?}: {next:?} is not after {at:?}");
                at = next;
            }
        }
        Err(error) => drop((error.to_string(), error.hint(), error.field())),
    }
}

/// A URL on the first line, allowed hosts on the others.
pub(super) fn url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (url, allowed) = text.split_once('\n').unwrap_or((text, ""));
    for entry in allowed.lines() {
        if let Ok(entry) = entry.parse::<AllowedHost>() {
            let again: AllowedHost = entry.to_string().parse().expect("what it prints can be read");
            assert_eq!(again, entry, "and says the same");
        }
    }
    let Ok(url) = Url::parse(url) else { return };
    // A name would be looked up; what a resolver says is not text.
    if !matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_))) {
        return;
    }
    let egress = Egress::new(EgressPolicy::default());
    if let Ok(addresses) = runtime().block_on(egress.addresses(&url)) {
        for address in addresses {
            assert!(!is_near(address.ip()), "{url} leads to {address}");
        }
    }
}

/// Addresses that are beyond doubt not the public internet, by the standard library's word and not by the guard's own.
fn is_near(address: IpAddr) -> bool {
    let v4 = match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(address) => address.to_ipv4(),
    };
    let near_v6 = match address {
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
        IpAddr::V4(_) => false,
    };
    near_v6
        || v4.is_some_and(|address| {
            address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_broadcast()
                || address.is_documentation()
        })
}
