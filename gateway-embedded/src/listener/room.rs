//! Room for the connections of one listener.
//!
//! When all of it is taken and somebody new comes, the connection goes that has kept us waiting for longest: with
//! sockets that never send a request, nobody can keep others out. Who waits for us is never cut for that.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use flowork_admission::{InFlight, Network, Place};
use tokio::sync::Notify;

use super::seat::Seat;

/// How many connections there may be, and which there are.
pub(super) struct Room {
    max: usize,
    /// Per address, for peers on other machines; on this one all programs share one address.
    per_address: InFlight<Network>,
    seats: Mutex<Seats>,
    /// Fires when a seat came free, or when somebody could be asked to go while one is wanted.
    changed: Notify,
    wanted: AtomicBool,
}

#[derive(Default)]
struct Seats {
    taken: HashMap<u64, Arc<Seat>>,
    next: u64,
    /// Of these, those that became WebSockets. They have a bound of their own and take nobody's place here.
    upgraded: usize,
}

/// A connection's seat, given back when it is dropped.
pub(super) struct Taken {
    room: Arc<Room>,
    number: u64,
    pub(super) seat: Arc<Seat>,
    _address: Option<Place<Network>>,
}

/// One address has as many connections as it may.
#[derive(Debug)]
pub(super) struct TooManyOfOneAddress;

impl Room {
    pub(super) fn new(max: usize, per_address_max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            per_address: InFlight::new(per_address_max),
            seats: Mutex::default(),
            changed: Notify::new(),
            wanted: AtomicBool::new(false),
        })
    }

    /// Waits for a seat, and makes somebody go who keeps us waiting. To be called by one task only.
    pub(super) async fn enter(self: &Arc<Self>, peer: SocketAddr) -> Result<Taken, TooManyOfOneAddress> {
        let address = match peer.ip() {
            ip if ip.to_canonical().is_loopback() => None,
            ip => Some(self.per_address.enter(ip.into()).ok_or(TooManyOfOneAddress)?),
        };
        let mut told = false;
        loop {
            let changed = self.changed.notified();
            self.wanted.store(true, Ordering::Relaxed);
            if let Some((number, seat)) = self.take() {
                self.wanted.store(false, Ordering::Relaxed);
                return Ok(Taken { room: Arc::clone(self), number, seat, _address: address });
            }
            if !self.cut_one() && !told {
                tracing::warn!(connections_max = self.max, "all connections are in use; new ones have to wait");
                told = true;
            }
            changed.await;
        }
    }

    fn take(&self) -> Option<(u64, Arc<Seat>)> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if seats.taken.len() - seats.upgraded >= self.max {
            return None;
        }
        let (number, seat) = (seats.next, Arc::new(Seat::new()));
        seats.next += 1;
        seats.taken.insert(number, Arc::clone(&seat));
        Some((number, seat))
    }

    /// Ends the connection that has kept us waiting for longest; says whether there was one.
    fn cut_one(&self) -> bool {
        let seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        // One at a time: it takes a moment until it has gone.
        if seats.taken.values().any(|seat| seat.cut.is_cancelled()) {
            return true;
        }
        let waiting = seats.taken.values().filter_map(|seat| Some((seat.patience()?, seat)));
        match waiting.min_by_key(|(patience, _)| *patience) {
            Some((_, seat)) => {
                tracing::debug!("a connection that sent no request is cut to make room");
                seat.cut.cancel();
                true
            }
            None => false,
        }
    }

    /// To be called when a connection has become another protocol's.
    pub(super) fn somebody_left_http(&self) {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner).upgraded += 1;
        self.changed.notify_one();
    }

    /// To be called when a connection begins to wait for its client.
    pub(super) fn somebody_waits(&self) {
        if self.wanted.load(Ordering::Relaxed) {
            self.changed.notify_one();
        }
    }
}

impl Taken {
    pub(super) fn room(&self) -> &Arc<Room> {
        &self.room
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut seats = self.room.seats.lock().unwrap_or_else(PoisonError::into_inner);
        seats.taken.remove(&self.number);
        seats.upgraded -= usize::from(self.seat.is_upgraded());
        drop(seats);
        self.room.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: &str = "127.0.0.1:1";

    async fn enter(room: &Arc<Room>, peer: &str) -> Option<Taken> {
        room.enter(peer.parse().unwrap()).await.ok()
    }

    #[tokio::test]
    async fn who_keeps_us_waiting_makes_room_and_who_waits_for_us_stays() {
        let room = Room::new(2, 10);
        let busy = enter(&room, LOCAL).await.unwrap();
        let _exchange = busy.seat.begin();
        let silent = enter(&room, LOCAL).await.unwrap();
        let cut = silent.seat.cut.clone();
        let ended = tokio::spawn(async move {
            cut.cancelled().await;
            drop(silent);
        });
        let new = enter(&room, LOCAL).await.unwrap();
        ended.await.unwrap();
        assert!(!busy.seat.cut.is_cancelled());
        assert!(!new.seat.cut.is_cancelled());
    }

    #[tokio::test]
    async fn a_newcomer_waits_while_all_are_busy() {
        let room = Room::new(1, 10);
        let busy = enter(&room, LOCAL).await.unwrap();
        let exchange = busy.seat.begin();
        let waits = tokio::spawn({
            let room = Arc::clone(&room);
            async move { enter(&room, LOCAL).await.is_some() }
        });
        tokio::task::yield_now().await;
        assert!(!busy.seat.cut.is_cancelled());
        drop(exchange);
        room.somebody_waits();
        busy.seat.cut.cancelled().await;
        drop(busy);
        assert!(waits.await.unwrap());
    }

    #[tokio::test]
    async fn one_address_of_another_machine_has_a_bound_of_its_own() {
        let room = Room::new(10, 2);
        let first = enter(&room, "192.0.2.1:1").await.unwrap();
        let _second = enter(&room, "192.0.2.1:2").await.unwrap();
        assert!(enter(&room, "192.0.2.1:3").await.is_none());
        assert!(enter(&room, "192.0.2.2:1").await.is_some());
        drop(first);
        assert!(enter(&room, "192.0.2.1:3").await.is_some());
        let mut local = Vec::new();
        for _ in 0..5 {
            local.push(enter(&room, LOCAL).await.unwrap());
        }
    }
}
