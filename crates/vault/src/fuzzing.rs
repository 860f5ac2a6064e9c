//! The parsers of bytes that somebody else could have written, for fuzz targets and for nothing else.

use crate::{
    keeper,
    record::Record,
    sealed::{header, items},
};

/// Reads a `vault.json`; whether it is one.
pub fn record(bytes: &[u8]) -> bool {
    Record::parse(bytes).is_ok()
}

/// Reads the header of an encrypted file; how long it is.
pub fn file_header(bytes: &[u8]) -> Option<usize> {
    header::parse(bytes).ok().map(|(_, length)| length)
}

/// Reads the items as they stand in an opened file; how many there are.
pub fn items(bytes: &[u8]) -> Option<usize> {
    items::decode(bytes).map(|items| items.len())
}

/// Reads a key as it stands in its file or in the keychain; whether it is one.
pub fn key(bytes: &[u8]) -> bool {
    keeper::parse_key(bytes).is_some()
}
