//! The check of the signed heads.

use blake3::Hash;
use flowork_api_types::audit::AuditProblemKind;
use rusqlite::Connection;

use super::{Check, VerifyError};
use crate::{head::HeadRow, list::raw_rows_after, tip::Tip};

/// Heads that are read at once.
const PAGE_HEADS: i64 = 500;
/// Addresses that a report names.
const SIGNERS_MAX: usize = 50;

/// How far the walk along the heads is.
struct Walk {
    number: i64,
    last_seq: i64,
    mac: Hash,
}

impl Check<'_> {
    /// Checks every head: that it is what was written, that its signature fits, and that its hash is the entry's.
    pub(super) fn heads(&mut self, connection: &Connection, tip: Option<&Tip>) -> Result<(), VerifyError> {
        let mut walk = Walk { number: 0, last_seq: 0, mac: self.key.heads_genesis() };
        loop {
            let page = HeadRow::read_after(connection, walk.number, PAGE_HEADS)?;
            let last_page = page.len() < PAGE_HEADS as usize;
            for (number, head) in page {
                self.head(connection, number, head, &mut walk)?;
            }
            if last_page {
                break;
            }
        }
        let Some(tip) = tip else { return Ok(()) };
        if walk.number < tip.heads {
            let message = format!("heads {} to {} are missing", walk.number + 1, tip.heads);
            self.problem(tip.head_seq, AuditProblemKind::HeadMissing, message);
        } else if (walk.number, walk.last_seq, walk.mac) != (tip.heads, tip.head_seq, tip.head_mac) {
            let message = format!("head {} is not the one that was written last", walk.number);
            self.problem(tip.head_seq, AuditProblemKind::HeadChanged, message);
        }
        Ok(())
    }

    fn head(
        &mut self,
        connection: &Connection,
        number: i64,
        head: Option<(HeadRow, Hash)>,
        walk: &mut Walk,
    ) -> Result<(), VerifyError> {
        self.report.heads += 1;
        if number != walk.number.saturating_add(1) {
            let message =
                format!("heads {} to {} are missing", walk.number.saturating_add(1), number.saturating_sub(1));
            self.problem(walk.last_seq.saturating_add(1), AuditProblemKind::HeadMissing, message);
        }
        walk.number = number;
        let Some((head, mac)) = head else {
            let message = format!("head {number} is not what was written");
            self.problem(walk.last_seq.saturating_add(1), AuditProblemKind::HeadChanged, message);
            return Ok(());
        };
        if self.key.head_hash(&walk.mac, &head) != mac || head.last_seq.checked_sub(walk.last_seq) != Some(head.count) {
            let message = format!("head {number}, of {}, is not what was written", head.day);
            self.problem(head.last_seq, AuditProblemKind::HeadChanged, message);
        }
        if !self.signatures.is_signed_by(&head.signer, &head.statement(), &head.signature) {
            let message = format!("head {number}, of {}, is not signed by {}", head.day, head.signer);
            self.problem(head.last_seq, AuditProblemKind::HeadSignature, message);
        }
        if head.last_seq > self.begins_after {
            let row = raw_rows_after(connection, head.last_seq - 1, 1)?.pop();
            let hash = row.filter(|row| row.seq == head.last_seq).and_then(|row| row.stored_hash());
            if hash != Some(head.hash) {
                let message = format!("entry {} is not the one whose hash {} signed", head.last_seq, head.signer);
                self.problem(head.last_seq, AuditProblemKind::EntryChanged, message);
            }
        }
        if !self.report.signers.contains(&head.signer) && self.report.signers.len() < SIGNERS_MAX {
            self.report.signers.push(head.signer.clone());
        }
        self.report.last_head = Some(head.to_wire());
        (walk.last_seq, walk.mac) = (head.last_seq, mac);
        Ok(())
    }
}
