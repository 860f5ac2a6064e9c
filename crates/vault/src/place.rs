//! Making, opening and erasing the encrypted file of a place together with its key.

use crate::{
    BackEnd, VaultOptions, disk,
    error::OpenError,
    keeper::{self, KeeperError, LegacyItems, PassphraseError},
    record::Place,
    sealed::{SealedError, SealedFile},
};

/// Makes an empty vault at a place, and its key.
pub(crate) fn make(options: &VaultOptions, place: &Place) -> Result<SealedFile, OpenError> {
    let unavailable = |source| OpenError::Unavailable { back_end: place.back_end, source };
    let (kind, key) = keeper::keeper(options, place).and_then(|keeper| keeper.make()).map_err(unavailable)?;
    SealedFile::create(place.path(&options.data_dir), &place.id, kind, key).map_err(OpenError::File)
}

/// Opens the vault at a place.
pub(crate) fn open(options: &VaultOptions, place: &Place) -> Result<SealedFile, OpenError> {
    let closed = |source| OpenError::Closed { back_end: place.back_end, source };
    let keeper = keeper::keeper(options, place).map_err(closed)?;
    let path = place.path(&options.data_dir);
    let opened = SealedFile::open(path, &place.id, |kind| keeper.recall(kind).map_err(closed));
    match opened {
        Err(OpenError::File(SealedError::WrongKey(vault))) if place.back_end == BackEnd::Passphrase => {
            options.passphrase.discard();
            Err(closed(KeeperError::Passphrase(PassphraseError::Wrong(vault))))
        }
        Err(OpenError::File(SealedError::WrongKey(vault))) => {
            Err(OpenError::WrongKey { back_end: place.back_end, key: keeper.path(), vault })
        }
        opened => opened,
    }
}

/// Erases a place that is not in use; fine if nothing is there.
pub(crate) fn erase(options: &VaultOptions, place: &Place) -> Result<(), OpenError> {
    let closed = |source| OpenError::Closed { back_end: place.back_end, source };
    if !place.items.is_empty() {
        LegacyItems(place).delete().map_err(closed)?;
    }
    keeper::keeper(options, place).and_then(|keeper| keeper.forget()).map_err(closed)?;
    let path = place.path(&options.data_dir);
    disk::erase(&path).map_err(|source| OpenError::File(SealedError::Io { path, source }))
}
