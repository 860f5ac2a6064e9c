//! Challenges: messages that were given out to be signed.
//!
//! They are kept in memory alone. Anybody may ask for one, so that none may cost a write to the disk; and a restart
//! forgets them all, so that none can come back after it. Each answers one attempt, whatever comes of it.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use flowork_api_types::{Timestamp, member::KeyAddress};

use crate::ControlStore;

/// How long a challenge can be answered.
pub const CHALLENGE_TTL: Duration = Duration::from_mins(5);
/// Challenges at a time: 4 MiB of memory at most, and more sign-ins in five minutes than a node has people.
pub const CHALLENGES_MAX: usize = 4_096;
/// Challenges of one client at a time. More only take the place of its own, never of somebody else's.
pub const CHALLENGES_PER_CLIENT_MAX: usize = 32;

/// A message that was given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Its nonce, which finds it again.
    pub nonce: String,
    /// Who is to sign it.
    pub address: KeyAddress,
    /// What is to be signed, byte for byte.
    pub message: String,
    /// When it can't be answered any more.
    pub expires_at: Timestamp,
}

/// The challenges that are open, the oldest first.
#[derive(Default)]
pub(crate) struct Challenges(VecDeque<Kept>);

struct Kept {
    challenge: Challenge,
    client: IpAddr,
}

impl ControlStore {
    /// Keeps a challenge until it is answered or expires. Where there are too many, the client's own oldest one makes
    /// room; where there are too many of all, the oldest of the neighborhood that has most. For whom they are does not
    /// count: addresses are public, and nobody may take another's challenge away by asking for the same.
    pub fn keep_challenge(&self, challenge: Challenge, client: IpAddr, now: Timestamp) {
        self.challenges().keep(Kept { challenge, client: network(client) }, now);
    }

    /// Takes the challenge of this nonce out: of any number of calls one gets it.
    pub fn take_challenge(&self, nonce: &str, now: Timestamp) -> Option<Challenge> {
        let mut challenges = self.challenges();
        let at = challenges.0.iter().position(|kept| kept.challenge.nonce == nonce)?;
        let kept = challenges.0.remove(at)?;
        (now < kept.challenge.expires_at).then_some(kept.challenge)
    }

    fn challenges(&self) -> MutexGuard<'_, Challenges> {
        self.memory.challenges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Challenges {
    fn keep(&mut self, new: Kept, now: Timestamp) {
        self.0.retain(|kept| now < kept.challenge.expires_at);
        if self.0.iter().filter(|kept| kept.client == new.client).count() >= CHALLENGES_PER_CLIENT_MAX {
            self.remove_first(|kept| kept.client == new.client);
        }
        if self.0.len() >= CHALLENGES_MAX {
            self.make_room(new.client);
        }
        self.0.push_back(new);
    }

    /// Removes the oldest one of the neighborhood that has most; of several, the newcomer's.
    fn make_room(&mut self, newcomer: IpAddr) {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for kept in &self.0 {
            *counts.entry(neighborhood(kept.client)).or_default() += 1;
        }
        let most = counts.values().copied().max().unwrap_or_default();
        let own = neighborhood(newcomer);
        if counts.get(&own) == Some(&most) {
            self.remove_first(|kept| neighborhood(kept.client) == own);
        } else {
            self.remove_first(|kept| counts.get(&neighborhood(kept.client)) == Some(&most));
        }
    }

    fn remove_first(&mut self, matches: impl Fn(&Kept) -> bool) -> bool {
        let at = self.0.iter().position(matches);
        at.is_some_and(|at| self.0.remove(at).is_some())
    }
}

/// One client: an address, or the 64 bits of an IPv6 address that a provider gives to one customer.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// Clients that one person may well have all of: a /24, or the /48 of an IPv6 address.
fn neighborhood(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, 0))
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn kept(number: usize, address: u8, client: [u8; 4]) -> Kept {
        let challenge = Challenge {
            nonce: format!("nonce{number}"),
            address: KeyAddress([address; 20]),
            message: String::new(),
            expires_at: Timestamp(NOW.as_millis() + CHALLENGE_TTL.as_millis() as i64),
        };
        Kept { challenge, client: IpAddr::from(client) }
    }

    fn has(challenges: &Challenges, number: usize) -> bool {
        challenges.0.iter().any(|kept| kept.challenge.nonce == format!("nonce{number}"))
    }

    #[test]
    fn one_client_displaces_its_own_challenges_only() {
        let mut challenges = Challenges::default();
        challenges.keep(kept(0, 1, [10, 0, 0, 1]), NOW);
        for number in 1..=2 * CHALLENGES_PER_CLIENT_MAX {
            challenges.keep(kept(number, 1, [10, 0, 0, 2]), NOW);
        }
        assert_eq!(challenges.0.len(), CHALLENGES_PER_CLIENT_MAX + 1);
        assert!(has(&challenges, 0), "another client's stays, though it is for the same address");
        assert!(!has(&challenges, 1) && has(&challenges, 2 * CHALLENGES_PER_CLIENT_MAX));
    }

    #[test]
    fn a_crowd_displaces_its_own_challenges_and_nobody_elses() {
        let mut challenges = Challenges::default();
        challenges.keep(kept(0, 7, [192, 0, 2, 1]), NOW);
        let crowd = |number: usize| [10, 0, (number / 250) as u8, (number % 250) as u8];
        for number in 1..CHALLENGES_MAX + 300 {
            challenges.keep(kept(number, 7, crowd(number)), NOW);
            assert!(challenges.0.len() <= CHALLENGES_MAX);
        }
        assert_eq!(challenges.0.len(), CHALLENGES_MAX);
        assert!(has(&challenges, 0), "somebody else's stays, though it is the oldest and for the same address");
        challenges.keep(kept(90_000, 7, [198, 51, 100, 1]), NOW);
        assert!(has(&challenges, 90_000) && has(&challenges, 0), "others still get in");
    }

    #[test]
    fn where_all_have_as_many_the_newcomers_neighborhood_makes_room() {
        let mut challenges = Challenges::default();
        for number in 0..CHALLENGES_MAX {
            challenges.keep(kept(number, 1, [10, (number >> 8) as u8, number as u8, 1]), NOW);
        }
        challenges.keep(kept(9_000, 1, [10, 0, 9, 2]), NOW);
        assert!(!has(&challenges, 9) && has(&challenges, 0) && has(&challenges, 9_000));
        assert_eq!(challenges.0.len(), CHALLENGES_MAX);
    }

    #[test]
    fn what_has_expired_makes_room_first() {
        let mut challenges = Challenges::default();
        challenges.keep(kept(1, 1, [10, 0, 0, 1]), NOW);
        let later = Timestamp(NOW.as_millis() + CHALLENGE_TTL.as_millis() as i64);
        challenges.keep(kept(2, 1, [10, 0, 0, 2]), later);
        assert!(!has(&challenges, 1));
    }

    #[test]
    fn a_customers_ipv6_addresses_are_one_client() {
        let address = |text: &str| network(text.parse().unwrap());
        assert_eq!(address("2001:db8:1:2::1"), address("2001:db8:1:2:ffff::2"));
        assert_ne!(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
        assert_eq!(address("::ffff:10.0.0.1"), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
        let near = |text: &str| neighborhood(text.parse().unwrap());
        assert_eq!(near("2001:db8:1:2::1"), near("2001:db8:1:ffff::1"));
        assert_ne!(near("2001:db8:1::1"), near("2001:db8:2::1"));
        assert_eq!(near("192.0.2.1"), near("192.0.2.254"));
        assert_ne!(near("192.0.2.1"), near("192.0.3.1"));
    }
}
