//! What the encrypted file says of itself in the clear: its format, and where its key comes from.
//!
//! Layout: magic, version, and from version 2 on the kind of the key with its figures; then a check value of the key.

use aws_lc_rs::digest;

use crate::Secret;

const MAGIC: &[u8] = b"FLOWORK-VAULT\0";
/// Had one kind of key, the key file's.
const VERSION_WITHOUT_KIND: u8 = 1;
const VERSION: u8 = 2;
/// Enough to tell a wrong key from a damaged file; says nothing about a random 256-bit key, and of a passphrase no
/// more than the tag of the content does.
const CHECK_BYTES: usize = 8;
const SALT_BYTES: usize = 16;

/// The most memory that opening a file may take, whoever wrote it: 1 GiB.
const MEMORY_KIB_MAX: u32 = 1 << 20;
/// The most passes over that memory.
const PASSES_MAX: u32 = 64;
/// The most lanes.
const LANES_MAX: u32 = 64;

/// Where the key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// A random key in a file outside the data directory.
    KeyFile,
    /// Made from a credential of systemd.
    Credential,
    /// Made from a passphrase at this cost.
    Passphrase(Cost),
    /// A random key in the keychain.
    Keychain,
}

/// What argon2id is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Makes equal passphrases into different keys.
    pub(crate) salt: [u8; SALT_BYTES],
    /// Memory in KiB.
    pub(crate) memory_kib: u32,
    /// Passes over the memory.
    pub(crate) passes: u32,
    /// Lanes.
    pub(crate) lanes: u32,
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0)]
pub(crate) struct HeaderError(&'static str);

impl HeaderError {
    pub(super) const fn reason(self) -> &'static str {
        self.0
    }
}

/// The header of an encrypted file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    version: u8,
    kind: KeyKind,
    check: [u8; CHECK_BYTES],
}

impl Header {
    /// That of a new file.
    pub(super) fn new(kind: KeyKind, key: &Secret) -> Self {
        Self { version: VERSION, kind, check: check_of(key) }
    }

    /// Where the key comes from.
    pub(super) fn kind(&self) -> &KeyKind {
        &self.kind
    }

    /// Whether the file was sealed with this key.
    pub(super) fn fits(&self, key: &Secret) -> bool {
        self.check == check_of(key)
    }

    /// As it stands in the file.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(self.version);
        if self.version != VERSION_WITHOUT_KIND {
            bytes.push(match self.kind {
                KeyKind::KeyFile => 0,
                KeyKind::Credential => 1,
                KeyKind::Passphrase(_) => 2,
                KeyKind::Keychain => 3,
            });
        }
        if let KeyKind::Passphrase(cost) = &self.kind {
            bytes.extend_from_slice(&cost.salt);
            for number in [cost.memory_kib, cost.passes, cost.lanes] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        bytes.extend_from_slice(&self.check);
        bytes
    }
}

/// Reads the header and says how long it is.
///
/// # Errors
/// It is none of ours, cut short, or asks for more work than any file of ours.
pub(crate) fn parse(bytes: &[u8]) -> Result<(Header, usize), HeaderError> {
    const SHORT: HeaderError = HeaderError("it is too short");
    if bytes.len() < MAGIC.len() && MAGIC.starts_with(bytes) {
        return Err(SHORT);
    }
    let mut rest = bytes.strip_prefix(MAGIC).ok_or(HeaderError("it does not begin as a vault does"))?;
    let version = take::<1>(&mut rest).ok_or(SHORT)?[0];
    let kind = match version {
        VERSION_WITHOUT_KIND => KeyKind::KeyFile,
        VERSION => match take::<1>(&mut rest).ok_or(SHORT)?[0] {
            0 => KeyKind::KeyFile,
            1 => KeyKind::Credential,
            2 => KeyKind::Passphrase(parse_cost(&mut rest).ok_or(SHORT)?.checked()?),
            3 => KeyKind::Keychain,
            _ => return Err(HeaderError("its key is of a kind that this version does not know")),
        },
        _ => return Err(HeaderError("its format is not one this version knows")),
    };
    let check = take::<CHECK_BYTES>(&mut rest).ok_or(SHORT)?;
    Ok((Header { version, kind, check }, bytes.len() - rest.len()))
}

fn parse_cost(rest: &mut &[u8]) -> Option<Cost> {
    let salt = take(rest)?;
    let mut number = || Some(u32::from_le_bytes(take::<4>(rest)?));
    Some(Cost { salt, memory_kib: number()?, passes: number()?, lanes: number()? })
}

impl Cost {
    /// A file that somebody else wrote must not take all memory, nor keep a start busy for hours.
    fn checked(self) -> Result<Self, HeaderError> {
        let fine = (1..=LANES_MAX).contains(&self.lanes)
            && (1..=PASSES_MAX).contains(&self.passes)
            && (8 * self.lanes..=MEMORY_KIB_MAX).contains(&self.memory_kib);
        if fine { Ok(self) } else { Err(HeaderError("its passphrase figures are out of bounds")) }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

fn check_of(key: &Secret) -> [u8; CHECK_BYTES] {
    let mut digest = digest::Context::new(&digest::SHA256);
    digest.update(b"flowork vault key check\0");
    digest.update(key.expose());
    *digest.finish().as_ref().first_chunk().expect("a digest is longer")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(memory_kib: u32, passes: u32, lanes: u32) -> KeyKind {
        KeyKind::Passphrase(Cost { salt: [7; SALT_BYTES], memory_kib, passes, lanes })
    }

    #[test]
    fn every_kind_is_read_back_and_every_cut_is_noticed() {
        let key = Secret::new(vec![1; 32]);
        for kind in [KeyKind::KeyFile, KeyKind::Credential, KeyKind::Keychain, cost(65_536, 3, 4)] {
            let header = Header::new(kind, &key);
            let bytes = header.to_bytes();
            assert_eq!(parse(&[&bytes[..], b"more"].concat()).unwrap(), (header, bytes.len()));
            for length in 0..bytes.len() {
                assert_eq!(parse(&bytes[..length]).unwrap_err().reason(), "it is too short", "{length} bytes");
            }
        }
    }

    #[test]
    fn figures_that_would_exhaust_the_machine_are_refused() {
        let check = |kind: KeyKind, fine: bool| {
            let bytes = Header::new(kind.clone(), &Secret::new(vec![1; 32])).to_bytes();
            assert_eq!(parse(&bytes).is_ok(), fine, "{kind:?}");
        };
        check(cost(MEMORY_KIB_MAX, PASSES_MAX, LANES_MAX), true);
        check(cost(MEMORY_KIB_MAX + 1, 3, 4), false);
        check(cost(65_536, PASSES_MAX + 1, 4), false);
        check(cost(65_536, 0, 4), false);
        check(cost(65_536, 3, 0), false);
        check(cost(31, 3, 4), false);
    }

    #[test]
    fn first_version_had_the_key_file_only() {
        let bytes = [MAGIC, &[1], &[9; CHECK_BYTES]].concat();
        let (header, length) = parse(&bytes).unwrap();
        assert_eq!((header.kind(), length), (&KeyKind::KeyFile, bytes.len()));
        assert_eq!(header.to_bytes(), bytes, "what is bound to the content stays as it was");
    }
}
