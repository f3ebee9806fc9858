//! Named points at which a test stops or kills the program, as a crash would; nothing in what is shipped.
//!
//! Invariants: without the Cargo feature `fault-points` [`reach`] is empty and nothing reads the environment; only test
//! builds have the feature. A point is reached where its name says, so that a test that dies there knows what is
//! durable and what is not.
//!
//! Why in the program and not around it: only the program knows that it stands between two writes.

/// Where a night can be stopped, in the order in which a file comes by; and where the sealing anew of what is stored can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Point {
    /// A page of cards is renewed, or there is nothing left to renew; nothing is claimed yet.
    Renewing,
    /// The claim is written and not committed.
    ClaimUncommitted,
    /// The claim is committed; nobody was told yet.
    ClaimCommitted,
    /// A PIN was made and is in memory only.
    PinMade,
    /// PINs were saved; others may be missing.
    PinsSaved,
    /// Records are written to the part in the spool.
    Composing,
    /// The sealed bytes have their name in the spool; neither journal nor database know it.
    SpoolRenamed,
    /// The journal says SEALED, the row does not.
    SealedNoted,
    /// The row says SEALED.
    Sealed,
    /// The row says SENDING; no byte went out yet.
    Sending,
    /// A part of the bytes is at the house.
    Uploading,
    /// Every byte was written and the temporary file closed; the row still says SENDING.
    Uploaded,
    /// The row says READY.
    Ready,
    /// The journal says RENAME, the row still READY.
    RenameNoted,
    /// The row says RENAMING; the RENAME was not sent.
    Renaming,
    /// The house renamed; the answer is not used yet.
    Renamed,
    /// The journal says PUBLISHED, the row still RENAMING.
    PublishedNoted,
    /// The row says PUBLISHED.
    Published,
    /// The settlement is written and not committed.
    SettleUncommitted,
    /// The settlement is committed; nobody was told yet.
    SettleCommitted,
    /// The file is settled; the run's report is not written.
    Settled,
    /// The run's end is committed; the report is not printed.
    RunEnded,
    /// A page of stored values is sealed anew and not committed.
    ResealUncommitted,
    /// A page of stored values is sealed anew.
    ResealCommitted,
}

impl Point {
    /// Every point of a night, in its order.
    pub const ALL: [Self; 22] = [
        Self::Renewing,
        Self::ClaimUncommitted,
        Self::ClaimCommitted,
        Self::PinMade,
        Self::PinsSaved,
        Self::Composing,
        Self::SpoolRenamed,
        Self::SealedNoted,
        Self::Sealed,
        Self::Sending,
        Self::Uploading,
        Self::Uploaded,
        Self::Ready,
        Self::RenameNoted,
        Self::Renaming,
        Self::Renamed,
        Self::PublishedNoted,
        Self::Published,
        Self::SettleUncommitted,
        Self::SettleCommitted,
        Self::Settled,
        Self::RunEnded,
    ];

    /// The points of a rotation of the data key.
    pub const OF_A_ROTATION: [Self; 2] = [Self::ResealUncommitted, Self::ResealCommitted];

    /// Its name in the order of a test, for example `renaming`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Renewing => "renewing",
            Self::ClaimUncommitted => "claim-uncommitted",
            Self::ClaimCommitted => "claim-committed",
            Self::PinMade => "pin-made",
            Self::PinsSaved => "pins-saved",
            Self::Composing => "composing",
            Self::SpoolRenamed => "spool-renamed",
            Self::SealedNoted => "sealed-noted",
            Self::Sealed => "sealed",
            Self::Sending => "sending",
            Self::Uploading => "uploading",
            Self::Uploaded => "uploaded",
            Self::Ready => "ready",
            Self::RenameNoted => "rename-noted",
            Self::Renaming => "renaming",
            Self::Renamed => "renamed",
            Self::PublishedNoted => "published-noted",
            Self::Published => "published",
            Self::SettleUncommitted => "settle-uncommitted",
            Self::SettleCommitted => "settle-committed",
            Self::Settled => "settled",
            Self::RunEnded => "run-ended",
            Self::ResealUncommitted => "reseal-uncommitted",
            Self::ResealCommitted => "reseal-committed",
        }
    }
}

/// The program is at a point: goes on, unless a test ordered otherwise.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub const fn reach(_: Point) {}

#[cfg(feature = "fault-points")]
pub use ordered::{Action, ORDER, Order, reach};

#[cfg(feature = "fault-points")]
mod ordered {
    use std::str::FromStr;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    use super::Point;

    /// The environment variable of a test, read once: `kill@renaming`, or `stop@pins-saved#2` for the second time it is
    /// reached, or several with commas between them.
    pub const ORDER: &str = "EMBOSS_FAULT";

    /// Longer than a signal of ours takes to arrive.
    const PAUSE: Duration = Duration::from_millis(100);

    /// What to do to ourselves.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Action {
        /// SIGKILL: what a crash of the process is.
        Kill,
        /// SIGSTOP, until somebody sends SIGCONT.
        Stop,
    }

    /// What a test ordered.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Order {
        /// What happens.
        pub action: Action,
        /// Where.
        pub point: Point,
        /// Which time it is reached, 1 and up.
        pub time: u64,
    }

    impl FromStr for Order {
        type Err = String;

        fn from_str(text: &str) -> Result<Self, Self::Err> {
            let wrong = || format!("{ORDER}={text} is no order: kill@POINT, stop@POINT or kill@POINT#3");
            let (action, place) = text.split_once('@').ok_or_else(wrong)?;
            let action = match action {
                "kill" => Action::Kill,
                "stop" => Action::Stop,
                _ => return Err(wrong()),
            };
            let (name, time) = place.split_once('#').unwrap_or((place, "1"));
            let mut points = Point::ALL.into_iter().chain(Point::OF_A_ROTATION);
            let point = points.find(|point| point.name() == name).ok_or_else(wrong)?;
            let time = time.parse().ok().filter(|time| *time > 0).ok_or_else(wrong)?;
            Ok(Self { action, point, time })
        }
    }

    /// Each with how often its point was reached.
    static ORDERED: OnceLock<Vec<(Order, AtomicU64)>> = OnceLock::new();

    /// The program is at a point: goes on, unless a test ordered otherwise.
    ///
    /// # Panics
    /// On an order that cannot be read: a test that kills nothing must not pass.
    pub fn reach(point: Point) {
        let ordered = ORDERED.get_or_init(|| {
            let text = std::env::var(ORDER).unwrap_or_default();
            let orders = text.split(',').filter(|order| !order.is_empty());
            orders
                .map(|order| (order.parse().unwrap_or_else(|wrong: String| panic!("{wrong}")), AtomicU64::new(0)))
                .collect()
        });
        for (order, reached) in ordered.iter().filter(|(order, _)| order.point == point) {
            if reached.fetch_add(1, Ordering::SeqCst) + 1 == order.time {
                obey(order.action);
            }
        }
    }

    fn obey(action: Action) {
        let signal = if action == Action::Kill { Signal::KILL } else { Signal::STOP };
        let _ = kill_process(getpid(), signal);
        // The signal is for the whole process and may reach another thread first: this one does nothing meanwhile.
        match action {
            Action::Kill => loop {
                std::thread::park();
            },
            // Other tasks go on: a signal that was sent meanwhile is dealt with before this thread goes on.
            Action::Stop => tokio::task::block_in_place(|| {
                std::thread::sleep(PAUSE);
                // Stopped in the sleep before, and woken by whoever sent the signal.
                std::thread::sleep(PAUSE);
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Action, Order, Point};

    #[test]
    fn an_order_names_what_where_and_which_time() {
        let read = |text: &str| text.parse::<Order>();
        let order = |action, point, time| Ok(Order { action, point, time });
        assert_eq!(read("kill@renaming"), order(Action::Kill, Point::Renaming, 1));
        assert_eq!(read("stop@pins-saved#3"), order(Action::Stop, Point::PinsSaved, 3));
        for wrong in ["", "kill", "kill@", "kill@nowhere", "pause@renaming", "kill@renaming#0", "kill@renaming#x"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_point_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Point::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
        assert!(Point::ALL.is_sorted(), "in the order of a night");
    }
}
