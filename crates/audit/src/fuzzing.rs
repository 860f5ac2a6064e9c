//! Rows that somebody else could have written, for fuzz targets and for nothing else.

use std::path::Path;

use rusqlite::{Connection, types::Value};

use crate::row::COLUMNS;

/// Puts a value into a column of one row of a log that no node has open, in the way of somebody who takes the table for
/// one without rules; says whether it is another one than before. The first byte picks the row, the second one the
/// column, the third one the type of the value, which is the rest.
///
/// # Errors
/// The file is no log.
pub fn put_value(path: &Path, bytes: &[u8]) -> rusqlite::Result<bool> {
    let [row, column, kind, value @ ..] = bytes else { return Ok(false) };
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA synchronous = OFF; BEGIN;
         CREATE TABLE loose AS SELECT * FROM entries; DROP TABLE entries; ALTER TABLE loose RENAME TO entries;",
    )?;
    let columns: Vec<_> = COLUMNS.split(',').map(str::trim).collect();
    let column = columns[usize::from(*column) % columns.len()];
    let (first, count): (i64, i64) =
        connection.query_row("SELECT min(seq), count(*) FROM entries", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let seq = first + i64::from(*row) % count.max(1);
    let number = value.iter().fold(0_i64, |number, byte| (number << 8) | i64::from(*byte));
    let (cast, value) = match kind % 6 {
        0 => ("?2", Value::Null),
        1 => ("?2", Value::Integer(number)),
        2 => ("?2", Value::Real(f64::from_bits(number as u64))),
        // Also what is no UTF-8.
        3 | 4 => ("CAST(?2 AS TEXT)", Value::Blob(value.to_vec())),
        _ => ("?2", Value::Blob(value.to_vec())),
    };
    let before: (Value, String) = value_of(&connection, column, seq)?;
    connection.execute(&format!("UPDATE entries SET {column} = {cast} WHERE seq = ?1"), (seq, value))?;
    // A row that was given another number is not found under its old one.
    let after = value_of(&connection, column, seq).ok();
    connection.execute_batch("COMMIT")?;
    Ok(after.is_none_or(|after| after != before))
}

/// As bytes, since text may be anything, and the type.
fn value_of(connection: &Connection, column: &str, seq: i64) -> rusqlite::Result<(Value, String)> {
    let sql = format!("SELECT CAST({column} AS BLOB), typeof({column}) FROM entries WHERE seq = ?1");
    connection.query_row(&sql, [seq], |row| Ok((row.get(0)?, row.get(1)?)))
}
