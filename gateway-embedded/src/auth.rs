//! Who is it, and may they: one extractor for every credential, one table of permissions.

pub(crate) mod credentials;
pub mod permission;
pub mod tokens;
