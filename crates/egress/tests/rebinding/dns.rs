//! A DNS server whose answers change, and the client that asks it: as much of RFC 1035 as A and AAAA need.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use flowork_egress::LookUp;
use tokio::{net::UdpSocket, task::AbortHandle, time::timeout};

const A: u16 = 1;
const AAAA: u16 = 28;
const HEADER_BYTES: usize = 12;
/// Far longer than an answer takes on loopback.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a name resolves to, one round of questions after the other.
pub(crate) struct Records {
    pub(crate) first: Vec<Vec<IpAddr>>,
    pub(crate) then: Vec<IpAddr>,
}

/// A server that ends when it is dropped.
pub(crate) struct DnsServer {
    pub(crate) address: SocketAddr,
    rounds: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl DnsServer {
    pub(crate) async fn start(records: Records) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let rounds = Arc::<AtomicUsize>::default();
        let asked = Arc::clone(&rounds);
        let task = tokio::spawn(async move {
            let mut packet = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut packet).await {
                let question = &packet[..length];
                let kind = u16::from_be_bytes([question[length - 4], question[length - 3]]);
                // A round is a question for A; the one for AAAA follows it.
                let round =
                    if kind == A { asked.fetch_add(1, Ordering::SeqCst) } else { asked.load(Ordering::SeqCst) - 1 };
                let addresses = records.first.get(round).unwrap_or(&records.then);
                socket.send_to(&answer(question, kind, addresses), client).await.unwrap();
            }
        });
        Self { address, rounds, task: task.abort_handle() }
    }

    /// How often the name was looked up.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.load(Ordering::SeqCst)
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(question: &[u8], kind: u16, addresses: &[IpAddr]) -> Vec<u8> {
    let data: Vec<Vec<u8>> = addresses
        .iter()
        .filter_map(|address| match (address, kind) {
            (IpAddr::V4(address), A) => Some(address.octets().to_vec()),
            (IpAddr::V6(address), AAAA) => Some(address.octets().to_vec()),
            _ => None,
        })
        .collect();
    let mut packet = question.to_vec();
    packet[2..4].copy_from_slice(&[0x81, 0x80]);
    packet[6..8].copy_from_slice(&(data.len() as u16).to_be_bytes());
    for address in data {
        // The name of the question, class IN, to be kept for no time at all.
        packet.extend_from_slice(&[0xc0, HEADER_BYTES as u8]);
        packet.extend_from_slice(&kind.to_be_bytes());
        packet.extend_from_slice(&[0, 1, 0, 0, 0, 0]);
        packet.extend_from_slice(&(address.len() as u16).to_be_bytes());
        packet.extend_from_slice(&address);
    }
    packet
}

/// Asks one server, and remembers nothing.
#[derive(Debug)]
pub(crate) struct DnsClient {
    pub(crate) server: SocketAddr,
}

impl LookUp for DnsClient {
    fn look_up<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        Box::pin(async move {
            let mut found = self.ask(name, A).await?;
            found.extend(self.ask(name, AAAA).await?);
            Ok(found)
        })
    }
}

impl DnsClient {
    async fn ask(&self, name: &str, kind: u16) -> io::Result<Vec<IpAddr>> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        socket.connect(self.server).await?;
        let mut question = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.trim_end_matches('.').split('.') {
            question.push(label.len() as u8);
            question.extend_from_slice(label.as_bytes());
        }
        question.push(0);
        question.extend_from_slice(&kind.to_be_bytes());
        question.extend_from_slice(&[0, 1]);
        socket.send(&question).await?;
        let mut packet = [0; 512];
        let length = timeout(PATIENCE, socket.recv(&mut packet)).await??;
        let count = u16::from_be_bytes([packet[6], packet[7]]);
        let (mut at, mut found) = (question.len(), Vec::new());
        for _ in 0..count {
            let length = usize::from(u16::from_be_bytes([packet[at + 10], packet[at + 11]]));
            let data = &packet[at + 12..at + 12 + length];
            found.extend(<[u8; 4]>::try_from(data).map(IpAddr::from));
            found.extend(<[u8; 16]>::try_from(data).map(IpAddr::from));
            at += 12 + length;
        }
        assert_eq!(at, length, "nothing is left over");
        Ok(found)
    }
}
