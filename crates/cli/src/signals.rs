//! What asks a node to stop: SIGTERM, Ctrl-C, the end of the terminal, the end of a Windows session.

use std::io;

/// Signals, one after the other.
pub(crate) struct Signals {
    #[cfg(unix)]
    kinds: [tokio::signal::unix::Signal; 2],
    /// `None` where the caller wants a closed terminal to change nothing.
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
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
        let hangup = if hangup_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self { kinds: [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?], hangup })
    }

    /// Waits for the next one.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) {
        let [terminate, interrupt] = &mut self.kinds;
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup => {}
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

/// Whether whoever started this process told it to outlive the terminal, as `nohup` does. To listen for the signal
/// would undo that.
#[cfg(unix)]
fn hangup_is_ignored() -> bool {
    use io::IsTerminal;
    const HANGUP: u32 = 1;
    let status = std::fs::read_to_string("/proc/self/status").ok();
    let ignored = status.as_deref().and_then(|status| status.lines().find_map(|line| line.strip_prefix("SigIgn:")));
    match ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()) {
        Some(mask) => mask & (1 << (HANGUP - 1)) != 0,
        // Where the system does not tell, `nohup` shows by what it did to the outputs.
        None => !io::stdout().is_terminal() && !io::stderr().is_terminal(),
    }
}
