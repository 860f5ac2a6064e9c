//! Reads a message of EIP-4361 by its grammar, and refuses what the grammar does not have.
//!
//! Lines end with a line feed alone, fields come in their order and once, and nothing follows the last one.

use std::str::FromStr;

use flowork_api_types::Timestamp;
use http::{Uri, uri::Authority};

use crate::{
    address::{AddressError, parse_checksummed},
    message::{MESSAGE_BYTES_MAX, NONCE_CHARS_MIN, SignInMessage},
};

const FIRST_LINE_END: &str = " wants you to sign in with your Ethereum account:";
/// More digits are no number of a chain.
const CHAIN_ID_DIGITS_MAX: usize = 18;
const NONCE_CHARS_MAX: usize = 128;
const RESOURCES_MAX: usize = 32;

/// Why text is no message of EIP-4361.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Too long.
    #[error("a message is at most {MESSAGE_BYTES_MAX} bytes long")]
    TooLong,
    /// Characters outside of printable ASCII and the line feed.
    #[error("a message has printable ASCII characters and line feeds only")]
    Characters,
    /// The first line is another.
    #[error("the first line is not \"<domain>{FIRST_LINE_END}\"")]
    FirstLine,
    /// The domain is none.
    #[error("the domain is not a host, or a host and a port")]
    Domain,
    /// The scheme is none.
    #[error("the scheme is not one")]
    Scheme,
    /// The second line is no address.
    #[error("the second line is not an address in the form of EIP-55")]
    Address(#[source] AddressError),
    /// Empty lines stand where none belongs, or are missing.
    #[error("the empty lines around the statement are not where they belong")]
    EmptyLines,
    /// The statement has characters that the grammar does not.
    #[error("the statement has characters that may not be in it")]
    Statement,
    /// A field is missing or not at its place.
    #[error("the field {0:?} is not where it belongs")]
    Missing(&'static str),
    /// A field has a value of another form.
    #[error("the field {0:?} has a value of another form")]
    Value(&'static str),
    /// The version is not 1.
    #[error("the version is not 1")]
    Version,
    /// Too many resources.
    #[error("there are more than {RESOURCES_MAX} resources")]
    Resources,
    /// Something follows the last field.
    #[error("something follows where the message should end")]
    Trailing,
}

impl FromStr for SignInMessage {
    type Err = MessageError;

    fn from_str(text: &str) -> Result<Self, MessageError> {
        if text.len() > MESSAGE_BYTES_MAX {
            return Err(MessageError::TooLong);
        }
        if !text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)) {
            return Err(MessageError::Characters);
        }
        let mut lines = Lines { rest: Some(text) };
        let (scheme, domain) = first_line(lines.next().unwrap_or_default())?;
        let address = parse_checksummed(lines.next().unwrap_or_default()).map_err(MessageError::Address)?;
        let statement = statement(&mut lines)?;
        let uri = lines.field("URI", |value| is_uri(value).then(|| value.to_owned()))?;
        let version = lines.field("Version", |value| Some(value == "1"))?;
        if !version {
            return Err(MessageError::Version);
        }
        let chain_id = lines.field("Chain ID", chain_id)?;
        let nonce = lines.field("Nonce", |value| is_nonce(value).then(|| value.to_owned()))?;
        let issued_at = lines.field("Issued At", time)?;
        let expiration_time = lines.optional_field("Expiration Time", time)?;
        let not_before = lines.optional_field("Not Before", time)?;
        let request_id = lines.optional_field("Request ID", |value| is_path_text(value).then(|| value.to_owned()))?;
        let resources = resources(&mut lines)?;
        if lines.rest.is_some() {
            return Err(MessageError::Trailing);
        }
        Ok(Self {
            scheme,
            domain,
            address,
            statement,
            uri,
            chain_id,
            nonce,
            issued_at,
            expiration_time,
            not_before,
            request_id,
            resources,
        })
    }
}

/// What is left of a message; `None` once its last line was taken.
struct Lines<'a> {
    rest: Option<&'a str>,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        match rest.split_once('\n') {
            Some((line, rest)) => {
                self.rest = Some(rest);
                Some(line)
            }
            None => self.rest.take(),
        }
    }

    fn peek(&self) -> Option<&'a str> {
        self.rest.map(|rest| rest.split('\n').next().unwrap_or_default())
    }

    fn field<T>(&mut self, name: &'static str, read: impl FnOnce(&'a str) -> Option<T>) -> Result<T, MessageError> {
        let line = self.next().ok_or(MessageError::Missing(name))?;
        let value = value_of(line, name).ok_or(MessageError::Missing(name))?;
        read(value).ok_or(MessageError::Value(name))
    }

    fn optional_field<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<Option<T>, MessageError> {
        match self.peek().and_then(|line| value_of(line, name)) {
            Some(_) => self.field(name, read).map(Some),
            None => Ok(None),
        }
    }
}

fn value_of<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.strip_prefix(name)?.strip_prefix(": ")
}

fn first_line(line: &str) -> Result<(Option<String>, String), MessageError> {
    let origin = line.strip_suffix(FIRST_LINE_END).ok_or(MessageError::FirstLine)?;
    let (scheme, domain) = match origin.split_once("://") {
        Some((scheme, domain)) => (Some(scheme), domain),
        None => (None, origin),
    };
    if scheme.is_some_and(|scheme| !is_scheme(scheme)) {
        return Err(MessageError::Scheme);
    }
    if !is_domain(domain) {
        return Err(MessageError::Domain);
    }
    Ok((scheme.map(str::to_owned), domain.to_owned()))
}

/// An empty line, the statement and an empty line; or two empty lines.
fn statement(lines: &mut Lines<'_>) -> Result<Option<String>, MessageError> {
    if lines.next() != Some("") {
        return Err(MessageError::EmptyLines);
    }
    match lines.next() {
        Some("") => Ok(None),
        Some(statement) if lines.next() == Some("") => {
            if statement.bytes().all(is_statement_byte) {
                Ok(Some(statement.to_owned()))
            } else {
                Err(MessageError::Statement)
            }
        }
        _ => Err(MessageError::EmptyLines),
    }
}

fn resources(lines: &mut Lines<'_>) -> Result<Vec<String>, MessageError> {
    let mut resources = Vec::new();
    if lines.peek() != Some("Resources:") {
        return Ok(resources);
    }
    lines.next();
    while let Some(line) = lines.next() {
        let resource = line.strip_prefix("- ").ok_or(MessageError::Trailing)?;
        if !is_uri(resource) {
            return Err(MessageError::Value("Resources"));
        }
        if resources.len() == RESOURCES_MAX {
            return Err(MessageError::Resources);
        }
        resources.push(resource.to_owned());
    }
    Ok(resources)
}

/// RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// A host and maybe a port. Names and passwords of users have no place in it.
fn is_domain(text: &str) -> bool {
    !text.contains('@')
        && text
            .parse::<Authority>()
            .is_ok_and(|authority| !authority.host().is_empty() && !text.ends_with(':') && has_fair_port(&authority))
}

fn has_fair_port(authority: &Authority) -> bool {
    let named = authority.as_str().strip_prefix(authority.host()).is_some_and(|rest| rest.starts_with(':'));
    !named || authority.port_u16().is_some_and(|port| port > 0)
}

fn is_uri(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty())
        && text.bytes().all(is_uri_byte)
        && has_fair_escapes(text)
        && (!text.contains("://")
            || text.parse::<Uri>().is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty())))
}

/// `%` stands before two hexadecimal digits and nowhere else.
fn has_fair_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|part| {
        let mut digits = part.bytes();
        digits.next().is_some_and(|byte| byte.is_ascii_hexdigit())
            && digits.next().is_some_and(|byte| byte.is_ascii_hexdigit())
    })
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn is_reserved(byte: u8) -> bool {
    b":/?#[]@!$&'()*+,;=".contains(&byte)
}

fn is_uri_byte(byte: u8) -> bool {
    is_unreserved(byte) || is_reserved(byte) || byte == b'%'
}

fn is_statement_byte(byte: u8) -> bool {
    is_unreserved(byte) || is_reserved(byte) || byte == b' '
}

/// `*pchar`; empty is allowed.
fn is_path_text(text: &str) -> bool {
    text.bytes().all(|byte| is_unreserved(byte) || b"!$&'()*+,;=:@%".contains(&byte)) && has_fair_escapes(text)
}

fn is_nonce(text: &str) -> bool {
    (NONCE_CHARS_MIN..=NONCE_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Digits without a leading zero; chain 0 is none.
fn chain_id(text: &str) -> Option<u64> {
    let plain =
        text.len() <= CHAIN_ID_DIGITS_MAX && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// RFC 3339, section 5.6, with the capitals T and Z.
fn time(text: &str) -> Option<Timestamp> {
    let (date_time, offset) = match text.strip_suffix('Z') {
        Some(rest) => (rest, "+00:00"),
        None => text.split_at_checked(text.len().checked_sub(6)?)?,
    };
    let (whole, fraction) = date_time.split_once('.').unwrap_or((date_time, "0"));
    let fits = fits(whole, "dddd-dd-ddTdd:dd:dd")
        && (1..=9).contains(&fraction.len())
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
        && (fits(offset, "+dd:dd") || fits(offset, "-dd:dd"))
        && !whole.ends_with(":60");
    if fits { text.parse().ok() } else { None }
}

/// `d` stands for a digit, everything else for itself.
fn fits(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(byte, wanted)| match wanted {
            b'd' => byte.is_ascii_digit(),
            other => byte == other,
        })
}
