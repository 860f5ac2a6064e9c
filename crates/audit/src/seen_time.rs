//! Which time is believed when old entries are cut.
//!
//! A cut can't be undone, and a wall clock can be wrong: set by hand, or by a machine that lost its battery. So entries
//! are old by a time that the clock showed at least a [day](HOLD) of running ago, and has not been set back behind
//! since: whoever is at the machine has had a day to see that the clock is wrong. Time in which the node did not run counts
//! for nothing, nor does sleep where the system's steady clock leaves it out, since nobody can have seen anything
//! meanwhile. What was seen is kept in the log's file, so that hours of several runs add up.

use std::time::Duration;

use blake3::Hash;
use rusqlite::{Connection, OptionalExtension, params};

use crate::chain::AuditKey;

/// For how long the node runs before a time that it saw is believed: a day, less what two midnights may differ by, since
/// that is when the keeper looks.
const HOLD: Duration = Duration::from_mins(24 * 60 - 10);

/// What the wall clock showed, and for how long the node ran since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "each is in milliseconds")]
pub(crate) struct SeenTime {
    /// The latest time that is believed.
    pub(crate) believed_ms: Option<i64>,
    /// The time that is believed next.
    pub(crate) seen_ms: i64,
    /// For how long the node ran since it was seen.
    pub(crate) ran_ms: i64,
}

impl SeenTime {
    /// Sees a clock for the first time.
    pub(crate) fn first(now_ms: i64) -> Self {
        Self { believed_ms: None, seen_ms: now_ms, ran_ms: 0 }
    }

    /// Sees it again after the node ran for so long.
    pub(crate) fn again(self, now_ms: i64, ran: Duration) -> Self {
        let ran_ms = self.ran_ms.saturating_add(i64::try_from(ran.as_millis()).unwrap_or(i64::MAX));
        if now_ms < self.seen_ms {
            // It was set back, so what it showed was wrong.
            let believed_ms = self.believed_ms.map(|believed_ms| believed_ms.min(now_ms));
            return Self { believed_ms, ..Self::first(now_ms) };
        }
        if i128::from(ran_ms) >= HOLD.as_millis() as i128 {
            return Self { believed_ms: Some(self.seen_ms), ..Self::first(now_ms) };
        }
        Self { ran_ms, ..self }
    }

    pub(crate) fn write(&self, connection: &Connection, key: &AuditKey) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT INTO seen_time (id, believed_ms, seen_ms, ran_ms, mac) VALUES (1, ?1, ?2, ?3, ?4)
                 ON CONFLICT (id) DO UPDATE SET believed_ms = excluded.believed_ms, seen_ms = excluded.seen_ms,
                     ran_ms = excluded.ran_ms, mac = excluded.mac",
            )?
            .execute(params![self.believed_ms, self.seen_ms, self.ran_ms, key.seen_time_hash(self).as_bytes()])?;
        Ok(())
    }

    /// What was kept; `None` where nothing was, or somebody else wrote it.
    pub(crate) fn read(connection: &Connection, key: &AuditKey) -> rusqlite::Result<Option<Self>> {
        let mut statement = connection.prepare_cached("SELECT believed_ms, seen_ms, ran_ms, mac FROM seen_time")?;
        let found = statement.query_row([], |row| {
            let seen = Self { believed_ms: row.get(0)?, seen_ms: row.get(1)?, ran_ms: row.get(2)? };
            Ok((seen, Hash::from_bytes(row.get(3)?)))
        });
        Ok(found.optional()?.filter(|(seen, mac)| key.seen_time_hash(seen) == *mac).map(|(seen, _)| seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::KEY_BYTES;

    const HOUR_MS: i64 = 3_600_000;
    const DAY_MS: i64 = 24 * HOUR_MS;

    /// Lets the clock show these times, in hours, with so many hours of running before each.
    fn after(looks: &[(i64, u64)]) -> SeenTime {
        looks
            .iter()
            .fold(SeenTime::first(0), |seen, (at_h, ran_h)| seen.again(at_h * HOUR_MS, Duration::from_hours(*ran_h)))
    }

    #[test]
    fn a_time_is_believed_once_the_node_has_run_for_a_day_since_it_was_seen() {
        assert_eq!(after(&[(23, 23)]).believed_ms, None);
        assert_eq!(after(&[(23, 23), (24, 1)]).believed_ms, Some(0));
        assert_eq!(after(&[(24, 24), (48, 24)]).believed_ms, Some(DAY_MS));
        // Eight hours of each day.
        assert_eq!(after(&[(8, 8), (32, 8)]).believed_ms, None);
        assert_eq!(after(&[(8, 8), (32, 8), (56, 8)]).believed_ms, Some(0));
    }

    #[test]
    fn a_jump_is_not_believed_before_it_held_for_a_day_of_running() {
        let half_a_year = 180 * 24;
        let jumped = [(24, 24), (half_a_year, 1), (half_a_year + 22, 22)];
        assert_eq!(after(&jumped).believed_ms, Some(0));
        let held = [&jumped[..], &[(half_a_year + 24, 2), (half_a_year + 48, 24)]].concat();
        assert_eq!(after(&held).believed_ms, Some((half_a_year + 24) * HOUR_MS));
        // Off for half a year looks the same, and is believed as late.
        assert_eq!(after(&[(24, 24), (half_a_year, 0)]).believed_ms, Some(0));
    }

    #[test]
    fn a_clock_that_is_set_back_was_wrong_before() {
        let half_a_year = 180 * 24;
        // Seen, and set right an hour before it would have been believed.
        let back = [(half_a_year, 24), (half_a_year + 23, 23), (25, 1), (48, 23)];
        assert_eq!(after(&back).believed_ms, Some(0));
        assert_eq!(after(&[&back[..], &[(49, 1)]].concat()).believed_ms, Some(25 * HOUR_MS));
        // Believed, and set right after that: what is cut then goes by the right time again.
        let late = [(half_a_year, 24), (half_a_year + 24, 24), (25, 1)];
        assert_eq!(after(&late).believed_ms, Some(25 * HOUR_MS));
    }

    #[test]
    fn what_was_kept_is_read_back_unless_somebody_else_wrote_it() {
        let key = AuditKey::from_secret(&[3; KEY_BYTES]).unwrap();
        let connection = Connection::open_in_memory().unwrap();
        for migration in crate::schema::SCHEMA.migrations {
            connection.execute_batch(migration).unwrap();
        }
        let read = || SeenTime::read(&connection, &key).unwrap();
        assert_eq!(read(), None);
        for seen in [SeenTime::first(7), SeenTime { believed_ms: Some(1), seen_ms: 2, ran_ms: 3 }] {
            seen.write(&connection, &key).unwrap();
            assert_eq!(read(), Some(seen));
        }
        connection.execute("UPDATE seen_time SET believed_ms = 2", []).unwrap();
        assert_eq!(read(), None);
    }
}
