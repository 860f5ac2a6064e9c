//! Small values that outlive a restart and are no one's configuration, such as how many engines were numbered.

use flowork_sqlite::StoreError;
use rusqlite::{OptionalExtension, params};

use crate::ControlStore;

/// The longest value. Larger data has a table of its own.
pub const SETTING_BYTES_MAX: usize = 4 << 10;

impl ControlStore {
    /// The value stored under `name`.
    ///
    /// # Errors
    /// The store failed.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let name = name.to_owned();
        self.database
            .read(move |connection| {
                connection.query_row("SELECT value FROM settings WHERE name = ?1", [name], |row| row.get(0)).optional()
            })
            .await
    }

    /// Stores a value, or removes it.
    ///
    /// # Panics
    /// When the value is longer than [`SETTING_BYTES_MAX`], which only code of this node can cause.
    ///
    /// # Errors
    /// The store failed.
    pub async fn set_setting(&self, name: &str, value: Option<&str>) -> Result<(), StoreError> {
        assert!(value.is_none_or(|value| value.len() <= SETTING_BYTES_MAX), "the setting {name} is too long");
        let (name, value) = (name.to_owned(), value.map(ToOwned::to_owned));
        self.database
            .write(move |connection| match value {
                Some(value) => connection.execute(
                    "INSERT INTO settings (name, value) VALUES (?1, ?2)
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    params![name, value],
                ),
                None => connection.execute("DELETE FROM settings WHERE name = ?1", [name]),
            })
            .await?;
        Ok(())
    }
}
