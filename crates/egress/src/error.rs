//! Why an outgoing request was refused or failed. No message carries a path, a query or a header value: any of them
//! may hold a secret.

use std::{net::IpAddr, time::Duration};

use crate::address::AddressClass;

/// Why an outgoing request was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// Text that is no absolute URL.
    #[error("the URL is not valid: {reason}")]
    InvalidUrl {
        /// From the parser.
        reason: String,
    },
    /// Neither `http` nor `https`.
    #[error("the URL starts with {scheme}: but only http: and https: are fetched")]
    SchemeNotAllowed {
        /// Without the colon.
        scheme: String,
    },
    /// `https://user:password@host/`.
    #[error("the URL for {host} carries a user name or a password")]
    CredentialsInUrl {
        /// Where it would have gone.
        host: String,
    },
    /// The host is, or resolves to, an address that is not public.
    #[error("{} is refused: {} is a {class} address", target_name(.host, *.port), .address.map_or_else(|| "its name".to_owned(), |address| address.to_string()))]
    Refused {
        /// As in the URL.
        host: String,
        /// Of the URL, or its scheme's.
        port: u16,
        /// The address, where it came to that.
        address: Option<IpAddr>,
        /// What is wrong with it.
        class: AddressClass,
    },
    /// A header that would change where the request goes or how it is framed.
    #[error("the header {name} can't be set: {reason}")]
    HeaderNotAllowed {
        /// Its name.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// The name does not resolve.
    #[error("the name {host} can't be resolved")]
    Dns {
        /// The name.
        host: String,
        /// From the resolver.
        #[source]
        source: std::io::Error,
    },
    /// Nobody answers there.
    #[error("can't connect to {}", target_name(.host, *.port))]
    Connect {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// From the system.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The certificate or the handshake is wrong.
    #[error("no trusted TLS connection to {}: {reason}", target_name(.host, *.port))]
    Tls {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// From the TLS library.
        reason: String,
    },
    /// Too slow.
    #[error("{host} did not {phase} within {} ms", .limit.as_millis())]
    Timeout {
        /// The host.
        host: String,
        /// `connect`, `answer`, `send more data` or `finish`.
        phase: &'static str,
        /// The limit that was hit.
        limit: Duration,
    },
    /// Redirected more often than allowed.
    #[error("{host} redirects more than {max} times")]
    TooManyRedirects {
        /// The last host.
        host: String,
        /// The limit.
        max: usize,
    },
    /// A redirect without a usable target.
    #[error("{host} redirects to a place that can't be fetched: {reason}")]
    InvalidRedirect {
        /// Who redirected.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// More than the caller wants to hold.
    #[error("the answer of {host} is longer than {max} bytes")]
    ResponseTooLarge {
        /// The host.
        host: String,
        /// The limit.
        max: u64,
    },
    /// The connection broke, or what came was not HTTP.
    #[error("the connection to {host} broke")]
    Transfer {
        /// The host.
        host: String,
        /// From the HTTP library.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The HTTP client can't be made, for example for want of root certificates.
    #[error("the HTTP client can't start")]
    Client {
        /// From the HTTP library.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl EgressError {
    /// What a person can do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::InvalidUrl { .. } => "use an absolute URL such as https://example.com/page".to_owned(),
            Self::SchemeNotAllowed { .. } => "use an http:// or https:// URL".to_owned(),
            Self::CredentialsInUrl { .. } => {
                "send credentials in an Authorization header instead; URLs end up in logs".to_owned()
            }
            Self::Refused { host, port, .. } => format!(
                "if this host may be reached, the owner adds \"{}\" to egress.allow_hosts in config.toml",
                target_name(host, *port)
            ),
            Self::HeaderNotAllowed { .. } => "leave it out; it is set from the URL and the body".to_owned(),
            Self::Dns { .. } => "check the spelling of the host and this machine's network".to_owned(),
            Self::Connect { .. } => "check that the server runs and that the port is right".to_owned(),
            Self::Tls { .. } => {
                "check the date of the certificate and that it is for this host; certificates that this machine \
                 does not trust are refused"
                    .to_owned()
            }
            Self::Timeout { .. } => "try again later, or allow more time with timeout_ms".to_owned(),
            Self::TooManyRedirects { .. } => "open the URL in a browser and use the address it ends at".to_owned(),
            Self::InvalidRedirect { .. } => "follow the redirect yourself with follow_redirects off".to_owned(),
            Self::ResponseTooLarge { .. } => "ask for less, or raise response_bytes_max".to_owned(),
            Self::Client { .. } => "install root certificates (Debian: apt-get install ca-certificates)".to_owned(),
            Self::Transfer { .. } => return None,
        })
    }

    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Dns { .. } | Self::Connect { .. } | Self::Timeout { .. } | Self::Transfer { .. })
    }

    /// The message with every cause, for a log or a person.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        text
    }
}

/// `host:port` as it may stand in `egress.allow_hosts`.
fn target_name(host: &str, port: u16) -> String {
    format!("{host}:{port}")
}
