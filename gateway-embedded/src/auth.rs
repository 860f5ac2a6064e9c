//! Who is it, and may they: one extractor for every credential, one table of permissions.

pub(crate) mod credentials;
pub(crate) mod permission;
pub(crate) mod tokens;
