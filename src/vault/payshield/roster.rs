//! Which device is asked next, and over which connection.
//!
//! Invariants: at most so many connections to a device are in use at once; the first device in the order of preference
//! that is not left alone is asked; where all are left alone, the one that was longest. Nothing here waits.

use std::time::Duration;

use tokio::time::Instant;

/// How long a device is left alone that did not answer as it should, while there is another.
pub(super) const REST: Duration = Duration::from_secs(30);

/// A connection that was unused for longer is not trusted, for firewalls forget it and devices close it; and it is closed,
/// for a device has room for so many, and others need theirs.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(20);

/// Devices by their place in the order of preference; `C` is a connection.
#[derive(Debug)]
pub(super) struct Roster<C> {
    pub(super) idle_max: Duration,
    watched: bool,
    connections: usize,
    devices: Vec<Seat<C>>,
}

#[derive(Debug)]
struct Seat<C> {
    in_use: usize,
    idle: Vec<(C, Instant)>,
    left_alone_until: Option<Instant>,
}

impl<C> Roster<C> {
    /// So many devices, and connections to each.
    pub(super) fn of(devices: usize, connections: usize) -> Self {
        let seat = || Seat { in_use: 0, idle: Vec::new(), left_alone_until: None };
        Self { idle_max: IDLE_MAX, watched: false, connections, devices: (0..devices).map(|_| seat()).collect() }
    }

    /// The device to ask now, with a connection to it where one is idle; `None` where all that may be asked are busy.
    pub(super) fn take(&mut self, now: Instant) -> Option<(usize, Option<C>)> {
        let device = self.next(now)?;
        let (seat, idle_max) = (&mut self.devices[device], self.idle_max);
        seat.in_use += 1;
        seat.idle.retain(|(_, since)| now < *since + idle_max);
        Some((device, seat.idle.pop().map(|(connection, _)| connection)))
    }

    fn next(&self, now: Instant) -> Option<usize> {
        let numbered = || self.devices.iter().enumerate();
        let alone = |seat: &Seat<C>| seat.left_alone_until.filter(|until| now < *until);
        let free = |(_, seat): &(usize, &Seat<C>)| seat.in_use < self.connections;
        let device = if self.all_left_alone(now) {
            numbered().filter(free).min_by_key(|(_, seat)| alone(seat))
        } else {
            numbered().find(|device| alone(device.1).is_none() && free(device))
        };
        device.map(|(device, _)| device)
    }

    /// Whether there is no device but those that did not answer as they should.
    pub(super) fn all_left_alone(&self, now: Instant) -> bool {
        self.devices.iter().all(|seat| seat.left_alone_until.is_some_and(|until| now < until))
    }

    /// A connection that was taken is used no more.
    pub(super) fn free(&mut self, device: usize) {
        self.devices[device].in_use -= 1;
    }

    /// Keeps a connection, over which an answer came, for the next that asks. Where all devices are left alone, the one
    /// that answers no longer is: who waits for it must not try the others in vain meanwhile. `true` where nobody watches
    /// yet when idle connections are to be closed ([`Roster::close_idle`]).
    #[must_use]
    pub(super) fn keep(&mut self, device: usize, connection: C, now: Instant) -> bool {
        if self.all_left_alone(now) {
            self.devices[device].left_alone_until = None;
        }
        self.devices[device].idle.push((connection, now));
        !std::mem::replace(&mut self.watched, true)
    }

    /// Closes what was idle for too long; `false` where nothing is idle any more, so that nobody need watch.
    pub(super) fn close_idle(&mut self, now: Instant) -> bool {
        let idle_max = self.idle_max;
        for seat in &mut self.devices {
            seat.idle.retain(|(_, since)| now < *since + idle_max);
        }
        self.watched = self.devices.iter().any(|seat| !seat.idle.is_empty());
        self.watched
    }

    /// Leaves a device alone, closing what is idle; `false` where it was already.
    pub(super) fn leave_alone(&mut self, device: usize, now: Instant) -> bool {
        let seat = &mut self.devices[device];
        seat.idle.clear();
        let news = seat.left_alone_until.is_none_or(|until| until <= now);
        seat.left_alone_until = Some(now + REST);
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(roster: &mut Roster<u32>, now: Instant) -> Option<(usize, Option<u32>)> {
        roster.take(now)
    }

    #[test]
    fn the_first_device_is_asked_while_it_has_a_free_connection() {
        let (mut roster, now) = (Roster::of(2, 2), Instant::now());
        let taken: Vec<_> = (0..5).map(|_| taken(&mut roster, now).map(|(device, _)| device)).collect();
        assert_eq!(taken, [Some(0), Some(0), Some(1), Some(1), None]);
        roster.free(1);
        assert_eq!(roster.take(now), Some((1, None)));
        roster.free(1);
        roster.free(0);
        assert_eq!(roster.take(now), Some((0, None)));
    }

    #[test]
    fn a_connection_is_used_again_while_it_is_fresh() {
        let (mut roster, now) = (Roster::of(1, 2), Instant::now());
        assert_eq!(roster.take(now), Some((0, None)));
        roster.free(0);
        let _ = roster.keep(0, 7, now);
        assert_eq!(roster.take(now + IDLE_MAX - Duration::from_millis(1)), Some((0, Some(7))));
        roster.free(0);
        let _ = roster.keep(0, 7, now);
        assert_eq!(roster.take(now + IDLE_MAX), Some((0, None)));
    }

    #[test]
    fn idle_connections_are_closed_and_watched_by_one() {
        let (mut roster, now) = (Roster::of(2, 2), Instant::now());
        let second = Duration::from_secs(1);
        assert!(roster.keep(0, 7, now));
        assert!(!roster.keep(1, 8, now + second), "somebody watches already");
        assert!(roster.close_idle(now + IDLE_MAX), "the other one is still fresh");
        assert_eq!(roster.take(now + IDLE_MAX), Some((0, None)));
        assert!(!roster.close_idle(now + second + IDLE_MAX));
        assert!(roster.keep(0, 9, now + second + IDLE_MAX), "nobody watches any more");
    }

    #[test]
    fn a_device_that_failed_is_left_alone_while_there_is_another() {
        let (mut roster, now) = (Roster::of(2, 1), Instant::now());
        let _ = roster.keep(0, 7, now);
        assert!(roster.leave_alone(0, now));
        assert!(!roster.leave_alone(0, now), "told once");
        assert_eq!(roster.take(now), Some((1, None)));
        assert_eq!(roster.take(now), None, "the other one is waited for");
        let later = now + REST;
        assert_eq!(roster.take(later - Duration::from_millis(1)), None);
        assert_eq!(roster.take(later), Some((0, None)), "and its old connections are gone");
    }

    #[test]
    fn where_all_failed_the_first_that_did_is_asked_first() {
        let (mut roster, now) = (Roster::<u32>::of(3, 1), Instant::now());
        for (device, after) in [(1, 0), (0, 1), (2, 2)] {
            assert!(!roster.all_left_alone(now));
            roster.leave_alone(device, now + Duration::from_secs(after));
        }
        let now = now + Duration::from_secs(3);
        assert!(roster.all_left_alone(now) && !roster.all_left_alone(now + REST));
        let taken: Vec<_> = (0..4).map(|_| taken(&mut roster, now).map(|(device, _)| device)).collect();
        assert_eq!(taken, [Some(1), Some(0), Some(2), None]);
        roster.free(0);
        let _ = roster.keep(0, 7, now);
        roster.free(1);
        assert_eq!(roster.take(now), Some((0, Some(7))), "the one that answered");
        assert_eq!(roster.take(now), None, "and no other while that one is busy");
    }
}
