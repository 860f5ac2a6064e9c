//! What asks a node to stop: SIGTERM, Ctrl-C, the end of the terminal, the end of a Windows session.

use std::io;

/// Signals, one after the other.
pub(crate) struct Signals {
    #[cfg(unix)]
    kinds: [tokio::signal::unix::Signal; 3],
    #[cfg(windows)]
    kinds: WindowsSignals,
}

#[cfg(windows)]
struct WindowsSignals {
    interrupt: tokio::signal::windows::CtrlC,
    suspend: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

impl Signals {
    /// From here on, signals no longer end the process by themselves.
    #[cfg(unix)]
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?];
        Ok(Self { kinds })
    }

    /// Waits for the next one.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) {
        let [terminate, interrupt, hangup] = &mut self.kinds;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }

    /// From here on, signals no longer end the process by themselves.
    #[cfg(windows)]
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
        let (interrupt, suspend) = (ctrl_c()?, ctrl_break()?);
        let (close, shutdown) = (ctrl_close()?, ctrl_shutdown()?);
        Ok(Self { kinds: WindowsSignals { interrupt, suspend, close, shutdown } })
    }

    /// Waits for the next one.
    #[cfg(windows)]
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.kinds.interrupt.recv() => {}
            _ = self.kinds.suspend.recv() => {}
            _ = self.kinds.close.recv() => {}
            _ = self.kinds.shutdown.recv() => {}
        }
    }
}
