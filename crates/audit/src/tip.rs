//! Where the chain begins and ends.

use blake3::Hash;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::chain::AuditKey;

/// The row that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tip {
    /// The last entry; 0 before the first.
    pub(crate) seq: i64,
    /// Its hash.
    pub(crate) hash: Hash,
    /// Entries that there are.
    pub(crate) count: i64,
    /// Heads that there are.
    pub(crate) heads: i64,
    /// The last entry that a head covers.
    pub(crate) head_seq: i64,
    /// The hash of the last head.
    pub(crate) head_mac: Hash,
    /// Entries up to this one were cut.
    pub(crate) cut_seq: i64,
    /// The hash of the last of them; without any, what stands before the first entry.
    pub(crate) cut_hash: Hash,
    /// Who said so.
    pub(crate) cut: Option<Cut>,
}

/// The signature under the place where entries were cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) at_ms: i64,
    pub(crate) signer: String,
    pub(crate) signature: Vec<u8>,
}

/// What the file says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FoundTip {
    /// What we wrote.
    Sound(Tip),
    /// Nothing was ever written.
    Fresh,
    /// Something else.
    Changed,
}

impl Tip {
    /// Of an empty log.
    pub(crate) fn genesis(key: &AuditKey) -> Self {
        Self {
            seq: 0,
            hash: key.genesis(),
            count: 0,
            heads: 0,
            head_seq: 0,
            head_mac: key.heads_genesis(),
            cut_seq: 0,
            cut_hash: key.genesis(),
            cut: None,
        }
    }

    /// The words that are signed when entries up to `seq` are cut.
    pub(crate) fn cut_statement(seq: i64, hash: &Hash, at_ms: i64) -> Vec<u8> {
        let at = flowork_api_types::Timestamp(at_ms);
        format!("Flowork audit checkpoint\ncut up to: {seq}\nhash: {}\nat: {at}", hash.to_hex()).into_bytes()
    }

    pub(crate) fn write(&self, connection: &Connection, key: &AuditKey) -> rusqlite::Result<()> {
        let cut = self.cut.as_ref();
        connection
            .prepare_cached(
                "INSERT INTO tip (id, seq, hash, count, heads, head_seq, head_mac, cut_seq, cut_hash, cut_at_ms,
                     cut_signer, cut_signature, mac)
                 VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
                 ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, count = excluded.count,
                     heads = excluded.heads, head_seq = excluded.head_seq, head_mac = excluded.head_mac,
                     cut_seq = excluded.cut_seq, cut_hash = excluded.cut_hash, cut_at_ms = excluded.cut_at_ms,
                     cut_signer = excluded.cut_signer, cut_signature = excluded.cut_signature, mac = excluded.mac",
            )?
            .execute(params![
                self.seq,
                self.hash.as_bytes(),
                self.count,
                self.heads,
                self.head_seq,
                self.head_mac.as_bytes(),
                self.cut_seq,
                self.cut_hash.as_bytes(),
                cut.map(|cut| cut.at_ms),
                cut.map(|cut| &cut.signer),
                cut.map(|cut| &cut.signature),
                key.tip_hash(self).as_bytes(),
            ])?;
        Ok(())
    }
}

impl FoundTip {
    pub(crate) fn read(connection: &Connection, key: &AuditKey) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare_cached(
            "SELECT seq, hash, count, heads, head_seq, head_mac, cut_seq, cut_hash, cut_at_ms, cut_signer,
                 cut_signature, mac FROM tip",
        )?;
        let found = statement.query_row([], |row| Ok(read(row))).optional()?;
        Ok(match found {
            None => Self::Fresh,
            Some(Some((tip, mac))) if key.tip_hash(&tip) == mac => Self::Sound(tip),
            Some(_) => Self::Changed,
        })
    }
}

/// `None` for a row that we did not write.
fn read(row: &Row<'_>) -> Option<(Tip, Hash)> {
    let number = |index: usize| row.get::<_, i64>(index).ok();
    let hash = |index: usize| row.get::<_, [u8; 32]>(index).ok().map(Hash::from_bytes);
    let cut = match (row.get(8).ok()?, row.get(9).ok()?, row.get(10).ok()?) {
        (Some(at_ms), Some(signer), Some(signature)) => Some(Cut { at_ms, signer, signature }),
        (None::<i64>, None::<String>, None::<Vec<u8>>) => None,
        _ => return None,
    };
    let tip = Tip {
        seq: number(0)?,
        hash: hash(1)?,
        count: number(2)?,
        heads: number(3)?,
        head_seq: number(4)?,
        head_mac: hash(5)?,
        cut_seq: number(6)?,
        cut_hash: hash(7)?,
        cut,
    };
    Some((tip, hash(11)?))
}
