//! Calls that make a way in, and those that close all of them, each in its turn.
//!
//! Credentials are looked at when the head of a request is here, and again when its body is. Still, a change takes a
//! moment, and meanwhile somebody may end the caller's token: what it asked for must not come to be after that. So
//! whoever makes a way in (a link, a key, a member, an engine, an admin token) asks again right before, and holds the
//! door until it is made. Whoever closes all ways in waits for those that hold it and keeps out the others; what they
//! made is then found and ended.

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::person::Person;
use crate::{app::GatewayState, error::ApiError};

/// Held while there comes to be a way in, and while all of them are closed.
#[derive(Default)]
pub(crate) struct Door(RwLock<()>);

impl Door {
    /// For a call that makes a way in, once its body is here. Kept until that is made.
    pub(crate) async fn hold(
        &self,
        state: &GatewayState,
        person: &Person,
    ) -> Result<RwLockReadGuard<'_, ()>, ApiError> {
        let held = self.0.read().await;
        person.check(state)?;
        Ok(held)
    }

    /// For a call that ends what others may be using right now. Kept until they are ended.
    pub(crate) async fn shut(
        &self,
        state: &GatewayState,
        person: &Person,
    ) -> Result<RwLockWriteGuard<'_, ()>, ApiError> {
        let shut = self.0.write().await;
        person.check(state)?;
        Ok(shut)
    }
}
