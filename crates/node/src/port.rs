//! Who has a port that we wanted.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use listeners::{Protocol, SocketState};

/// How long another program may take to say what it is.
const ASK_TIMEOUT: Duration = Duration::from_millis(500);
/// More of an answer than `/health` ever has.
const ANSWER_BYTES_MAX: u64 = 4096;

/// The program that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortHolder {
    /// Its process, where the system tells.
    pub process: Option<(String, u32)>,
    /// It answers as a Flowork node does.
    pub is_flowork: bool,
}

impl std::fmt::Display for PortHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.process, self.is_flowork) {
            (Some((_, pid)), true) => write!(f, "another Flowork (pid {pid})"),
            (None, true) => f.write_str("another Flowork"),
            (Some((name, pid)), false) => write!(f, "{name} (pid {pid})"),
            (None, false) => f.write_str("another program"),
        }
    }
}

/// Finds out who listens on `address`. Blocks for up to half a second.
pub(crate) fn holder(address: SocketAddr) -> PortHolder {
    PortHolder { process: process(address), is_flowork: is_flowork(address) }
}

fn process(address: SocketAddr) -> Option<(String, u32)> {
    let listeners = listeners::get_all().ok()?;
    let found = listeners.into_iter().find(|listener| {
        listener.protocol == Protocol::TCP
            && listener.state == SocketState::Listen
            && listener.socket.port() == address.port()
            && (listener.socket.ip() == address.ip() || listener.socket.ip().is_unspecified())
    })?;
    Some((found.process.name, found.process.pid))
}

fn is_flowork(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, ASK_TIMEOUT)?;
        stream.set_read_timeout(Some(ASK_TIMEOUT))?;
        stream.set_write_timeout(Some(ASK_TIMEOUT))?;
        write!(stream, "GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.contains("\"status\":\"ok\"") && answer.contains("\"version\":"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn listener_of_this_process_is_found() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (_, pid) = process(address).expect("a listener of our own can be seen");
        assert_eq!(pid, std::process::id());
    }
}
