//! Which back ends this machine could use.

use crate::{
    BackEnd, VaultOptions,
    keeper::{self, KeeperError},
    record::new_id,
};

/// A back end, and whether it could have the secrets of this node.
#[derive(Debug)]
pub struct Candidate {
    /// The back end.
    pub back_end: BackEnd,
    /// Why it could not.
    pub refusal: Option<KeeperError>,
}

impl Candidate {
    /// What to do so that it could.
    pub fn hint(&self) -> Option<String> {
        self.refusal.as_ref().and_then(KeeperError::hint)
    }
}

/// Tries each back end, the best first; makes no vault. May wait for a keychain.
pub fn survey(options: &VaultOptions) -> Vec<Candidate> {
    let try_one = |back_end| {
        let id = new_id().map_err(|_| KeeperError::NoRandomness)?;
        keeper::check(options, back_end, &id)
    };
    BackEnd::ALL.into_iter().map(|back_end| Candidate { back_end, refusal: try_one(back_end).err() }).collect()
}
