//! What only a network does: host keys, authentication, denied requests, full disks and broken lines.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::net::TcpListener;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use emboss::delivery::settings::{DestinationSettings, SftpSettings};
use emboss::delivery::{
    DeliveryError, DestinationSecrets, How, Outcome, Refusal, RetryClass, Step, check, clean, connect, upload,
};
use support::house::{House, Loses, Lossy, NAME, Sealed, publish, send, temporary};
use support::proxy::{Break, Line, Proxy};
use support::sshd::{Options, Sshd, WRITE_ONLY, free_port};

fn refused(settings: SftpSettings, secrets: &DestinationSecrets) -> DeliveryError {
    connect(&DestinationSettings::Sftp(settings), secrets).unwrap_err()
}

#[test]
fn fault_18_a_changed_host_key_stops_the_destination_and_shows_both() {
    let (pinned, changed) = (Sshd::start(), Sshd::start());
    let settings = SftpSettings { host_keys: vec![pinned.fingerprint("ed25519")], ..changed.settings() };
    let error = refused(settings, &changed.secrets());
    assert!(matches!(error, DeliveryError::HostKey { .. }), "{error}");
    assert_eq!(error.retry_class(), RetryClass::StopDestination);
    let text = error.to_string();
    assert!(text.contains(&pinned.fingerprint("ed25519")) && text.contains(&changed.fingerprint("ed25519")), "{text}");
    assert!(!changed.log().contains("Accepted"), "nothing was offered: {}", changed.log());
}

#[test]
fn fault_18_no_pin_is_no_trust() {
    let sshd = Sshd::start();
    let error = refused(SftpSettings { host_keys: Vec::new(), ..sshd.settings() }, &sshd.secrets());
    assert!(matches!(error, DeliveryError::HostKey { .. }), "{error}");
}

#[test]
fn fault_18_two_pins_let_a_host_key_rotate() {
    let (old, new) = (Sshd::start(), Sshd::start());
    let host_keys = vec![old.fingerprint("ed25519"), new.fingerprint("ed25519")];
    for sshd in [&old, &new] {
        let settings = SftpSettings { host_keys: host_keys.clone(), ..sshd.settings() };
        let remote = connect(&DestinationSettings::Sftp(settings), &sshd.secrets()).unwrap();
        assert_eq!(remote.identity().host_key, sshd.fingerprint("ed25519"));
    }
}

#[test]
fn a_pin_of_any_kind_of_host_key_is_found_on_a_server_with_all_kinds() {
    let kinds = ["ed25519", "ecdsa", "rsa"];
    let sshd = Sshd::with(Options { host_keys: kinds.to_vec(), ..Options::default() });
    for kind in kinds {
        let settings = SftpSettings { host_keys: vec![sshd.fingerprint(kind)], ..sshd.settings() };
        let remote = connect(&DestinationSettings::Sftp(settings), &sshd.secrets()).unwrap();
        assert_eq!(remote.identity().host_key, sshd.fingerprint(kind));
    }
    let stranger = Sshd::start().fingerprint("ed25519");
    let error = refused(SftpSettings { host_keys: vec![stranger], ..sshd.settings() }, &sshd.secrets());
    for kind in kinds {
        assert!(error.to_string().contains(&sshd.fingerprint(kind)), "{error}");
    }
}

#[test]
fn fault_19_a_refused_key_is_tried_once() {
    let sshd = Sshd::start();
    let secrets = DestinationSecrets { private_key: sshd.key("stranger", "ed25519", "").into(), passphrase: None };
    let error = refused(sshd.settings(), &secrets);
    assert!(matches!(error, DeliveryError::Authentication { .. }), "{error}");
    assert_eq!(error.retry_class(), RetryClass::StopDestination);
    assert_eq!(sshd.log().matches("Failed publickey for").count(), 1, "{}", sshd.log());
}

#[test]
fn user_keys_may_be_of_any_kind_and_locked() {
    let sshd = Sshd::start();
    for kind in ["ed25519", "ecdsa", "rsa"] {
        for passphrase in ["", "correct horse"] {
            let private_key = sshd.admit(&format!("{kind}{}", passphrase.len()), kind, passphrase);
            let passphrase = (!passphrase.is_empty()).then(|| passphrase.to_owned().into());
            let secrets = DestinationSecrets { private_key: private_key.into(), passphrase };
            connect(&sshd.destination(), &secrets).unwrap_or_else(|error| panic!("{kind}: {error}"));
        }
    }
}

#[test]
fn a_wrong_passphrase_is_our_fault_and_never_reaches_the_house_as_a_failure() {
    let sshd = Sshd::start();
    let private_key = sshd.admit("locked", "ed25519", "correct horse");
    for passphrase in [None, Some("wrong".to_owned().into())] {
        let secrets = DestinationSecrets { private_key: private_key.clone().into(), passphrase };
        let error = refused(sshd.settings(), &secrets);
        assert!(matches!(error, DeliveryError::PrivateKey { .. }), "{error}");
        assert_eq!(error.retry_class(), RetryClass::StopDestination);
    }
    assert!(!sshd.log().contains("Failed publickey"), "{}", sshd.log());
}

#[test]
fn fault_13_nobody_there_is_tried_again() {
    let sshd = Sshd::start();
    let error = refused(SftpSettings { port: free_port(), ..sshd.settings() }, &sshd.secrets());
    assert!(matches!(error, DeliveryError::Lost { step: Step::Connect, .. }), "{error}");
    assert_eq!(error.retry_class(), RetryClass::Retry);
}

#[test]
fn fault_13_a_server_that_says_nothing_is_left_after_the_connect_timeout() {
    let sshd = Sshd::start();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let started = Instant::now();
    let error = refused(SftpSettings { port, connect_timeout_s: 1, ..sshd.settings() }, &sshd.secrets());
    assert!(matches!(error, DeliveryError::Lost { step: Step::Negotiate, .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
}

/// A house behind a line that breaks after 3 MiB.
fn behind(then: Break) -> (House, House) {
    let house = House::sftp(Options::default());
    let sshd = house.sshd.as_ref().unwrap();
    let proxy = Proxy::to(sshd.port(), 3 * 1024 * 1024, then);
    let settings = SftpSettings { port: proxy.port(), inactivity_timeout_s: 1, ..sshd.settings() };
    let broken = House { settings: DestinationSettings::Sftp(settings), ..house.seen_again() };
    (house, broken)
}

#[test]
fn fault_12_and_17_an_upload_that_is_reset_leaves_a_part_that_the_next_attempt_removes() {
    let sealed = Sealed::of(9 * 1024 * 1024);
    let (house, broken) = behind(Break::Reset);
    let error = send(&mut *broken.connect(), &sealed, 1).unwrap_err();
    assert!(matches!(error, DeliveryError::Lost { step: Step::Write, .. }), "{error}");
    assert_eq!(error.retry_class(), RetryClass::Retry);
    assert_eq!(house.names(), [temporary(1)]);
    let mut remote = house.connect();
    send(&mut *remote, &sealed, 2).unwrap();
    assert_eq!(house.names(), [temporary(2)]);
    assert!(std::fs::read(house.incoming.join(temporary(2))).unwrap() == sealed.bytes);
}

#[test]
fn fault_13_a_line_that_falls_silent_is_left_after_the_inactivity_timeout_and_dropped_at_once() {
    let sealed = Sealed::of(9 * 1024 * 1024);
    let (_house, broken) = behind(Break::Silence);
    let mut remote = broken.connect();
    let started = Instant::now();
    let error = send(&mut *remote, &sealed, 1).unwrap_err();
    assert!(matches!(error, DeliveryError::Lost { step: Step::Write, .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    let dropped = Instant::now();
    drop(remote);
    assert!(dropped.elapsed() < Duration::from_millis(900), "no timeout is waited for: {:?}", dropped.elapsed());
}

#[test]
fn fault_13_a_file_that_takes_too_long_is_left_in_the_middle_of_a_write() {
    let sealed = Sealed::of(9 * 1024 * 1024);
    let house = House::sftp(Options { tells: true, ..Options::default() });
    // The first write alone, of 4 MiB, would take 12 s; bytes move all the time.
    let slow = Line::slow(Duration::ZERO, Duration::from_millis(100));
    let proxy = Proxy::over(house.sshd.as_ref().unwrap().port(), slow);
    let settings = SftpSettings { port: proxy.port(), ..house.sshd.as_ref().unwrap().settings() };
    let slow = House { settings: DestinationSettings::Sftp(settings), ..house.seen_again() };
    let (part, mut seen) = (temporary(1), Vec::new());
    let deadline = Duration::from_secs(2);
    let sent = upload(&mut *slow.connect(), &sealed.file, &part, &[], deadline, &mut |done| {
        seen.push(done);
        ControlFlow::Continue(())
    });
    let error = sent.unwrap_err();
    assert!(matches!(error, DeliveryError::Deadline { deadline_s: 2, .. }), "{error}");
    assert_eq!((error.retry_class(), seen), (RetryClass::Retry, vec![]));
    // Fault 17: the line is whole, and a CLOSE would make half a file a whole one.
    let told = house.sshd.as_ref().unwrap().told_until("forced close ");
    assert!(!told.iter().any(|line| line.starts_with("close ")), "{told:?}");
}

#[test]
fn fault_14_a_full_disk_is_permanent_and_its_part_is_removed_over_a_new_connection() {
    let sealed = Sealed::of(9 * 1024 * 1024);
    let house = House::sftp(Options { file_limit_kib: Some(2048), ..Options::default() });
    let error = send(&mut *house.connect(), &sealed, 1).unwrap_err();
    assert!(matches!(error, DeliveryError::Refused { step: Step::Write, .. }), "{error}");
    assert_eq!(error.retry_class(), RetryClass::PermanentTonight);
    clean(&mut *house.connect(), &[temporary(1)]).unwrap();
    assert_eq!(house.names(), Vec::<String>::new());
}

#[test]
fn fault_15_a_denied_create_is_permanent_and_named() {
    let house = House::sftp(Options { sftp: "-R", ..Options::default() });
    let error = send(&mut *house.connect(), &Sealed::of(10), 1).unwrap_err();
    let denied = matches!(error, DeliveryError::Refused { step: Step::Create, refusal: Refusal::PermissionDenied, .. });
    assert!(denied, "{error}");
    assert_eq!(error.retry_class(), RetryClass::PermanentTonight);
    assert!(error.to_string().contains(&house.incoming.join(temporary(1)).display().to_string()), "{error}");
}

#[test]
fn fault_16_a_write_only_drop_box_takes_the_file() {
    let sealed = Sealed::of(5 * 1024 * 1024);
    let house = House::sftp(Options { sftp: WRITE_ONLY, ..Options::default() });
    let mut remote = house.connect();
    assert!(!check(&mut *remote).unwrap().can_stat);
    let uploaded = send(&mut *remote, &sealed, 1).unwrap();
    assert_eq!((uploaded.size_seen, uploaded.mode_set), (false, false));
    let outcome = publish(&mut *remote, &sealed, 1);
    assert!(matches!(outcome, Outcome::Published { how: How::Acknowledged }), "{outcome:?}");
    assert!(std::fs::read(house.incoming.join(NAME)).unwrap() == sealed.bytes);
}

#[test]
fn fault_6_on_a_write_only_drop_box_a_lost_answer_needs_a_person() {
    let sealed = Sealed::of(1000);
    let house = House::sftp(Options { sftp: WRITE_ONLY, ..Options::default() });
    let mut lossy = Lossy { inner: house.uploaded(&sealed), loses: Loses::Answer };
    assert!(matches!(publish(&mut lossy, &sealed, 1), Outcome::Unanswered(_)));
    let outcome = publish(&mut *house.connect(), &sealed, 2);
    assert!(matches!(outcome, Outcome::Uncertain(_)), "{outcome:?}");
    assert_eq!(house.names(), [NAME]);
}

#[test]
fn fault_5_on_a_write_only_drop_box_a_lost_request_is_sent_again() {
    let sealed = Sealed::of(1000);
    let house = House::sftp(Options { sftp: WRITE_ONLY, ..Options::default() });
    let mut lossy = Lossy { inner: house.uploaded(&sealed), loses: Loses::Request };
    assert!(matches!(publish(&mut lossy, &sealed, 1), Outcome::Unanswered(_)));
    let outcome = publish(&mut *house.connect(), &sealed, 2);
    assert!(matches!(outcome, Outcome::Published { how: How::Acknowledged }), "{outcome:?}");
}

#[test]
fn fault_19_an_unknown_user_is_refused_like_a_wrong_key() {
    let sshd = Sshd::start();
    let house = SftpSettings { user: "nobody-of-that-name".to_owned(), ..sshd.settings() };
    let error = refused(house, &sshd.secrets());
    assert!(matches!(error, DeliveryError::Authentication { .. }), "{error}");
}
