//! Moving the secrets from one back end to another.
//!
//! The order is what makes it safe to stop anywhere: the new place is noted as something to erase before anything is in
//! it; it is filled and read back; then the record is replaced in one step, and names the old place as something to
//! erase; only then that is erased. So the record always names one complete vault, and everything else is known.

use std::ops::ControlFlow;

use crate::{
    BackEnd, PassphraseSource, VaultOptions,
    error::OpenError,
    keeper::LegacyItems,
    place,
    record::{Guard, Place, Record, RecordError, new_id},
    sealed::{SealedError, items::Items},
};

/// What was just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationStep {
    /// The new place is noted.
    Planned,
    /// It has a key and an empty file.
    Prepared,
    /// It has all items.
    Copied,
    /// They were read back, and are the same.
    Verified,
    /// From here on it is the one that is used.
    Switched,
    /// The old one is erased.
    Erased,
    /// And forgotten.
    Finished,
}

/// Watches a migration; `Break` leaves it where it is, as a crash would.
pub type Watch<'a> = &'a mut dyn FnMut(MigrationStep) -> ControlFlow<()>;

/// What a migration did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Where the secrets were.
    pub from: BackEnd,
    /// Where they are.
    pub to: BackEnd,
    /// How many.
    pub items: usize,
    /// Why the old ones could not be erased yet.
    pub leftover: Option<String>,
}

/// Why the secrets were not moved. They are where they were.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The secrets cannot be read.
    #[error("the secrets cannot be read")]
    From(#[source] OpenError),
    /// The new place cannot be made.
    #[error("the secrets cannot be put into the {} vault", .to.as_str())]
    To {
        /// Where to.
        to: BackEnd,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// They are there already.
    #[error("the secrets are in the {} vault already", .0.as_str())]
    AlreadyThere(BackEnd),
    /// Only a passphrase can be changed.
    #[error("the secrets are in the {} vault, which has no passphrase", .0.as_str())]
    NoPassphrase(BackEnd),
    /// What was read back is not what was written.
    #[error("the {} vault did not give back what it was given", .0.as_str())]
    Differs(BackEnd),
    /// The record cannot be read or written.
    #[error("the vault's record cannot be used")]
    Record(#[source] RecordError),
    /// The watcher said so.
    #[error("stopped after {0:?}")]
    Stopped(MigrationStep),
}

impl MigrateError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::From(error) | Self::To { source: error, .. } => error.hint(),
            Self::AlreadyThere(BackEnd::Passphrase) => Some("to change it: flowork vault passwd".to_owned()),
            Self::NoPassphrase(_) => Some("to have one: flowork vault migrate --to passphrase".to_owned()),
            Self::Record(error) => error.hint(),
            Self::AlreadyThere(_) | Self::Differs(_) | Self::Stopped(_) => None,
        }
    }
}

/// Moves all secrets to another back end. No program may use the vault meanwhile; those that do are told that it moved.
///
/// # Errors
/// The secrets cannot be read, or not be put there; then they are where they were.
pub fn migrate(options: &VaultOptions, to: BackEnd, watch: Watch<'_>) -> Result<Migrated, MigrateError> {
    let _guard = Guard::take(&options.data_dir).map_err(MigrateError::Record)?;
    let record = read_record(options).map_err(MigrateError::From)?;
    if record.place().back_end == to && !record.is_legacy() {
        return Err(MigrateError::AlreadyThere(to));
    }
    let items = read_items(options, &record).map_err(MigrateError::From)?;
    relocate(options, record, &items, to, watch)
}

/// Gives a vault with a passphrase another one, and a new key with it.
///
/// # Errors
/// As [`migrate`], or the vault has no passphrase.
pub fn change_passphrase(
    options: &VaultOptions,
    new: PassphraseSource,
    watch: Watch<'_>,
) -> Result<Migrated, MigrateError> {
    let _guard = Guard::take(&options.data_dir).map_err(MigrateError::Record)?;
    let record = read_record(options).map_err(MigrateError::From)?;
    let back_end = record.place().back_end;
    if back_end != BackEnd::Passphrase {
        return Err(MigrateError::NoPassphrase(back_end));
    }
    let items = read_items(options, &record).map_err(MigrateError::From)?;
    let options = VaultOptions { passphrase: new, ..options.clone() };
    relocate(&options, record, &items, back_end, watch)
}

/// Puts the entries that a keychain kept one by one into a file.
pub(crate) fn upgrade(options: &VaultOptions, held: Option<&Guard>) -> Result<Record, OpenError> {
    let _guard = match held {
        Some(_) => None,
        None => Some(Guard::take(&options.data_dir).map_err(OpenError::Record)?),
    };
    let record = read_record(options)?;
    if record.is_legacy() {
        let items = read_items(options, &record)?;
        let moved = relocate(options, record, &items, BackEnd::Keychain, &mut |_| ControlFlow::Continue(()));
        moved.map_err(|error| match error {
            MigrateError::From(error) | MigrateError::To { source: error, .. } => error,
            MigrateError::Record(error) => OpenError::Record(error),
            MigrateError::Differs(_) => OpenError::File(SealedError::Damaged {
                path: options.data_dir.clone(),
                reason: "it did not give back what it was given",
            }),
            other => unreachable!("a move to a new entry that nobody watches: {other}"),
        })?;
    }
    read_record(options)
}

/// Erases what a migration that was stopped has left. Says why something is still there.
pub(crate) fn sweep(options: &VaultOptions, held: Option<&Guard>) -> Option<String> {
    let guard = match held {
        Some(_) => None,
        // Whoever has it may be in the middle of a migration.
        None => Some(Guard::try_take(&options.data_dir).ok()??),
    };
    let mut record = read_record(options).ok()?;
    let mut refusal = None;
    record.leftovers.retain(|place| match place::erase(options, place) {
        Ok(()) => false,
        Err(error) => {
            refusal = Some(chain(&error));
            true
        }
    });
    let written = record.write(&options.data_dir);
    drop(guard);
    refusal.or_else(|| written.err().map(|error| chain(&error)))
}

/// The record of a data directory that has one.
pub(crate) fn read_record(options: &VaultOptions) -> Result<Record, OpenError> {
    let record = Record::find(&options.data_dir).map_err(OpenError::Record)?;
    record.ok_or_else(|| OpenError::NoVault(options.data_dir.clone()))
}

fn read_items(options: &VaultOptions, record: &Record) -> Result<Items, OpenError> {
    let place = record.place();
    if record.is_legacy() {
        let closed = |source| OpenError::Closed { back_end: place.back_end, source };
        return LegacyItems(&place).read().map_err(closed);
    }
    Ok(place::open(options, &place)?.read()?)
}

fn relocate(
    options: &VaultOptions,
    mut record: Record,
    items: &Items,
    to: BackEnd,
    watch: Watch<'_>,
) -> Result<Migrated, MigrateError> {
    let old = record.place();
    let new = Place::further(to, new_id().map_err(MigrateError::Record)?);
    record.leftovers.push(new.clone());
    record.write(&options.data_dir).map_err(MigrateError::Record)?;
    if let Err(error) = fill(options, &new, items, watch) {
        // After a stop it stays as it is; else nothing of it must stay, and what does is known.
        if !matches!(error, MigrateError::Stopped(_)) && place::erase(options, &new).is_ok() {
            record.leftovers.retain(|place| *place != new);
            record.write(&options.data_dir).map_err(MigrateError::Record)?;
        }
        return Err(error);
    }

    let mut leftovers = record.leftovers;
    leftovers.retain(|place| *place != new);
    leftovers.push(old.clone());
    let mut record = Record::new(new);
    record.leftovers = leftovers;
    record.write(&options.data_dir).map_err(MigrateError::Record)?;
    go_on(watch, MigrationStep::Switched)?;

    let mut migrated = Migrated { from: old.back_end, to, items: items.len(), leftover: None };
    if let Err(error) = place::erase(options, &old) {
        migrated.leftover = Some(chain(&error));
        return Ok(migrated);
    }
    go_on(watch, MigrationStep::Erased)?;
    record.leftovers.retain(|place| *place != old);
    record.write(&options.data_dir).map_err(MigrateError::Record)?;
    go_on(watch, MigrationStep::Finished)?;
    Ok(migrated)
}

/// Makes the new place, puts everything in, and reads it back as the next start would.
fn fill(options: &VaultOptions, new: &Place, items: &Items, watch: Watch<'_>) -> Result<(), MigrateError> {
    let to = |source: OpenError| MigrateError::To { to: new.back_end, source };
    let sealed_to = |source: SealedError| to(OpenError::File(source));
    go_on(watch, MigrationStep::Planned)?;
    let sealed = place::make(options, new).map_err(to)?;
    go_on(watch, MigrationStep::Prepared)?;
    sealed.write(items).map_err(sealed_to)?;
    go_on(watch, MigrationStep::Copied)?;
    drop(sealed);
    let kept = place::open(options, new).map_err(to)?.read().map_err(sealed_to)?;
    if kept != *items {
        return Err(MigrateError::Differs(new.back_end));
    }
    go_on(watch, MigrationStep::Verified)
}

fn go_on(watch: Watch<'_>, step: MigrationStep) -> Result<(), MigrateError> {
    match watch(step) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(MigrateError::Stopped(step)),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {}", chain(cause)))
}
