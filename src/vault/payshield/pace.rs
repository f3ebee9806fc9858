//! How fast commands go out: live authorisations share the devices.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Gives out turns, so many a second to all devices together, each at the same distance from the one before.
#[derive(Debug)]
pub(super) struct Pace {
    distance: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// Without a number there is no cap.
    pub(super) fn of(commands_per_s: Option<u32>) -> Self {
        let distance = commands_per_s.map_or(Duration::ZERO, |number| Duration::from_secs(1) / number.max(1));
        Self { distance, next: Mutex::default() }
    }

    /// Waits for a turn. One that is not used is lost.
    pub(super) async fn turn(&self) {
        if !self.distance.is_zero() {
            tokio::time::sleep_until(self.taken(Instant::now())).await;
        }
    }

    fn taken(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = next.map_or(now, |next| next.max(now));
        *next = Some(turn + self.distance);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_keep_their_distance_and_are_not_saved_up() {
        let pace = Pace::of(Some(250));
        let now = Instant::now();
        let after = |milliseconds| now + Duration::from_millis(milliseconds);
        assert_eq!([pace.taken(now), pace.taken(now), pace.taken(after(3))], [now, after(4), after(8)]);
        assert_eq!(pace.taken(after(100)), after(100), "a pause gives nobody more than his turn");
        assert_eq!(pace.taken(after(100)), after(104));
    }
}
