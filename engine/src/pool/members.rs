//! Whose jobs are run: those of members, as the node's list of them says, and those of nobody in particular.
//!
//! A job waits in its queue while people come and go. When a worker gets one whose owner is no member any more, or is kept
//! out, it ends the job at once, for good: giving it back would bring it here again, and again. It lies with the failed
//! jobs then, where a person can ask for it once its owner is back. What runs already goes on.

use std::{
    collections::HashSet,
    sync::{PoisonError, RwLock},
};

use flowork_api_types::member::{AllowList, owner_is_allowed};

use crate::JobFailure;

/// The members, as far as this pool was told. Until then, everybody's jobs are run.
#[derive(Debug, Default)]
pub struct Members(RwLock<Option<Known>>);

#[derive(Debug)]
struct Known {
    version: u64,
    subjects: HashSet<String>,
}

impl Members {
    /// Takes a list in place of the one before.
    pub fn set(&self, list: AllowList) {
        let known = Known { version: list.version, subjects: list.subjects.into_iter().collect() };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }

    /// Which list this is; `None` before there was one.
    pub fn version(&self) -> Option<u64> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(|known| known.version)
    }

    /// The list, unless it is the one that the other side has.
    pub(crate) fn unless(&self, version: Option<u64>) -> Option<AllowList> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let known = known.as_ref().filter(|known| version != Some(known.version))?;
        let mut subjects: Vec<_> = known.subjects.iter().cloned().collect();
        subjects.sort_unstable();
        Some(AllowList { version: known.version, subjects })
    }

    /// Why a job of this owner is not run.
    pub(super) fn refuse(&self, owner: &str) -> Option<JobFailure> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let known = known.as_ref()?;
        if owner_is_allowed(owner, |subject| known.subjects.contains(subject)) {
            return None;
        }
        let failure = JobFailure::permanent("OWNER_NOT_MEMBER", "who enqueued this job is no member of the node now");
        Some(failure.hint("Let them in again and requeue the job, or enqueue it under your own name."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(version: u64, subjects: &[&str]) -> AllowList {
        AllowList { version, subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect() }
    }

    #[test]
    fn jobs_of_members_and_of_scripts_are_run_and_those_of_former_members_are_not() {
        let members = Members::default();
        assert!(members.refuse("m_1").is_none(), "nobody was named yet");
        members.set(list(1, &["owner", "m_1"]));
        for fine in ["owner", "m_1", "operator", "schedule of nobody"] {
            assert!(members.refuse(fine).is_none(), "{fine}");
        }
        let refused = members.refuse("m_2").expect("no member");
        assert_eq!((refused.error.code.as_str(), refused.retryable), ("OWNER_NOT_MEMBER", false));
        members.set(list(2, &["owner"]));
        assert!(members.refuse("m_1").is_some());
    }

    #[test]
    fn the_list_goes_out_to_whoever_has_another_one() {
        let members = Members::default();
        assert_eq!((members.unless(None), members.version()), (None, None));
        members.set(list(7, &["owner"]));
        assert_eq!(members.unless(None), Some(list(7, &["owner"])));
        assert_eq!(members.unless(Some(6)), Some(list(7, &["owner"])));
        assert_eq!(members.unless(Some(9)), Some(list(7, &["owner"])), "a node that was restored counts from before");
        assert_eq!(members.unless(Some(7)), None);
    }
}
