//! Each key for its own usage and within its window, to the second.

use chrono::TimeDelta;
use zeroize::Zeroizing;

use super::*;
use crate::vault::KeyWindow;
use crate::vault::tr31::OpenedBlock;

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn ring() -> KeyRing {
    let window = KeyWindow {
        not_before: Some(instant("2026-01-01T00:00:00Z")),
        not_after: Some(instant("2029-01-01T00:00:00Z")),
        retire_at: None,
    };
    let cvk = KeyWindow { retire_at: Some(instant("2033-01-01T00:00:00Z")), ..window };
    let mut ring = KeyRing::default();
    let keys = [("cvk-1", "C0", 'T', 'C', 16, cvk), ("pvk-1", "V2", 'T', 'C', 16, KeyWindow::default())];
    let keys = keys.into_iter().chain([("zpk-1", "P0", 'T', 'E', 16, window), ("zpk-2", "P0", 'A', 'D', 16, window)]);
    let keys = keys.chain([("dek-1", "D0", 'A', 'B', 32, window), ("pin-1", "D0", 'A', 'B', 16, window)]);
    for (id, usage, algorithm, mode, length, window) in keys.chain([("pix-1", "M7", 'H', 'C', 32, window)]) {
        let key = Zeroizing::new((1..=length).map(|byte| byte * 3).collect());
        let block = OpenedBlock { usage: usage.to_owned(), algorithm, mode, exportability: 'N', hash: None, key };
        assert!(ring.add(Key::admit(id, &block, window).unwrap()));
    }
    ring
}

#[test]
fn a_key_is_refused_for_every_other_usage() {
    let ring = ring();
    let at = instant("2027-01-01T00:00:00Z");
    for (id, own) in [("cvk-1", "C0"), ("pvk-1", "V2"), ("zpk-1", "P0"), ("dek-1", "D0"), ("pix-1", "M7")] {
        for usage in KeyUsage::ALL {
            let live = ring.live(id, *usage, at);
            assert_eq!(live.is_ok(), usage.as_str() == own, "{id} as {usage}");
        }
        let used = [ring.cvk(id).is_ok(), ring.pvk(id).is_ok(), ring.zpk_tdes(id, ZoneUse::Encrypt).is_ok()];
        assert_eq!(used, ["C0", "V2", "P0"].map(|usage| usage == own), "{id}");
        let used = [ring.data(id).is_ok(), ring.pin_storage(id).is_ok(), ring.index(id).is_ok()];
        assert_eq!(used, ["D0", "D0", "M7"].map(|usage| usage == own), "{id}");
    }
    assert_eq!(ring.live("cvk-9", KeyUsage::Hmac, at).unwrap_err(), KeyError::Unknown { id: "cvk-9".to_owned() });
}

#[test]
fn algorithm_and_mode_are_checked_too() {
    let ring = ring();
    assert!(matches!(ring.zpk_aes("zpk-1", ZoneUse::Encrypt), Err(KeyError::WrongAlgorithm { .. })));
    assert!(matches!(ring.zpk_tdes("zpk-2", ZoneUse::Decrypt), Err(KeyError::WrongAlgorithm { .. })));
    assert!(matches!(ring.data("pin-1"), Err(KeyError::WrongAlgorithm { .. })));
    assert!(ring.pin_storage("pin-1").is_ok());
    assert!(matches!(ring.zpk_tdes("zpk-1", ZoneUse::Decrypt), Err(KeyError::Mode { .. })));
    assert!(matches!(ring.zpk_aes("zpk-2", ZoneUse::Encrypt), Err(KeyError::Mode { .. })));
    assert!(ring.zpk_tdes("zpk-1", ZoneUse::Compare).is_ok());
    assert!(ring.zpk_aes("zpk-2", ZoneUse::Compare).is_ok());
}

#[test]
fn the_window_is_kept_to_the_second() {
    let ring = ring();
    let (from, until) = (instant("2026-01-01T00:00:00Z"), instant("2029-01-01T00:00:00Z"));
    let second = TimeDelta::seconds(1);
    let live = |at| ring.live("zpk-1", KeyUsage::PinEncryption, at);
    assert_eq!(live(from - second).unwrap_err(), KeyError::TooEarly { id: "zpk-1".to_owned(), from });
    assert!(live(from).is_ok());
    assert!(live(until).is_ok());
    assert_eq!(live(until + second).unwrap_err(), KeyError::Ended { id: "zpk-1".to_owned(), until });
    assert!(ring.live("pvk-1", KeyUsage::PinVerification, instant("1999-01-01T00:00:00Z")).is_ok());
}

#[test]
fn the_end_of_a_cvk_ends_new_cards_only_and_its_retirement_ends_reissues() {
    let ring = ring();
    let (until, retired) = (instant("2029-01-01T00:00:00Z"), instant("2033-01-01T00:00:00Z"));
    let second = TimeDelta::seconds(1);
    let cvk = |wanted, at| ring.live_cvk("cvk-1", wanted, at).map(|_| ());
    assert_eq!(cvk(CvkUse::New, until), Ok(()));
    assert_eq!(cvk(CvkUse::New, until + second), Err(KeyError::Ended { id: "cvk-1".to_owned(), until }));
    assert_eq!(cvk(CvkUse::Reissue, until + second), Ok(()));
    assert_eq!(cvk(CvkUse::Reissue, retired), Ok(()));
    let end = KeyError::Retired { id: "cvk-1".to_owned(), until: retired };
    assert_eq!(cvk(CvkUse::Reissue, retired + second), Err(end.clone()));
    assert_eq!(cvk(CvkUse::New, retired + second), Err(end));
    let early = instant("2025-12-31T23:59:59Z");
    assert!(matches!(cvk(CvkUse::Reissue, early), Err(KeyError::TooEarly { .. })));
    assert!(matches!(ring.live_cvk("pvk-1", CvkUse::Reissue, until), Err(KeyError::WrongUsage { .. })));
}

#[test]
fn an_id_is_there_once() {
    let mut ring = ring();
    let again = Zeroizing::new((1..=16).collect());
    let block =
        OpenedBlock { usage: "C0".to_owned(), algorithm: 'T', mode: 'C', exportability: 'N', hash: None, key: again };
    assert!(!ring.add(Key::admit("pvk-1", &block, KeyWindow::default()).unwrap()));
    assert_eq!(ring.info("pvk-1").unwrap().usage, KeyUsage::PinVerification);
    assert_eq!(ring.infos().count(), 7);
}

/// A ring of TDES zone PIN keys with these windows.
fn zone_ring(windows: &[(&str, Option<&str>, Option<&str>)]) -> KeyRing {
    let mut ring = KeyRing::default();
    for (number, (id, from, until)) in windows.iter().enumerate() {
        let key = Zeroizing::new((1..=16).map(|byte| byte * 5 + number as u8).collect());
        let (usage, algorithm) = ("P0".to_owned(), 'T');
        let block = OpenedBlock { usage, algorithm, mode: 'E', exportability: 'N', hash: None, key };
        let window = KeyWindow { not_before: from.map(instant), not_after: until.map(instant), retire_at: None };
        assert!(ring.add(Key::admit(id, &block, window).unwrap()));
    }
    ring
}

fn ids(list: &[&str]) -> Vec<String> {
    list.iter().map(|id| (*id).to_owned()).collect()
}

fn chosen<'a>(ring: &'a KeyRing, list: &[&str], at: &str) -> Option<&'a str> {
    ring.zone_key(&ids(list), instant(at)).map(|key| key.id.as_str())
}

/// The old key until the last second of 2026-12-31, the new one from 2026-12-01: from then on the new one is used,
/// whichever stands first.
#[test]
fn of_the_zone_keys_in_force_the_one_that_began_last_is_used() {
    let ring = zone_ring(&[("old", None, Some("2026-12-31T23:59:59Z")), ("new", Some("2026-12-01T00:00:00Z"), None)]);
    for list in [["old", "new"], ["new", "old"]] {
        assert_eq!(chosen(&ring, &list, "2026-11-30T23:59:59Z"), Some("old"));
        assert_eq!(chosen(&ring, &list, "2026-12-01T00:00:00Z"), Some("new"));
        assert_eq!(chosen(&ring, &list, "2026-12-01T00:00:01Z"), Some("new"));
        assert_eq!(chosen(&ring, &list, "2027-01-01T00:00:00Z"), Some("new"));
        let usable = |at| ring.zone_keys(&ids(&list), instant(at)).iter().map(|key| &*key.id).collect::<Vec<_>>();
        assert_eq!(usable("2026-11-30T23:59:59Z"), ["old"]);
        assert_eq!(usable("2026-12-01T00:00:00Z"), list, "in the order of the list");
        assert_eq!(usable("2026-12-31T23:59:59Z"), list);
        assert_eq!(usable("2027-01-01T00:00:00Z"), ["new"]);
    }
}

#[test]
fn the_old_zone_key_serves_up_to_its_last_second_and_a_gap_has_no_key() {
    let ring = zone_ring(&[
        ("old", Some("2026-01-01T00:00:00Z"), Some("2026-12-01T00:00:00Z")),
        ("new", Some("2026-12-01T00:00:02Z"), None),
    ]);
    let list = ["old", "new"];
    assert_eq!(chosen(&ring, &list, "2025-12-31T23:59:59Z"), None);
    assert_eq!(chosen(&ring, &list, "2026-01-01T00:00:00Z"), Some("old"));
    assert_eq!(chosen(&ring, &list, "2026-12-01T00:00:00Z"), Some("old"));
    assert_eq!(chosen(&ring, &list, "2026-12-01T00:00:01Z"), None);
    assert_eq!(chosen(&ring, &list, "2026-12-01T00:00:02Z"), Some("new"));
}

#[test]
fn zone_keys_without_a_beginning_are_used_in_the_order_of_the_list() {
    let same = Some("2026-01-01T00:00:00Z");
    let ring = zone_ring(&[("a", None, None), ("b", None, None), ("c", same, None), ("d", same, None)]);
    let at = "2026-06-01T00:00:00Z";
    assert_eq!(chosen(&ring, &["a", "b"], at), Some("a"));
    assert_eq!(chosen(&ring, &["b", "a"], at), Some("b"));
    assert_eq!(chosen(&ring, &["d", "c"], at), Some("d"));
    assert_eq!(chosen(&ring, &["a", "c"], at), Some("c"), "one that began is newer than one that was always there");
    assert_eq!(chosen(&ring, &["gone", "b"], at), Some("b"));
    assert_eq!(chosen(&ring, &[], at), None);
}

#[test]
fn a_key_that_may_not_encrypt_makes_no_block_for_a_house() {
    let ring = ring();
    let at = "2027-01-01T00:00:00Z";
    assert_eq!(chosen(&ring, &["zpk-2", "zpk-1"], at), Some("zpk-1"), "zpk-2 may only decrypt");
    assert_eq!(chosen(&ring, &["zpk-2"], at), None);
    assert_eq!(chosen(&ring, &["cvk-1"], at), None);
    assert!(matches!(ring.encrypts_for_house("zpk-2"), Err(KeyError::Mode { .. })));
}

/// Both ends belong to the window; a CVK has ended for new cards before it retires.
#[test]
fn the_state_of_a_key_is_that_of_its_window() {
    let window = KeyWindow {
        not_before: Some(instant("2026-01-01T00:00:00Z")),
        not_after: Some(instant("2029-01-01T00:00:00Z")),
        retire_at: Some(instant("2033-01-01T00:00:00Z")),
    };
    for (at, state) in [
        ("2025-12-31T23:59:59Z", "NOT_YET"),
        ("2026-01-01T00:00:00Z", "IN_FORCE"),
        ("2029-01-01T00:00:00Z", "IN_FORCE"),
        ("2029-01-01T00:00:01Z", "ENDED"),
        ("2033-01-01T00:00:00Z", "ENDED"),
        ("2033-01-01T00:00:01Z", "RETIRED"),
    ] {
        assert_eq!(window.state(instant(at)).as_str(), state, "{at}");
    }
    assert_eq!(KeyWindow::default().state(instant("1999-01-01T00:00:00Z")).as_str(), "IN_FORCE");
}
