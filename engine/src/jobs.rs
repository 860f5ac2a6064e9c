//! What may happen to a job: one file an operation, each with its rule and its errors. Storage is below
//! [`store`](crate::store); HTTP is not here.

pub mod act;
pub mod batch;
pub mod bounds;
pub mod directives;
pub mod enqueue;
pub mod lease;
pub mod query;
pub mod redrive;

use std::sync::Arc;

use crate::store::Actor;

/// Who asks, as the gateway has found out.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The name that jobs carry as `created_by`.
    pub subject: Arc<str>,
    /// Sees everybody's jobs, not only their own.
    pub sees_all: bool,
    /// May cancel and requeue what they see.
    pub may_act: bool,
}

impl Caller {
    pub(crate) fn actor(&self) -> Actor {
        Actor { subject: Arc::clone(&self.subject), only_own: !self.sees_all }
    }
}
