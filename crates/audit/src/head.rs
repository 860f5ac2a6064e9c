//! Signed heads: what the last entry of a day hashes to, in the name of the owner.

use blake3::Hash;
use flowork_api_types::audit::AuditHead;
use rusqlite::{Connection, Row, params};

/// Milliseconds of a day, UTC. Days of a computer have no leap seconds.
const DAY_MS: i64 = 86_400_000;

/// The day, UTC, in which an instant lies, counted from 1970.
pub(crate) fn day_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

/// The instant at which the next day begins.
pub(crate) fn next_midnight_ms(at_ms: i64) -> i64 {
    (day_of(at_ms) + 1).saturating_mul(DAY_MS)
}

/// `2026-01-31`
pub(crate) fn day_text(day: i64) -> String {
    let at = flowork_api_types::Timestamp(day.saturating_mul(DAY_MS)).to_string();
    at.split('T').next().unwrap_or_default().to_owned()
}

/// A row's number, and the head in it with its keyed hash, unless we did not write it.
pub(crate) type FoundHead = (i64, Option<(HeadRow, Hash)>);

/// A head as it is in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeadRow {
    pub(crate) number: i64,
    pub(crate) day: String,
    pub(crate) last_seq: i64,
    pub(crate) count: i64,
    pub(crate) hash: Hash,
    pub(crate) signer: String,
    pub(crate) signature: Vec<u8>,
}

impl HeadRow {
    /// The words that are signed.
    pub(crate) fn statement(&self) -> Vec<u8> {
        let Self { number, day, last_seq, count, hash, .. } = self;
        let hash = hash.to_hex();
        format!(
            "Flowork audit head {number}\nday: {day}\nlast entry: {last_seq}\nentries of the day: {count}\nhash: {hash}"
        )
        .into_bytes()
    }

    pub(crate) fn insert(&self, connection: &Connection, mac: &Hash) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT INTO heads (number, day, last_seq, count, hash, signer, signature, mac)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                self.number,
                self.day,
                self.last_seq,
                self.count,
                self.hash.as_bytes(),
                self.signer,
                self.signature,
                mac.as_bytes(),
            ])?;
        Ok(())
    }

    /// Reads heads after a number.
    pub(crate) fn read_after(connection: &Connection, number: i64, limit: i64) -> rusqlite::Result<Vec<FoundHead>> {
        let mut statement = connection.prepare_cached(
            "SELECT number, day, last_seq, count, hash, signer, signature, mac FROM heads
             WHERE number > ?1 ORDER BY number LIMIT ?2",
        )?;
        let rows = statement.query_map([number, limit], |row| Ok((row.get(0)?, Self::read(row))))?;
        rows.collect()
    }

    fn read(row: &Row<'_>) -> Option<(Self, Hash)> {
        let head = Self {
            number: row.get(0).ok()?,
            day: row.get(1).ok()?,
            last_seq: row.get(2).ok()?,
            count: row.get(3).ok()?,
            hash: Hash::from_bytes(row.get(4).ok()?),
            signer: row.get(5).ok()?,
            signature: row.get(6).ok()?,
        };
        Some((head, Hash::from_bytes(row.get(7).ok()?)))
    }

    pub(crate) fn to_wire(&self) -> AuditHead {
        AuditHead {
            number: self.number,
            day: self.day.clone(),
            last_seq: self.last_seq,
            count: self.count,
            hash: self.hash.to_hex().to_string(),
            signer: self.signer.clone(),
            signature: hex(&self.signature),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_utc_also_before_1970() {
        assert_eq!((day_of(0), day_of(DAY_MS - 1), day_of(DAY_MS), day_of(-1)), (0, 0, 1, -1));
        assert_eq!(next_midnight_ms(DAY_MS), 2 * DAY_MS);
        assert_eq!(day_text(day_of(1_700_000_000_000)), "2023-11-14");
    }
}
