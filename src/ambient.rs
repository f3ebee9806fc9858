//! Time and randomness: the two things a night needs that are not data. They enter through arguments only,
//! so that a fixture with a fixed clock and a seed gives the same bytes every time.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, SecondsFormat, Utc};
use rand::{Rng, SeedableRng, TryRng, rngs::ChaCha20Rng, rngs::SysRng};
use uuid::Uuid;

/// Tells the time. Production reads the system's clock, fixtures hold a fixed one.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present instant, UTC.
    fn now(&self) -> DateTime<Utc>;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that stands still: fixtures, golden files and the demo.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub DateTime<Utc>);

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// An instant as reports and `--json` write it: UTC, with no more digits of a second than it has.
pub fn rfc3339(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A source of random bytes, shared by the whole program.
pub struct Random(Mutex<Source>);

enum Source {
    System,
    Seeded(Box<ChaCha20Rng>),
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

impl Random {
    /// The operating system's generator: what every production night uses.
    pub fn system() -> Self {
        Self(Mutex::new(Source::System))
    }

    /// A reproducible stream for fixtures, reached through the library only: the program has no flag for it.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(Source::Seeded(Box::new(ChaCha20Rng::seed_from_u64(seed)))))
    }

    /// A source of its own for work that runs beside other work: where this one is a reproducible stream, what each
    /// draws does not depend on which of them is faster. Takes 32 bytes of a seeded stream.
    pub fn fork(&self) -> Self {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Source::System => Self::system(),
            Source::Seeded(stream) => {
                let mut seed = [0; 32];
                stream.fill_bytes(&mut seed);
                Self(Mutex::new(Source::Seeded(Box::new(ChaCha20Rng::from_seed(seed)))))
            }
        }
    }

    /// Fills `bytes`.
    ///
    /// # Panics
    /// If the operating system refuses randomness: there is no safe way to go on without it.
    pub fn fill(&self, bytes: &mut [u8]) {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Source::System => {
                #[expect(
                    clippy::expect_used,
                    reason = "Safe because: a card secret must never be made without randomness"
                )]
                SysRng.try_fill_bytes(bytes).expect("the operating system gives random bytes");
            }
            Source::Seeded(stream) => stream.fill_bytes(bytes),
        }
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// One decimal digit, each equally likely (bytes over 249 are drawn again).
    pub fn digit(&self) -> u8 {
        loop {
            let [byte] = self.bytes::<1>();
            if byte < 250 {
                return byte % 10;
            }
        }
    }

    /// A version 4 UUID.
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    /// A version 7 UUID: it begins with the instant, so that what is made together stands together in an index, and a
    /// night that takes them in that order finds the page it needs in hand. 74 bits of it are random.
    pub fn uuid_at(&self, at: DateTime<Utc>) -> Uuid {
        // As many as version 4 takes: a seeded stream goes on the same whichever is drawn.
        let [_, _, _, _, _, _, random @ ..] = self.bytes::<16>();
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_of_an_instant_begins_with_it() {
        let random = Random::seeded(7);
        let at = DateTime::from_timestamp_millis(0x0198_7654_3210).unwrap();
        let (one, other) = (random.uuid_at(at).to_string(), random.uuid_at(at).to_string());
        assert_eq!((&one[..15], &one[..15]), ("01987654-3210-7", &other[..15]));
        assert_ne!(one, other);
        let later = random.uuid_at(at + chrono::TimeDelta::milliseconds(1)).to_string();
        assert!(later > one && later > other, "{later}");
        let (drawn, like) = (Random::seeded(7), Random::seeded(7));
        assert_ne!(drawn.uuid_at(at), like.uuid());
        assert_eq!(drawn.bytes::<4>(), like.bytes::<4>(), "and takes no more of the stream than the other kind");
    }

    #[test]
    fn a_fork_draws_the_same_whatever_the_other_draws_meanwhile() {
        let (one, other) = (Random::seeded(7), Random::seeded(7));
        let (first, second) = (one.fork(), other.fork());
        one.bytes::<64>();
        let drawn = first.bytes::<16>();
        assert_eq!(drawn, second.bytes::<16>());
        assert_ne!(drawn, other.bytes::<16>(), "and not what the source itself draws");
        assert_ne!(drawn, other.fork().bytes::<16>(), "nor another fork");
    }
}
