//! The signal of logind.

use futures_util::StreamExt;
use zbus::{
    Proxy,
    connection::Builder,
    proxy::{self, CacheProperties, SignalStream},
};

const SERVICE: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const INTERFACE: &str = "org.freedesktop.login1.Manager";
/// Sent twice: with `true` before the sleep, with `false` after it.
const SIGNAL: &str = "PrepareForSleep";

pub(crate) struct Signals(SignalStream<'static>);

impl Signals {
    pub(crate) async fn listen(bus: Builder<'_>) -> zbus::Result<Self> {
        let connection = bus.build().await?;
        let manager: Proxy<'static> = proxy::Builder::new(&connection)
            .destination(SERVICE)?
            .path(PATH)?
            .interface(INTERFACE)?
            .cache_properties(CacheProperties::No)
            .build()
            .await?;
        // Also without a logind: one may come later, and only the service's own signals count.
        Ok(Self(manager.receive_signal(SIGNAL).await?))
    }

    pub(crate) async fn next(&mut self) -> Option<()> {
        loop {
            let signal = self.0.next().await?;
            if signal.body().deserialize::<bool>().is_ok_and(|begins| !begins) {
                return Some(());
            }
        }
    }
}
