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
    /// It belongs to another account of this machine, as far as the system tells.
    pub is_of_another_account: bool,
}

impl std::fmt::Display for PortHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let whose = if self.is_of_another_account { " of another account of this machine" } else { "" };
        let name = match &self.process {
            _ if self.is_flowork && self.is_of_another_account => "the Flowork",
            _ if self.is_flowork => "another Flowork",
            Some((name, _)) => name,
            None => "another program",
        };
        write!(f, "{name}{whose}")?;
        self.process.iter().try_for_each(|(_, pid)| write!(f, " (pid {pid})"))
    }
}

/// Finds out who listens on `address`. Blocks for up to half a second.
pub(crate) fn holder(address: SocketAddr) -> PortHolder {
    PortHolder {
        process: process(address),
        is_flowork: is_flowork(address),
        is_of_another_account: is_of_another_account(address),
    }
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

/// The processes of other accounts cannot be looked into, but the kernel tells whose a socket is.
#[cfg(target_os = "linux")]
fn is_of_another_account(address: SocketAddr) -> bool {
    let lists = ["/proc/net/tcp", "/proc/net/tcp6"];
    let owner = lists.iter().find_map(|list| linux::owner(&std::fs::read_to_string(list).ok()?, address));
    owner.is_some_and(|owner| owner != rustix::process::getuid().as_raw())
}

/// Elsewhere nobody tells.
#[cfg(not(target_os = "linux"))]
fn is_of_another_account(_address: SocketAddr) -> bool {
    false
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

/// The kernel's lists of sockets. Source: `man 5 proc_pid_net`, and `get_tcp4_sock` of the kernel for the columns.
#[cfg(target_os = "linux")]
mod linux {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

    /// What the list says of a socket that listens.
    const LISTENS: &str = "0A";

    /// The account whose socket listens on `address`, by itself or with all others.
    pub(super) fn owner(list: &str, address: SocketAddr) -> Option<u32> {
        list.lines().skip(1).find_map(|line| {
            // Number, own address, other address, state, queues, timer, retransmits, account.
            let mut columns = line.split_whitespace().skip(1);
            let (ip, port) = columns.next()?.split_once(':')?;
            let listens = columns.nth(1)? == LISTENS && u16::from_str_radix(port, 16).ok()? == address.port();
            let ip = read_ip(ip)?.to_canonical();
            (listens && (ip == address.ip() || ip.is_unspecified())).then(|| columns.nth(3)?.parse().ok())?
        })
    }

    /// Words of 32 bits, each as the processor has it in memory.
    fn read_ip(hex: &str) -> Option<IpAddr> {
        let mut octets = Vec::new();
        for at in (0..hex.len()).step_by(8) {
            octets.extend(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
        }
        let four = <[u8; 4]>::try_from(octets.as_slice()).map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
        four.or_else(|_| <[u8; 16]>::try_from(octets.as_slice()).map(|octets| IpAddr::V6(Ipv6Addr::from(octets)))).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[cfg(all(target_os = "linux", target_endian = "little"))]
    #[test]
    fn owner_of_a_listening_socket_is_read_from_the_kernels_list() {
        const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout";
        let check = |line: &str, address: &str, expected: Option<u32>| {
            let list = format!("{HEAD}\n{line}\n");
            assert_eq!(linux::owner(&list, address.parse().unwrap()), expected, "{address} in {line}");
        };
        let listening = "0: 0100007F:1E25 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 567";
        check(listening, "127.0.0.1:7717", Some(1000));
        check(listening, "127.0.0.1:7718", None);
        check(listening, "127.0.0.2:7717", None);
        let connected = "1: 0100007F:1E25 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000  1000        0 568";
        check(connected, "127.0.0.1:7717", None);
        let everywhere = "2: 00000000:1E25 00000000:0000 0A 00000000:00000000 00:00000000 00000000     7        0 569";
        check(everywhere, "127.0.0.1:7717", Some(7));
        let six = "0: 00000000000000000000000001000000:1E25 00000000000000000000000000000000:0000 0A \
                   00000000:00000000 00:00000000 00000000  1001        0 570";
        check(six, "[::1]:7717", Some(1001));
        check("no list at all", "127.0.0.1:7717", None);
    }

    #[test]
    fn listener_of_this_account_is_nobody_elses() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        assert!(!is_of_another_account(listener.local_addr().unwrap()));
    }

    #[test]
    fn holder_is_named_as_well_as_it_is_known() {
        let check = |process: Option<(&str, u32)>, is_flowork, is_of_another_account, expected: &str| {
            let process = process.map(|(name, pid)| (name.to_owned(), pid));
            assert_eq!(PortHolder { process, is_flowork, is_of_another_account }.to_string(), expected);
        };
        check(Some(("nginx", 7)), false, false, "nginx (pid 7)");
        check(Some(("flowork", 7)), true, false, "another Flowork (pid 7)");
        check(None, true, true, "the Flowork of another account of this machine");
        check(Some(("flowork", 7)), true, true, "the Flowork of another account of this machine (pid 7)");
        check(None, false, true, "another program of another account of this machine");
        check(None, false, false, "another program");
    }

    #[test]
    fn listener_of_this_process_is_found() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (_, pid) = process(address).expect("a listener of our own can be seen");
        assert_eq!(pid, std::process::id());
    }
}
