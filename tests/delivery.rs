//! The delivery contract: the same for a real OpenSSH server and for a folder.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use emboss::delivery::{
    DeliveryError, FinalName, How, Outcome, Refusal, RenameOrder, RetryClass, Step, check, clean, look, rename, upload,
};
use support::house::{DEADLINE, House, Loses, Lossy, NAME, Sealed, order, publish, send, temporary};

/// Three blocks and a bit.
const LARGE: usize = 3 * BLOCK + 17;
/// What is handed over in one write.
const BLOCK: usize = 256 * 1024;

#[test]
fn a_sealed_file_arrives_whole_under_its_final_name() {
    let sealed = Sealed::of(LARGE);
    for house in House::of_every_kind() {
        let mut remote = house.connect();
        let mut seen = Vec::new();
        let part = temporary(1);
        let uploaded = upload(&mut *remote, &sealed.file, &part, &[], Duration::from_secs(60), &mut |sent| {
            seen.push(sent);
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!((uploaded.size_bytes, uploaded.size_seen, uploaded.mode_set), (LARGE as u64, true, true));
        assert_eq!(house.names(), [part.as_str()]);
        assert!(seen.is_sorted() && seen.len() == 4 && seen.last() == Some(&(LARGE as u64)), "{seen:?}");
        assert_eq!(look(&mut *remote, NAME).unwrap(), FinalName::Absent);
        let outcome = publish(&mut *remote, &sealed, 1);
        assert!(matches!(outcome, Outcome::Published { how: How::Acknowledged }), "{outcome:?}");
        assert_eq!(house.names(), [NAME]);
        let path = house.incoming.join(NAME);
        assert!(fs::read(&path).unwrap() == sealed.bytes);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }
}

#[test]
fn an_empty_sealed_file_arrives_too() {
    let sealed = Sealed::of(0);
    for house in House::of_every_kind() {
        let mut remote = house.uploaded(&sealed);
        assert!(matches!(publish(&mut *remote, &sealed, 1), Outcome::Published { .. }));
        assert_eq!(fs::read(house.incoming.join(NAME)).unwrap(), b"");
    }
}

#[test]
fn fault_4_a_new_attempt_removes_the_older_ones() {
    let sealed = Sealed::of(1000);
    for house in House::of_every_kind() {
        fs::write(house.incoming.join(temporary(1)), "half").unwrap();
        let mut remote = house.connect();
        assert_eq!(send(&mut *remote, &sealed, 3).unwrap().left_over, Vec::<String>::new());
        assert_eq!(house.names(), [temporary(3)]);
    }
}

#[test]
fn a_temporary_name_is_never_opened_twice() {
    let sealed = Sealed::of(1000);
    for house in House::of_every_kind() {
        fs::write(house.incoming.join(temporary(1)), "of another worker").unwrap();
        let error = send(&mut *house.connect(), &sealed, 1).unwrap_err();
        assert!(matches!(error, DeliveryError::Refused { step: Step::Create, .. }), "{error}");
        assert_eq!(error.retry_class(), RetryClass::Retry);
        assert_eq!(fs::read_to_string(house.incoming.join(temporary(1))).unwrap(), "of another worker");
    }
}

#[test]
fn r125_bytes_that_changed_in_the_spool_are_not_left_there() {
    let sealed = Sealed::of(1000);
    fs::write(sealed.file.path(), vec![7; 1000]).unwrap();
    for house in House::of_every_kind() {
        let error = send(&mut *house.connect(), &sealed, 1).unwrap_err();
        assert!(matches!(error, DeliveryError::Changed { .. }), "{error}");
        assert_eq!(error.retry_class(), RetryClass::PermanentTonight);
        assert_eq!(house.names(), Vec::<String>::new());
    }
}

#[test]
fn an_upload_past_its_deadline_is_cut_and_can_be_cleaned_over_a_new_connection() {
    let sealed = Sealed::of(1000);
    for house in House::of_every_kind() {
        let part = temporary(1);
        let error =
            upload(&mut *house.connect(), &sealed.file, &part, &[], Duration::ZERO, &mut |_| ControlFlow::Continue(()))
                .unwrap_err();
        assert!(matches!(error, DeliveryError::Deadline { .. }), "{error}");
        assert_eq!(house.names(), [part.as_str()]);
        assert_eq!(clean(&mut *house.connect(), &[part]).unwrap(), Vec::<String>::new());
        assert_eq!(house.names(), Vec::<String>::new());
    }
}

/// The write under way is handed over, no other is begun, and nothing is closed that a receiver could take for whole.
#[test]
fn fault_30_an_upload_that_is_told_to_stop_ends_behind_its_write() {
    let sealed = Sealed::of(LARGE);
    for house in House::of_every_kind() {
        let part = temporary(1);
        let mut writes = 0;
        let mut second_is_enough = |_| {
            writes += 1;
            if writes == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let error =
            upload(&mut *house.connect(), &sealed.file, &part, &[], DEADLINE, &mut second_is_enough).unwrap_err();
        assert!(matches!(error, DeliveryError::Stopped { .. }), "{error}");
        assert_eq!((writes, house.names()), (2, vec![part.clone()]));
        let size = fs::metadata(house.incoming.join(&part)).unwrap().len();
        assert!(size <= 2 * BLOCK as u64, "two writes of four: {size}");
    }
}

#[test]
fn fault_15_a_missing_folder_is_permanent_and_named() {
    let sealed = Sealed::of(1000);
    for house in House::of_every_kind() {
        fs::remove_dir(&house.incoming).unwrap();
        let mut remote = house.connect();
        let told = check(&mut *remote).unwrap_err();
        assert!(told.to_string().contains(&house.incoming.display().to_string()), "{told}");
        let error = send(&mut *remote, &sealed, 1).unwrap_err();
        let refused = matches!(error, DeliveryError::Refused { step: Step::Create, refusal: Refusal::NoSuchFile, .. });
        assert!(refused, "{error}");
        assert!(error.to_string().contains(&house.incoming.display().to_string()), "{error}");
        assert_eq!(error.retry_class(), RetryClass::PermanentTonight);
    }
}

#[test]
fn r137_a_final_name_that_is_taken_is_never_overwritten() {
    let sealed = Sealed::of(1000);
    for house in House::of_every_kind() {
        let mut remote = house.uploaded(&sealed);
        fs::write(house.incoming.join(NAME), "of somebody").unwrap();
        let outcome = publish(&mut *remote, &sealed, 1);
        assert!(matches!(outcome, Outcome::Uncertain(_)), "{outcome:?}");
        // Nor by a rename that was sent without looking.
        let error = remote.rename(&temporary(1), NAME).unwrap_err();
        assert!(matches!(error, DeliveryError::Refused { step: Step::Rename, .. }), "{error}");
        assert_eq!(fs::read_to_string(house.incoming.join(NAME)).unwrap(), "of somebody");
        assert_eq!(house.names(), [NAME.to_owned(), temporary(1)]);
        let outcome = publish(&mut *remote, &sealed, 2);
        assert!(matches!(outcome, Outcome::Uncertain(_)), "another length is not ours: {outcome:?}");
    }
}

#[test]
fn fault_6_a_lost_answer_is_found_out_by_the_next_attempt() {
    let sealed = Sealed::of(1000);
    for house in House::of_every_kind() {
        let mut lossy = Lossy { inner: house.uploaded(&sealed), loses: Loses::Answer };
        let outcome = publish(&mut lossy, &sealed, 1);
        assert!(matches!(outcome, Outcome::Unanswered(_)), "{outcome:?}");
        let outcome = publish(&mut *house.connect(), &sealed, 2);
        assert!(matches!(outcome, Outcome::Published { how: How::Found }), "{outcome:?}");
        assert_eq!(house.names(), [NAME]);
    }
}

#[test]
fn fault_5_a_lost_request_is_sent_again() {
    let sealed = Sealed::of(1000);
    for house in House::of_every_kind() {
        let mut lossy = Lossy { inner: house.uploaded(&sealed), loses: Loses::Request };
        assert!(matches!(publish(&mut lossy, &sealed, 1), Outcome::Unanswered(_)));
        let outcome = publish(&mut *house.connect(), &sealed, 2);
        assert!(matches!(outcome, Outcome::Published { how: How::Acknowledged }), "{outcome:?}");
        assert_eq!(house.names(), [NAME]);
    }
}

#[test]
fn fault_7_a_house_that_took_the_file_at_once_is_believed_only_on_a_persons_word() {
    let sealed = Sealed::of(1000);
    for house in House::of_every_kind() {
        let mut lossy = Lossy { inner: house.uploaded(&sealed), loses: Loses::Answer };
        assert!(matches!(publish(&mut lossy, &sealed, 1), Outcome::Unanswered(_)));
        fs::remove_file(house.incoming.join(NAME)).unwrap();
        let outcome = publish(&mut *house.connect(), &sealed, 2);
        assert!(matches!(outcome, Outcome::Uncertain(_)), "{outcome:?}");
        let elsewhere = RenameOrder { proves_publication: true, same_identity: false, ..order(&sealed, 2) };
        let outcome = rename(&mut *house.connect(), &elsewhere);
        assert!(matches!(outcome, Outcome::Uncertain(_)), "{outcome:?}");
        let trusted = RenameOrder { proves_publication: true, ..order(&sealed, 2) };
        let outcome = rename(&mut *house.connect(), &trusted);
        assert!(matches!(outcome, Outcome::Published { how: How::Proved }), "{outcome:?}");
        assert_eq!(house.names(), Vec::<String>::new());
    }
}

#[test]
fn a_temporary_file_that_was_swept_before_the_first_rename_is_sent_again() {
    let sealed = Sealed::of(1000);
    for house in House::of_every_kind() {
        let mut remote = house.uploaded(&sealed);
        fs::remove_file(house.incoming.join(temporary(1))).unwrap();
        let outcome = publish(&mut *remote, &sealed, 1);
        assert!(matches!(outcome, Outcome::SendAgain { .. }), "{outcome:?}");
    }
}

#[test]
fn a_missing_final_folder_keeps_the_file_ready_until_it_is_made() {
    let sealed = Sealed::of(1000);
    for mut house in House::of_every_kind() {
        let published = house.publish_in("published");
        let mut remote = house.uploaded(&sealed);
        for n in [1, 2] {
            let outcome = publish(&mut *remote, &sealed, n);
            let Outcome::StaysReady(error) = outcome else { panic!("{outcome:?}") };
            assert_eq!(error.retry_class(), RetryClass::PermanentTonight);
            assert!(error.to_string().contains(&published.display().to_string()), "{error}");
        }
        fs::create_dir(&published).unwrap();
        assert!(matches!(publish(&mut *remote, &sealed, 3), Outcome::Published { how: How::Acknowledged }));
        assert!(fs::read(published.join(NAME)).unwrap() == sealed.bytes);
    }
}

#[test]
fn a_left_over_temporary_file_of_a_published_one_is_removed() {
    let sealed = Sealed::of(1000);
    for house in House::of_every_kind() {
        let mut remote = house.uploaded(&sealed);
        fs::copy(house.incoming.join(temporary(1)), house.incoming.join(NAME)).unwrap();
        let outcome = publish(&mut *remote, &sealed, 2);
        assert!(matches!(outcome, Outcome::Published { how: How::Found }), "{outcome:?}");
        assert_eq!(house.names(), [NAME]);
    }
}

#[test]
fn checking_tells_where_we_are_and_leaves_nothing() {
    for mut house in House::of_every_kind() {
        let published = house.publish_in("published");
        fs::create_dir(&published).unwrap();
        let link = house.incoming.with_file_name("link");
        std::os::unix::fs::symlink(&published, &link).unwrap();
        let mut remote = house.connect();
        let checked = check(&mut *remote).unwrap();
        assert!(checked.can_stat);
        assert_eq!(checked.identity.directory, fs::canonicalize(&published).unwrap().display().to_string());
        assert_eq!(
            checked.identity.temporary_directory,
            fs::canonicalize(&house.incoming).unwrap().display().to_string()
        );
        // The same folder by another path is the same place.
        house.publish_in("link");
        assert_eq!(house.connect().identity(), &checked.identity);
        assert_eq!(house.names(), Vec::<String>::new());
    }
}
