//! The disks that a power cut may leave behind.
//!
//! What was written to a file before its last sync is there. Of what came later each write is there, is missing, or is
//! torn into sectors of which some are there; and they may have reached the disk in another order. A file's name is
//! there for good once the file or its directory was synced, and gone for good once the directory was synced.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use rand::{RngExt, rngs::StdRng, seq::SliceRandom};

use super::recording::{Event, Recording};

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// Whether the disk did what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syncs {
    Honored,
    /// The log was never synced: the negative control.
    IgnoredForTheLog,
}

/// The files after a cut.
pub(super) struct Image {
    files: BTreeMap<String, Vec<u8>>,
}

/// One file as far as the disk has it.
#[derive(Default)]
struct Contents<'a> {
    synced: Vec<u8>,
    /// Written since, with the number of its event.
    pending: Vec<(usize, &'a Event)>,
    /// Its name would be found after a cut.
    named: bool,
}

/// What may be found under one name.
#[derive(Default)]
struct Name<'a> {
    live: Option<Contents<'a>>,
    /// Removed, but not yet for good.
    ghost: Option<Contents<'a>>,
}

impl Image {
    /// A disk after a cut that came before event number `cut`.
    pub(super) fn at(recording: &Recording, cut: usize, syncs: Syncs, chance: &mut StdRng) -> Self {
        let mut names: BTreeMap<&str, Name<'_>> = BTreeMap::new();
        for (number, event) in recording.events[..cut].iter().enumerate() {
            match event {
                Event::Created { file } => {
                    names.entry(file).or_default().live.get_or_insert_default();
                }
                Event::Removed { file } => {
                    let name = names.entry(file).or_default();
                    name.ghost = name.live.take();
                }
                Event::Wrote { file, .. } | Event::Truncated { file, .. } => {
                    names.entry(file).or_default().live.get_or_insert_default().pending.push((number, event));
                }
                Event::Synced { file, since } => {
                    if syncs == Syncs::Honored || !file.ends_with("-wal") {
                        names.entry(file).or_default().sync(*since);
                    }
                }
                Event::SyncedNames => names.values_mut().for_each(Name::settle),
                Event::Sent(_) => {}
            }
        }
        let fate = Fate::choose(chance);
        let found =
            names.into_iter().filter_map(|(file, name)| Some((file.to_owned(), name.after_cut(&fate, chance)?)));
        Self { files: found.collect() }
    }

    /// The disk if everything had reached it.
    pub(super) fn whole(recording: &Recording) -> Self {
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for event in &recording.events {
            match event {
                Event::Created { file } => drop(files.entry(file.clone()).or_default()),
                Event::Removed { file } => drop(files.remove(file)),
                Event::Wrote { file, .. } | Event::Truncated { file, .. } => {
                    apply(files.entry(file.clone()).or_default(), event, None);
                }
                Event::Synced { .. } | Event::SyncedNames | Event::Sent(_) => {}
            }
        }
        Self { files }
    }

    /// Says whether a directory holds these files and these bytes; where not, in which file and from which byte on.
    /// What `cut_off` names may have been done, not at all or in part.
    pub(super) fn compare_with(&self, directory: &Path, cut_off: &[Event]) -> anyhow::Result<()> {
        for (file, bytes) in &self.files {
            let found = std::fs::read(directory.join(file)).with_context(|| file.clone())?;
            let concerns = |event: &&Event| matches!(event, Event::Wrote { file: of, .. } | Event::Truncated { file: of, .. } if of == file);
            let open: Vec<&Event> = cut_off.iter().filter(concerns).collect();
            let same = std::iter::zip(bytes, &found).take_while(|(ours, theirs)| ours == theirs).count();
            let (ours, theirs) = (bytes.len(), found.len());
            let explained = theirs == ours || open.iter().any(|event| may_end_at(event, theirs));
            let other =
                (same..theirs).find(|at| bytes.get(*at) != Some(&found[*at]) && !may_be(&open, *at, found[*at]));
            anyhow::ensure!(
                explained && other.is_none(),
                "{file}: {ours} and {theirs} bytes, the first {same} are the same, {} writes were cut off",
                open.len()
            );
        }
        Ok(())
    }

    /// Writes the files into a directory.
    pub(super) fn write_to(&self, directory: &Path) -> anyhow::Result<()> {
        for (file, bytes) in &self.files {
            std::fs::write(directory.join(file), bytes).with_context(|| file.clone())?;
        }
        Ok(())
    }
}

impl Name<'_> {
    fn sync(&mut self, since: usize) {
        self.ghost = None;
        let Some(live) = &mut self.live else { return };
        live.named = true;
        let later = live.pending.partition_point(|(number, _)| *number < since);
        for (_, event) in live.pending.drain(..later) {
            apply(&mut live.synced, event, None);
        }
    }

    fn settle(&mut self) {
        self.ghost = None;
        if let Some(live) = &mut self.live {
            live.named = true;
        }
    }

    fn after_cut(self, fate: &Fate, chance: &mut StdRng) -> Option<Vec<u8>> {
        let Self { live, ghost } = self;
        let live = live.filter(|live| live.named || chance.random_bool(0.5));
        let found = live.or_else(|| ghost.filter(|_| chance.random_bool(0.5)))?;
        Some(found.after_cut(fate, chance))
    }
}

impl Contents<'_> {
    fn after_cut(mut self, fate: &Fate, chance: &mut StdRng) -> Vec<u8> {
        if fate.reorders {
            self.pending.shuffle(chance);
        }
        for (_, event) in self.pending {
            if chance.random_bool(fate.missing) {
                continue;
            }
            let torn = chance.random_bool(fate.torn);
            apply(&mut self.synced, event, torn.then_some(&mut *chance));
        }
        self.synced
    }
}

/// Whether a file may be so long after a change that was done or only begun.
fn may_end_at(event: &Event, length: usize) -> bool {
    match event {
        Event::Wrote { offset, bytes, .. } => (*offset as usize..=*offset as usize + bytes.len()).contains(&length),
        Event::Truncated { length: to, .. } => *to as usize == length,
        _ => false,
    }
}

/// Whether this byte may be in this place because of one of these changes.
fn may_be(changes: &[&Event], at: usize, byte: u8) -> bool {
    changes.iter().any(|event| match event {
        // Between the old end and the write's start there are zeros.
        Event::Wrote { offset, bytes, .. } => match at.checked_sub(*offset as usize) {
            Some(within) => bytes.get(within) == Some(&byte),
            None => byte == 0,
        },
        Event::Truncated { length, .. } => byte == 0 && at < *length as usize,
        _ => false,
    })
}

/// How bad this cut is for what was not synced.
struct Fate {
    missing: f64,
    torn: f64,
    reorders: bool,
}

impl Fate {
    fn choose(chance: &mut StdRng) -> Self {
        let one_of = |chance: &mut StdRng, choices: [f64; 5]| choices[chance.random_range(0..5)];
        Self {
            missing: one_of(chance, [0.0, 0.1, 0.5, 0.9, 1.0]),
            torn: one_of(chance, [0.0, 0.1, 0.3, 0.5, 0.9]),
            reorders: chance.random_bool(0.5),
        }
    }
}

/// Does a write or a truncation, the write sector by sector if it is `torn`.
fn apply(contents: &mut Vec<u8>, event: &Event, mut torn: Option<&mut StdRng>) {
    match event {
        Event::Truncated { length, .. } => contents.resize(*length as usize, 0),
        Event::Wrote { offset, bytes, .. } => {
            let start = *offset as usize;
            let end = start + bytes.len();
            if contents.len() < end {
                contents.resize(end, 0);
            }
            let mut at = start;
            while at < end {
                // Up to the next border between sectors; all at once if it is whole.
                let next = if torn.is_some() { (at / SECTOR_BYTES + 1) * SECTOR_BYTES } else { end }.min(end);
                if torn.as_mut().is_none_or(|chance| chance.random_bool(0.5)) {
                    contents[at..next].copy_from_slice(&bytes[at - start..next - start]);
                }
                at = next;
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::chance;

    fn wrote(offset: u64, byte: u8, length: usize) -> Event {
        Event::Wrote { file: "0.db-wal".to_owned(), offset, bytes: vec![byte; length] }
    }

    fn recording() -> Recording {
        let file = || "0.db-wal".to_owned();
        Recording {
            events: vec![
                Event::Created { file: file() },
                wrote(0, 1, 2_048),
                Event::Synced { file: file(), since: 2 },
                wrote(2_048, 2, 2_048),
            ],
            cut_off: Vec::new(),
        }
    }

    #[test]
    fn what_was_synced_is_always_there_and_what_was_not_meets_every_fate() {
        let recording = recording();
        let mut fates = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let image = Image::at(&recording, 4, Syncs::Honored, &mut chance(seed));
            let bytes = &image.files["0.db-wal"];
            assert!(bytes[..2_048].iter().all(|byte| *byte == 1), "seed {seed}");
            let written: usize = bytes[2_048..].iter().map(|byte| usize::from(*byte == 2)).sum();
            fates.insert(written / SECTOR_BYTES);
        }
        assert!(fates.contains(&0) && fates.contains(&4) && fates.len() == 5, "{fates:?}");
    }

    #[test]
    fn only_a_write_that_was_cut_off_may_be_missing_from_a_recording() {
        let directory = tempfile::tempdir().unwrap();
        let image = Image::whole(&recording());
        let cut_off = [wrote(4_096, 3, 512)];
        let written = |more: &[u8]| {
            let bytes = [&[1; 2_048], &[2; 2_048], more].concat();
            std::fs::write(directory.path().join("0.db-wal"), bytes).unwrap();
        };
        written(&[]);
        image.compare_with(directory.path(), &[]).unwrap();
        image.compare_with(directory.path(), &cut_off).unwrap();
        written(&[3; 512]);
        image.compare_with(directory.path(), &cut_off).unwrap();
        image.compare_with(directory.path(), &[]).unwrap_err();
        written(&[3; 100]);
        image.compare_with(directory.path(), &cut_off).unwrap();
        for other in [&[4; 512][..], &[3; 513]] {
            written(other);
            image.compare_with(directory.path(), &cut_off).unwrap_err();
        }
    }

    #[test]
    fn without_syncs_even_the_name_may_be_gone() {
        let recording = recording();
        let found = |seed| Image::at(&recording, 4, Syncs::IgnoredForTheLog, &mut chance(seed)).files.len();
        let files: std::collections::BTreeSet<_> = (0..50).map(found).collect();
        assert_eq!(files.len(), 2, "there in some, gone in others");
    }
}
