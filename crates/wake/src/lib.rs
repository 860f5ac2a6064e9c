//! Hears that the machine has woken up from sleep.
//!
//! Timers count the time in which a machine is awake, so that whoever waits for a moment of the day is late by the length
//! of the sleep unless somebody says so. On Linux logind does, by its signal `PrepareForSleep` on the system's D-Bus; a
//! program that waits for it uses no CPU. Other systems tell nothing here yet: what depends on the time of day must not
//! depend on this alone.
//!
//! Not here: what is to be done then.

#[cfg(target_os = "linux")]
mod logind;

/// Why nobody tells of sleep.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The system's D-Bus can't be reached, as in most containers.
    #[cfg(target_os = "linux")]
    #[error("the system's D-Bus can't be listened to")]
    Bus(#[from] zbus::Error),
    /// Nobody on this system is asked.
    #[error("this system does not tell of sleep here")]
    Unsupported,
}

/// The times at which the machine woke up, as they come.
pub struct Wakes {
    #[cfg(target_os = "linux")]
    signals: logind::Signals,
}

impl Wakes {
    /// Listens from now on.
    ///
    /// # Errors
    /// See [`ListenError`].
    #[cfg(target_os = "linux")]
    pub async fn listen() -> Result<Self, ListenError> {
        Ok(Self { signals: logind::Signals::listen(zbus::connection::Builder::system()?).await? })
    }

    /// Listens from now on to a D-Bus that stands in for the system's, such as `unix:path=/tmp/bus`.
    ///
    /// # Errors
    /// See [`ListenError`].
    #[cfg(target_os = "linux")]
    pub async fn listen_at(address: &str) -> Result<Self, ListenError> {
        Ok(Self { signals: logind::Signals::listen(zbus::connection::Builder::address(address)?).await? })
    }

    /// Listens from now on.
    ///
    /// # Errors
    /// Always: nobody here tells.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_async, reason = "elsewhere it waits")]
    pub async fn listen() -> Result<Self, ListenError> {
        Err(ListenError::Unsupported)
    }

    /// Resolves when the machine has woken up; `None` once nobody will tell any more, as the bus has gone. Dropping the
    /// future loses nothing.
    #[cfg_attr(not(target_os = "linux"), expect(clippy::unused_async, reason = "elsewhere it waits"))]
    pub async fn next(&mut self) -> Option<()> {
        #[cfg(target_os = "linux")]
        return self.signals.next().await;
        #[cfg(not(target_os = "linux"))]
        None
    }
}

/// Calls `woken` each time the machine has woken up, for as long as somebody tells. That nobody does is one line in the
/// log.
pub async fn follow<F: Future<Output = ()>>(mut woken: impl FnMut() -> F) {
    let mut wakes = match Wakes::listen().await {
        Ok(wakes) => wakes,
        Err(error) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "nobody will tell that the machine has slept");
            return;
        }
    };
    while wakes.next().await.is_some() {
        tracing::info!("the machine has woken up");
        woken().await;
    }
    tracing::warn!("the system's D-Bus has gone, so that nobody tells any more that the machine has slept");
}
