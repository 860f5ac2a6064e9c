//! What the owner allows beyond the public internet.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use url::{Host, Url};

use crate::{
    address::{AddressClass, refused_class},
    error::EgressError,
};

/// One entry of `egress.allow_hosts`: `host`, `host:port`, an address, `address:port`, or a CIDR range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost(Entry);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    /// A name or an address as written in the URL, at one port or any.
    Host { host: Host<String>, port: Option<u16> },
    /// Addresses, whether written in the URL or resolved.
    Range(IpNet),
}

/// Text that is no entry of `egress.allow_hosts`.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a host, host:port or CIDR range")]
pub struct ParseAllowedHostError(String);

impl FromStr for AllowedHost {
    type Err = ParseAllowedHostError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = || ParseAllowedHostError(text.to_owned());
        if let Ok(range) = text.parse::<IpNet>() {
            return Ok(Self(Entry::Range(range.trunc())));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(Entry::Range(IpNet::from(address))));
        }
        if text.is_empty() || text.contains(['/', '@', '?', '#', '\\', ' ', '*']) {
            return Err(fail());
        }
        // The parser of URLs normalizes names and addresses the way requests are.
        let url = Url::parse(&format!("http://{text}/")).map_err(|_| fail())?;
        let host = url.host().ok_or_else(fail)?.to_owned();
        let explicit = text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let host = match host {
            Host::Domain(name) => Host::Domain(without_trailing_dot(&name).to_owned()),
            address => address,
        };
        match (host, explicit) {
            (Host::Ipv4(address), None) => Ok(Self(Entry::Range(IpNet::from(IpAddr::V4(address))))),
            (Host::Ipv6(address), _) if text.ends_with(']') => Ok(Self(Entry::Range(IpNet::from(IpAddr::V6(address))))),
            (host, port) => Ok(Self(Entry::Host { host, port })),
        }
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Entry::Host { host, port: Some(port) } => write!(f, "{host}:{port}"),
            Entry::Host { host, port: None } => write!(f, "{host}"),
            Entry::Range(range) => write!(f, "{range}"),
        }
    }
}

/// What may be reached: the public internet and the hosts the owner allows.
#[derive(Clone, Debug, Default)]
pub struct EgressPolicy {
    /// Beyond the public internet.
    pub allow_hosts: Vec<AllowedHost>,
}

/// How a URL may be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The owner named this host: its address is not looked at.
    Open,
    /// Only public addresses and allowed ranges.
    Guarded,
}

impl EgressPolicy {
    /// Reads the entries of a list.
    ///
    /// # Errors
    /// One of them is not an entry.
    pub fn parse<T: AsRef<str>>(entries: &[T]) -> Result<Self, ParseAllowedHostError> {
        let allow_hosts = entries.iter().map(|entry| entry.as_ref().parse()).collect::<Result<_, _>>()?;
        Ok(Self { allow_hosts })
    }

    /// The same policy, and the host and port of `url` besides.
    #[must_use]
    pub fn and_host_of(mut self, url: &Url) -> Self {
        if let Some(host) = url.host() {
            let host = match host {
                Host::Domain(name) => Host::Domain(without_trailing_dot(name).to_owned()),
                address => address.to_owned(),
            };
            self.allow_hosts.push(AllowedHost(Entry::Host { host, port: url.port_or_known_default() }));
        }
        self
    }

    /// Checks everything about a URL that needs no name look-up.
    pub(crate) fn route(&self, url: &Url) -> Result<Route, EgressError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(EgressError::SchemeNotAllowed { scheme: url.scheme().to_owned() });
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(EgressError::InvalidUrl { reason: "it names no host".to_owned() });
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EgressError::CredentialsInUrl { host: host.to_string() });
        }
        let allowed = self.allow_hosts.iter().any(|AllowedHost(entry)| match entry {
            Entry::Host { host: allowed, port: allowed_port } => {
                allowed_port.is_none_or(|allowed_port| allowed_port == port) && same_host(allowed, &host)
            }
            Entry::Range(_) => false,
        });
        if allowed {
            return Ok(Route::Open);
        }
        let refused = |address, class| Err(EgressError::Refused { host: host.to_string(), port, address, class });
        let address = match host {
            Host::Ipv4(address) => IpAddr::V4(address),
            Host::Ipv6(address) => IpAddr::V6(address),
            Host::Domain(name) if is_local_name(name) && !self.allows_loopback() => {
                return refused(None, AddressClass::Loopback);
            }
            Host::Domain(_) => return Ok(Route::Guarded),
        };
        match self.refused_class(address) {
            Some(class) => refused(Some(address), class),
            None => Ok(Route::Guarded),
        }
    }

    /// Says why this address may not be connected to; `None` if it may.
    pub fn refused_class(&self, address: IpAddr) -> Option<AddressClass> {
        let class = refused_class(address)?;
        let allowed = self
            .allow_hosts
            .iter()
            .any(|AllowedHost(entry)| matches!(entry, Entry::Range(range) if range.contains(&address)));
        (!allowed).then_some(class)
    }

    fn allows_loopback(&self) -> bool {
        self.allow_hosts.iter().any(
            |AllowedHost(entry)| matches!(entry, Entry::Range(range) if refused_class(range.addr()) == Some(AddressClass::Loopback)),
        )
    }
}

fn same_host(allowed: &Host<String>, host: &Host<&str>) -> bool {
    match (allowed, host) {
        (Host::Domain(allowed), Host::Domain(name)) => allowed.eq_ignore_ascii_case(without_trailing_dot(name)),
        (Host::Ipv4(allowed), Host::Ipv4(address)) => allowed == address,
        (Host::Ipv6(allowed), Host::Ipv6(address)) => allowed == address,
        _ => false,
    }
}

/// Names that mean this machine whatever a resolver says (RFC 6761).
fn is_local_name(name: &str) -> bool {
    let name = without_trailing_dot(name).to_ascii_lowercase();
    ["localhost", "localhost.localdomain", "localhost6", "ip6-localhost", "ip6-loopback"].contains(&name.as_str())
        || name.ends_with(".localhost")
        || name.ends_with(".localhost.localdomain")
}

fn without_trailing_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(allow: &[&str], url: &str) -> Result<Route, String> {
        EgressPolicy::parse(allow).unwrap().route(&Url::parse(url).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_allowed_host_is_open_at_its_port_only() {
        let allow = ["ollama.lan:11434", "127.0.0.1:8080", "[::1]:9000", "printer.lan"];
        for url in
            ["http://ollama.lan:11434/", "http://OLLAMA.lan.:11434/", "http://127.0.0.1:8080/", "http://[::1]:9000/"]
        {
            assert_eq!(route(&allow, url), Ok(Route::Open), "{url}");
        }
        assert_eq!(route(&allow, "https://printer.lan:999/"), Ok(Route::Open));
        assert_eq!(route(&allow, "http://ollama.lan/"), Ok(Route::Guarded), "another port is checked like any host");
        assert!(route(&allow, "http://127.0.0.1:8081/").is_err());
        assert!(route(&allow, "http://[::1]/").is_err());
        assert_eq!(route(&allow, "http://not-ollama.lan:11434/"), Ok(Route::Guarded));
    }

    #[test]
    fn an_allowed_range_covers_addresses_and_names() {
        let policy = EgressPolicy::parse(&["192.168.1.0/24", "127.0.0.1"]).unwrap();
        assert_eq!(policy.refused_class("192.168.1.77".parse().unwrap()), None);
        assert_eq!(policy.refused_class("192.168.2.1".parse().unwrap()), Some(AddressClass::Private));
        assert_eq!(route(&["127.0.0.1"], "http://localhost/"), Ok(Route::Guarded), "the resolver decides");
        assert!(route(&["10.0.0.0/8"], "http://localhost/").is_err());
    }

    #[test]
    fn nonsense_is_no_entry() {
        for text in ["", "http://a", "a/b", "user@host", "a b", "*.lan", "10.0.0.0/99", "host:99999", ":80"] {
            assert!(text.parse::<AllowedHost>().is_err(), "{text}");
        }
    }
}
