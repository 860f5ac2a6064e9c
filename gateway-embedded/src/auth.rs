//! Who is it, and may they: one extractor for every credential, one table of permissions.

pub(crate) mod credentials;
pub(crate) mod door;
pub(crate) mod kind_rights;
pub(crate) mod member_list;
pub(crate) mod permission;
pub(crate) mod person;
pub(crate) mod rotation;
pub(crate) mod tickets;

use std::time::Duration;

/// How long an access token lives that a session stands behind.
pub(crate) const ACCESS_TTL: Duration = Duration::from_mins(15);
