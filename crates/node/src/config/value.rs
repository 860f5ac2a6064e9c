//! Values of settings: from text, from TOML, and back for people.

use std::{net::SocketAddr, path::Path, time::Duration};

use flowork_egress::{EgressPolicy, Url};
use flowork_gateway::Rate;
use serde::Serialize;
use toml::de::DeValue;

use super::duration::parse_duration;

/// Seconds of a day.
const DAY_S: u64 = 86_400;

/// EIP-4361 messages have no longer numbers of chains: 18 digits.
const CHAIN_ID_MAX: u64 = 999_999_999_999_999_999;

/// What values a setting takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValueKind {
    Text,
    Path,
    Url,
    Address,
    Integer {
        min: u64,
        max: u64,
    },
    Boolean,
    Choice(&'static [&'static str]),
    List(Items),
    /// A number with or without a fraction.
    Decimal {
        min: f64,
        max: f64,
    },
    /// Seconds, as a number or as a duration with its unit.
    Seconds {
        min: f64,
        max: f64,
    },
    /// How often something may happen, or `off`.
    Rate,
    /// A whole number and its unit.
    Duration {
        min: Duration,
        max: Duration,
    },
}

/// What the items of a list are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Items {
    /// What jobs may reach.
    Targets,
    /// Values of the `Host` header.
    Hosts,
    /// Values of the `Origin` header.
    Origins,
    /// Numbers of chains.
    ChainIds,
    /// Names of providers.
    Providers,
    /// Absolute paths.
    Paths,
    /// Names of environment variables.
    Variables,
}

/// A value that fits its setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Text, a path or an address.
    Text(String),
    /// A whole number.
    Integer(u64),
    /// A number with or without a fraction.
    Decimal(f64),
    /// Yes or no.
    Boolean(bool),
    /// Several texts.
    List(Vec<String>),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Decimal(number) => write!(f, "{number}"),
            Self::Boolean(yes) => write!(f, "{yes}"),
            Self::List(items) => f.write_str(&items.join(",")),
        }
    }
}

impl ValueKind {
    /// What is expected, for messages.
    pub(super) fn expected(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Url => "a URL that begins with http:// or https:// and holds no password".to_owned(),
            Self::Address => "an address and port such as 127.0.0.1:7717".to_owned(),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Boolean => "true or false".to_owned(),
            Self::Choice(choices) => format!("one of {}", choices.join(", ")),
            Self::List(items) => items.expected().to_owned(),
            Self::Decimal { min, max } => format!("a number from {min} to {max}"),
            Self::Seconds { min, max } => {
                format!("a number of seconds from {min} to {max}, or a duration such as 500ms")
            }
            Self::Rate => "off, or how often: 100/s, 600/m or 5000/h".to_owned(),
            Self::Duration { min, .. } if min.as_secs() >= DAY_S => {
                let days = min.as_secs() / DAY_S;
                format!("a duration of at least {days}d, such as {}d", 2 * days)
            }
            Self::Duration { .. } => "a duration such as 30m, 12h or 7d".to_owned(),
        }
    }

    /// Reads what was written in the environment, in a flag, or as a default.
    pub(super) fn parse_text(self, text: &str) -> Option<Value> {
        match self {
            Self::Integer { .. } => self.check(Value::Integer(text.trim().parse().ok()?)),
            Self::Boolean => self.check(Value::Boolean(text.trim().parse().ok()?)),
            Self::List(_) => self.check(Value::List(
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect(),
            )),
            Self::Decimal { .. } => self.check(Value::Decimal(text.trim().parse().ok()?)),
            Self::Seconds { .. } => self.check(Value::Decimal(parse_seconds(text.trim())?)),
            _ => self.check(Value::Text(text.trim().to_owned())),
        }
    }

    /// Reads what was written in `config.toml`.
    pub(super) fn parse_toml(self, value: &DeValue<'_>) -> Option<Value> {
        match (self, value) {
            (Self::Integer { .. }, DeValue::Integer(number)) => {
                self.check(Value::Integer(u64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok()?))
            }
            (Self::List(Items::ChainIds), DeValue::Array(items)) => {
                let items = items.iter().map(|item| match item.get_ref() {
                    DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().replace('_', "")),
                    _ => None,
                });
                self.check(Value::List(items.collect::<Option<_>>()?))
            }
            (Self::List(_), DeValue::Array(items)) => {
                let items = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
                self.check(Value::List(items.collect::<Option<_>>()?))
            }
            (Self::Decimal { .. } | Self::Seconds { .. }, DeValue::Integer(number)) => {
                self.parse_text(&number.as_str().replace('_', ""))
            }
            (Self::Decimal { .. } | Self::Seconds { .. }, DeValue::Float(number)) => {
                self.parse_text(&number.as_str().replace('_', ""))
            }
            (Self::Seconds { .. }, DeValue::String(text)) => self.parse_text(text),
            (Self::Boolean, DeValue::Boolean(yes)) => self.check(Value::Boolean(*yes)),
            (Self::Integer { .. } | Self::Decimal { .. } | Self::Boolean | Self::List(_), _) => None,
            (_, DeValue::String(text)) => self.check(Value::Text(text.clone().into_owned())),
            _ => None,
        }
    }

    fn check(self, value: Value) -> Option<Value> {
        let fits = match (self, &value) {
            (Self::Integer { min, max }, Value::Integer(number)) => (min..=max).contains(number),
            (Self::Decimal { min, max } | Self::Seconds { min, max }, Value::Decimal(number)) => {
                (min..=max).contains(number)
            }
            (Self::Duration { min, max }, Value::Text(text)) => {
                parse_duration(text).is_ok_and(|duration| (min..=max).contains(&duration))
            }
            (Self::Rate, Value::Text(text)) => text == "off" || text.parse::<Rate>().is_ok(),
            (Self::Choice(choices), Value::Text(text)) => choices.contains(&text.as_str()),
            (Self::Address, Value::Text(text)) => parse_address(text).is_some(),
            (Self::Url, Value::Text(text)) => is_plain_url(text),
            (Self::Path, Value::Text(text)) => !text.is_empty(),
            (Self::List(items), Value::List(texts)) => texts.iter().all(|text| items.fit(text)),
            _ => true,
        };
        fits.then_some(value)
    }
}

impl Items {
    fn expected(self) -> &'static str {
        match self {
            Self::Targets => "a list of hosts, addresses or ranges such as nas.local, 192.168.1.20:8080 or 10.0.0.0/8",
            Self::Hosts => "a list of hosts such as flowork.lan or flowork.lan:7717, without http://",
            Self::Providers => "a list of names of providers",
            Self::Paths => "a list of absolute paths",
            Self::Variables => {
                "a list of names of variables such as LANG, none that names code to load (LD_PRELOAD and the like)"
            }
            Self::Origins => "a list of web origins such as https://example.org, without a path",
            Self::ChainIds => "a list of numbers of chains such as 1 or 8453",
        }
    }

    /// An item of another form would be kept and never match.
    fn fit(self, text: &str) -> bool {
        match self {
            Self::Targets => EgressPolicy::parse(&[text]).is_ok(),
            Self::Hosts => is_origin(&format!("http://{text}")),
            Self::Providers => !text.is_empty(),
            Self::Paths => Path::new(text).is_absolute() && !text.contains('\0'),
            Self::Variables => is_variable(text),
            Self::Origins => is_origin(text.trim_end_matches('/')),
            Self::ChainIds => text.parse::<u64>().is_ok_and(|id| (1..=CHAIN_ID_MAX).contains(&id)),
        }
    }
}

/// A name that a system takes. Libraries that are loaded first would be code that nobody listed.
fn is_variable(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    !text.is_empty()
        && !text.contains(['=', '\0'])
        && !text.contains(char::is_whitespace)
        && !["LD_", "DYLD_"].iter().any(|family| upper.starts_with(family))
}

/// Scheme, host, and a port where it is not the scheme's own.
fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        let origin = url.origin();
        let written = text.to_ascii_lowercase();
        // A `Host` of port 80 may name it or not.
        matches!(url.scheme(), "http" | "https")
            && !text.contains('*')
            && (origin.ascii_serialization() == written || format!("{}:80", origin.ascii_serialization()) == written)
    })
}

fn parse_seconds(text: &str) -> Option<f64> {
    text.parse().ok().or_else(|| parse_duration(text).ok().map(|duration| duration.as_secs_f64()))
}

/// `localhost` is written so often that it is understood, as the IPv4 loopback.
pub(super) fn parse_address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => port.parse().ok().map(|port| SocketAddr::from(([127, 0, 0, 1], port))),
        None => text.parse().ok(),
    }
}

fn is_plain_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !authority.is_empty() && !authority.contains('@') && !text.contains(char::is_whitespace)
    })
}
