//! The check of a log: every entry, every head, the checkpoint and the tip.
//!
//! Entries are read in pages, each in a transaction of its own, so that the check needs little memory and holds nothing
//! up. The file may grow meanwhile, and old entries may be cut: each page is judged by the tip of its own transaction.

mod heads;
#[cfg(test)]
mod tampering;

use std::{ops::ControlFlow, path::Path};

use blake3::Hash;
use flowork_api_types::audit::{AuditProblem, AuditProblemKind, AuditProgress, AuditReport};
use flowork_sqlite::open_untouched;
use rusqlite::{Connection, ErrorCode};

use crate::{
    chain::AuditKey,
    list::raw_rows_after,
    row::RawRow,
    signer::SignatureCheck,
    tip::{FoundTip, Tip},
};

/// The action of the first entry of a log that took the place of a damaged or a missing one.
pub(crate) const BEGAN_ANEW: &str = "audit.began_anew";
/// Entries that are read at once.
const PAGE_ENTRIES: i64 = 1_000;
/// Problems that a report lists.
const PROBLEMS_MAX: usize = 100;

/// Hears how far a check is; `Break` ends it.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(AuditProgress) -> ControlFlow<()>;

/// Why a check came to no report.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Whoever asked for it ended it.
    #[error("the check was ended")]
    Ended,
    /// One at a time.
    #[error("another check of the audit log runs")]
    Busy,
    /// The file can't be opened or read.
    #[error("can't read the audit log")]
    Read(#[from] rusqlite::Error),
}

/// Checks a log that no node has open. `progress` hears how far it is, and ends it by answering `Break`.
///
/// # Errors
/// It was ended, or the file can't be opened. A file that is damaged gives a report.
pub fn verify_file(
    path: &Path,
    key: &AuditKey,
    signatures: &dyn SignatureCheck,
    progress: &mut dyn FnMut(AuditProgress) -> ControlFlow<()>,
) -> Result<AuditReport, VerifyError> {
    verify(path, key, signatures, None, progress)
}

/// Checks a log. The file of a running node must be at least as far as `at_least`.
pub(crate) fn verify(
    path: &Path,
    key: &AuditKey,
    signatures: &dyn SignatureCheck,
    at_least: Option<&Tip>,
    progress: Progress<'_>,
) -> Result<AuditReport, VerifyError> {
    let mut check = Check {
        key,
        signatures,
        report: empty_report(),
        place: None,
        begins_after: 0,
        matched: 0,
        tip_is_sound: false,
    };
    let walked = open_untouched(path).map_err(VerifyError::from).and_then(|connection| {
        connection.pragma_update(None, "cell_size_check", true)?;
        check.walk(&connection, at_least, progress)
    });
    match walked {
        Err(VerifyError::Read(error)) if is_damage(&error) => {
            let seq = check.place.map_or(1, |place| place.after.saturating_add(1));
            check.problem(seq, AuditProblemKind::Unreadable, format!("the file is damaged: {error}"));
        }
        other => other?,
    }
    Ok(check.finish())
}

struct Check<'a> {
    key: &'a AuditKey,
    signatures: &'a dyn SignatureCheck,
    report: AuditReport,
    place: Option<Place>,
    /// The entry before the first.
    begins_after: i64,
    /// Entries whose hash was right.
    matched: u64,
    tip_is_sound: bool,
}

/// How far the walk is.
#[derive(Clone, Copy)]
struct Place {
    after: i64,
    /// Unknown after a gap.
    previous: Option<Hash>,
}

impl Check<'_> {
    fn walk(
        &mut self,
        connection: &Connection,
        at_least: Option<&Tip>,
        progress: Progress<'_>,
    ) -> Result<(), VerifyError> {
        loop {
            let transaction = connection.unchecked_transaction()?;
            let tip = match FoundTip::read(&transaction, self.key)? {
                FoundTip::Sound(tip) => Some(tip),
                // Nothing has been written yet.
                FoundTip::Fresh if at_least.is_some_and(|live| live.seq == 0) => Some(Tip::genesis(self.key)),
                FoundTip::Changed | FoundTip::Fresh => None,
            };
            if self.place.is_none() {
                self.begin(&transaction, tip.as_ref(), at_least)?;
            }
            self.skip_what_was_cut(tip.as_ref());
            let after = self.place.map_or(0, |place| place.after);
            let rows = raw_rows_after(&transaction, after, PAGE_ENTRIES)?;
            let last_page = rows.len() < PAGE_ENTRIES as usize;
            for row in rows {
                self.entry(&row, tip.as_ref());
            }
            let total = tip.as_ref().map_or(self.report.entries, |tip| tip.count.max(0) as u64);
            if progress(AuditProgress { checked: self.report.entries, total }).is_break() {
                return Err(VerifyError::Ended);
            }
            // Rows without a number, as many as a page has, would be read for ever.
            if last_page || self.place.is_some_and(|place| place.after <= after) {
                self.end(tip.as_ref());
                // Entries that were walked may have been cut since; the heads are read as the file is now.
                self.begins_after = tip.as_ref().map_or(self.begins_after, |tip| self.begins_after.max(tip.cut_seq));
                return self.heads(&transaction, tip.as_ref());
            }
        }
    }

    /// Finds out where the chain begins, and whether the file is as far as it must be.
    fn begin(&mut self, connection: &Connection, tip: Option<&Tip>, at_least: Option<&Tip>) -> Result<(), VerifyError> {
        let bounds = "SELECT min(seq), max(seq) FROM entries";
        let (first, last): (Option<i64>, Option<i64>) =
            connection.query_row(bounds, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let Some(tip) = tip else {
            let message = "where the chain ends was changed or deleted";
            self.problem(last.unwrap_or(1), AuditProblemKind::TipChanged, message);
            let known = first.is_none_or(|first| first == 1);
            let after = first.map_or(0, |first| first.saturating_sub(1));
            self.begins_after = after;
            self.place = Some(Place { after, previous: known.then(|| self.key.genesis()) });
            return Ok(());
        };
        self.tip_is_sound = true;
        (self.report.cut_seq, self.begins_after) = (tip.cut_seq, tip.cut_seq);
        self.place = Some(Place { after: tip.cut_seq, previous: Some(tip.cut_hash) });
        if let Some(first) = first.filter(|first| *first <= tip.cut_seq) {
            let message = format!("entry {first} stands before the checkpoint, where all were cut");
            self.problem(first, AuditProblemKind::EntryInserted, message);
        }
        if let Some(live) = at_least {
            if tip.seq < live.seq || tip.heads < live.heads || tip.cut_seq < live.cut_seq {
                let message = format!("the node wrote up to entry {}; the file is an older copy of itself", live.seq);
                self.problem(tip.seq + 1, AuditProblemKind::TailCut, message);
            } else if tip.seq == live.seq && tip.hash != live.hash {
                let message = format!("entry {} is not the one that the node wrote last", live.seq);
                self.problem(live.seq, AuditProblemKind::EntryChanged, message);
            }
        }
        self.checkpoint(tip);
        Ok(())
    }

    fn checkpoint(&mut self, tip: &Tip) {
        if tip.cut_seq == 0 {
            return;
        }
        let signed = tip.cut.as_ref().is_some_and(|cut| {
            let statement = Tip::cut_statement(tip.cut_seq, &tip.cut_hash, cut.at_ms);
            self.signatures.is_signed_by(&cut.signer, &statement, &cut.signature)
        });
        if !signed {
            let message = format!("the checkpoint at entry {} is not signed by who it says", tip.cut_seq);
            self.problem(tip.cut_seq, AuditProblemKind::CheckpointChanged, message);
        }
    }

    /// Old entries may be cut while the check runs.
    fn skip_what_was_cut(&mut self, tip: Option<&Tip>) {
        if let (Some(tip), Some(place)) = (tip, &mut self.place)
            && tip.cut_seq > place.after
        {
            *place = Place { after: tip.cut_seq, previous: Some(tip.cut_hash) };
            (self.report.cut_seq, self.begins_after) = (tip.cut_seq, tip.cut_seq);
        }
    }

    fn entry(&mut self, row: &RawRow, tip: Option<&Tip>) {
        let Some(Place { after, previous }) = self.place else { return };
        self.report.entries += 1;
        self.report.first_seq.get_or_insert(row.seq);
        self.report.last_seq = Some(row.seq);
        let (mut sound, next) = (false, after.saturating_add(1));
        if row.seq != next {
            let missing = match row.seq.saturating_sub(1) {
                one if one == next => format!("entry {one} is missing"),
                last => format!("entries {next} to {last} are missing"),
            };
            self.problem(next, AuditProblemKind::EntriesMissing, missing);
        } else if let Some(previous) = previous {
            sound = row.follows(self.key, &previous);
            if sound {
                self.matched += 1;
            } else {
                let message = format!("entry {} is not what was written: it was changed, put in or moved", row.seq);
                self.problem(row.seq, AuditProblemKind::EntryChanged, message);
            }
        }
        if tip.is_some_and(|tip| row.seq > tip.seq) {
            let message = format!("entry {} stands after the end of the chain", row.seq);
            self.problem(row.seq, AuditProblemKind::EntryInserted, message);
        }
        if sound && row.action() == BEGAN_ANEW {
            let message = format!("the node found the log damaged at a start and began this one: {}", row.detail());
            self.problem(row.seq, AuditProblemKind::PutAside, message);
        }
        self.place = Some(Place { after: row.seq, previous: row.stored_hash() });
    }

    /// Compares where the walk ended with where the chain ends.
    fn end(&mut self, tip: Option<&Tip>) {
        let (Some(tip), Some(place)) = (tip, self.place) else { return };
        if place.after < tip.seq {
            let message = format!("entries {} to {} are missing at the end", place.after + 1, tip.seq);
            self.problem(place.after + 1, AuditProblemKind::TailCut, message);
        } else if place.after == tip.seq && place.previous != Some(tip.hash) {
            let message = format!("entry {} is not the one that was written last", tip.seq);
            self.problem(tip.seq, AuditProblemKind::EntryChanged, message);
        } else if tip.count != tip.seq - tip.cut_seq {
            let message = format!("there should be {} entries", tip.count);
            self.problem(tip.seq, AuditProblemKind::TipChanged, message);
        }
    }

    fn problem(&mut self, seq: i64, kind: AuditProblemKind, message: impl Into<String>) {
        self.report.problem_count += 1;
        if self.report.problems.len() < PROBLEMS_MAX {
            self.report.problems.push(AuditProblem { seq, kind, message: message.into() });
        }
    }

    fn finish(mut self) -> AuditReport {
        if !self.tip_is_sound && self.matched == 0 && self.report.entries > 0 {
            let message = "no hash of this log can be made with this key: it was written with another one";
            let seq = self.report.first_seq.unwrap_or(1);
            self.report.problems.clear();
            self.report.problem_count = 0;
            self.problem(seq, AuditProblemKind::WrongKey, message);
        }
        self.report.problems.sort_by_key(|problem| problem.seq);
        self.report.ok = self.report.problem_count == 0;
        self.report
    }
}

fn empty_report() -> AuditReport {
    AuditReport {
        ok: false,
        entries: 0,
        first_seq: None,
        last_seq: None,
        cut_seq: 0,
        heads: 0,
        last_head: None,
        signers: Vec::new(),
        problems: Vec::new(),
        problem_count: 0,
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        // A table that is gone or has other columns, or other values in them than ours take.
        rusqlite::Error::SqlInputError { .. }
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..) => true,
        error => matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
        ),
    }
}
