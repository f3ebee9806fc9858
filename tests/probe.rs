//! What a probe finds out at real servers and folders, and that it leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;

use emboss::delivery::probe::{Answers, Reply, is_prefix};
use emboss::delivery::settings::View;
use emboss::delivery::{DeliveryError, Refusal, Remote, Step};
use support::house::{House, Loses, Lossy, TEST_NAMES};
use support::sshd::{Options, WRITE_ONLY};

const GONE: Reply = Reply::Refused(Refusal::NoSuchFile);
const DENIED: Reply = Reply::Refused(Refusal::PermissionDenied);

fn as_it_is(_: View, remote: Box<dyn Remote>) -> Box<dyn Remote> {
    remote
}

/// Every connection renames in this way.
fn losing(loses: Loses) -> impl FnMut(View, Box<dyn Remote>) -> Box<dyn Remote> {
    move |_, inner| Box::new(Lossy { inner, loses })
}

/// What a server that behaves answers; OpenSSH and folders differ only in how they refuse a taken name.
fn check_well_behaved(answers: &Answers, taken: Refusal) {
    assert!(answers.sees_final_folder && answers.sees_temporary_folder && answers.sees_files);
    assert!(answers.creates_exclusively);
    assert_eq!((answers.sets_mode, answers.mode.as_deref()), (Reply::Done, Some("0640")));
    assert_eq!((answers.renames_across, answers.renames_vanished), (Reply::Done, Some(GONE)));
    assert_eq!(answers.renames_onto_taken, Reply::Refused(taken));
    assert_eq!((answers.removes_temporary, answers.removes_final), (Some(Reply::Done), Some(Reply::Done)));
    assert!(answers.free_bytes.is_some_and(|bytes| bytes > 0), "{answers:?}");
    assert_eq!(answers.against_proof(), [""; 0]);
}

#[test]
fn r137_a_probe_finds_out_what_rename_does_and_leaves_nothing() {
    // OpenSSH says no more than "failure"; a folder says why.
    for (house, taken) in House::of_every_kind().into_iter().zip([Refusal::Failure, Refusal::AlreadyExists]) {
        let probed = house.probe(as_it_is);
        check_well_behaved(&probed.answers.unwrap(), taken);
        assert_eq!(probed.identity.as_ref(), Some(house.connect().identity()));
        assert_eq!((house.names(), probed.left_over), (vec![], vec![]));
    }
}

#[test]
fn a_probe_uses_only_the_agreed_names_and_both_folders() {
    for mut house in House::of_every_kind() {
        let published = house.publish_in("published");
        fs::create_dir(&published).unwrap();
        let (temporary, final_folder) = (house.incoming.clone(), published.clone());
        let mut seen = Vec::new();
        let probed = house.probe(|view, remote| {
            for folder in [&temporary, &final_folder] {
                seen.extend(fs::read_dir(folder).unwrap().map(|entry| (view, entry.unwrap().path())));
            }
            remote
        });
        assert_eq!(probed.answers.unwrap().renames_across, Reply::Done);
        // Connections are made as configured, in the temporary folder, there again to remove, and in the final one.
        let expected = [
            (View::TemporaryFolder, published.join(format!("{TEST_NAMES}.1"))),
            (View::TemporaryFolder, temporary.join(format!("{TEST_NAMES}.2.part"))),
            (View::TemporaryFolder, temporary.join(format!("{TEST_NAMES}.3.part"))),
            (View::TemporaryFolder, published.join(format!("{TEST_NAMES}.1"))),
            (View::FinalFolder, published.join(format!("{TEST_NAMES}.1"))),
        ];
        seen.sort_by_key(|(view, path)| (*view == View::FinalFolder, path.clone()));
        let mut expected = expected.to_vec();
        expected.sort_by_key(|(view, path)| (*view == View::FinalFolder, path.clone()));
        assert_eq!(seen, expected);
        assert_eq!((fs::read_dir(&temporary).unwrap().count(), fs::read_dir(&published).unwrap().count()), (0, 0));
    }
}

#[test]
fn r137_a_house_that_overwrites_is_found_out() {
    let house = House::directory();
    let probed = house.probe(losing(Loses::TakenName));
    let answers = probed.answers.unwrap();
    assert_eq!((answers.renames_onto_taken, answers.renames_vanished), (Reply::Done, Some(GONE)));
    assert_eq!((house.names(), probed.left_over), (vec![], vec![]));
}

#[test]
fn r137_a_house_that_says_yes_to_everything_proves_nothing() {
    let house = House::directory();
    let answers = house.probe(losing(Loses::Refusal)).answers.unwrap();
    assert_eq!(answers.renames_vanished, Some(Reply::Done));
    assert_eq!(answers.against_proof(), ["the server says yes to the rename of a file that is gone"]);
    assert_eq!(house.names(), Vec::<String>::new());
}

#[test]
fn fault_16_a_write_only_drop_box_is_probed_as_far_as_it_lets_us() {
    let house = House::sftp(Options { sftp: WRITE_ONLY, ..Options::default() });
    let probed = house.probe(as_it_is);
    let answers = probed.answers.unwrap();
    assert!(!(answers.sees_final_folder || answers.sees_temporary_folder || answers.sees_files));
    assert_eq!((answers.sets_mode, &answers.mode), (DENIED, &None));
    assert_eq!((answers.renames_across, answers.renames_vanished), (Reply::Done, Some(GONE)));
    assert_eq!(answers.renames_onto_taken, Reply::Refused(Refusal::Failure));
    let against = answers.against_proof();
    assert_eq!(against, ["the server does not show its folders, without which nothing is believed"]);
    assert_eq!((house.names(), probed.left_over), (vec![], vec![]));
}

#[test]
fn what_a_probe_may_not_remove_is_told() {
    let house = House::sftp(Options { sftp: "-P remove", ..Options::default() });
    let probed = house.probe(as_it_is);
    let answers = probed.answers.unwrap();
    assert_eq!((answers.removes_temporary, answers.removes_final), (Some(DENIED), Some(DENIED)));
    let left: Vec<String> = house.names().iter().map(|name| house.incoming.join(name).display().to_string()).collect();
    let mut told = probed.left_over;
    told.sort();
    assert_eq!((told.len(), &told), (3, &left));
}

#[test]
fn a_house_that_takes_the_test_file_or_sweeps_is_found_out() {
    let house = House::directory();
    let folder = house.incoming.clone();
    let sweep = |ending: &'static str| {
        let folder = folder.clone();
        move |view: View, remote: Box<dyn Remote>| {
            if view != View::Configured {
                for entry in fs::read_dir(&folder).unwrap() {
                    let path = entry.unwrap().path();
                    if path.display().to_string().ends_with(ending) {
                        fs::remove_file(path).unwrap();
                    }
                }
            }
            remote
        }
    };
    let answers = house.probe(sweep(".1")).answers.unwrap();
    assert_eq!((answers.removes_final, answers.removes_temporary), (Some(GONE), Some(Reply::Done)));
    assert_eq!(answers.against_proof(), [""; 0], "that is what houses do");
    let answers = house.probe(sweep(".part")).answers.unwrap();
    assert_eq!((answers.removes_final, answers.removes_temporary), (Some(Reply::Done), Some(GONE)));
    assert_eq!(answers.against_proof(), ["somebody removed a temporary file of ours within the probe"]);
}

#[test]
fn a_rename_that_is_denied_is_told_and_the_probe_goes_on() {
    let house = House::sftp(Options { sftp: "-P rename", ..Options::default() });
    let probed = house.probe(as_it_is);
    let answers = probed.answers.unwrap();
    assert_eq!((answers.renames_across, answers.renames_vanished), (DENIED, None));
    assert_eq!((answers.removes_temporary, answers.removes_final), (Some(Reply::Done), None));
    assert_eq!(answers.against_proof(), ["the server does not rename into the final folder"]);
    assert_eq!((house.names(), probed.left_over), (vec![], vec![]));
}

#[test]
fn names_of_somebody_else_stop_a_probe_and_stay() {
    for name in ["agreed-test.1", "agreed-test.2", "agreed-test.1.part", "agreed-test.3.part"] {
        for house in House::of_every_kind() {
            fs::write(house.incoming.join(name), "of somebody").unwrap();
            let error = house.probe(as_it_is).answers.unwrap_err();
            assert!(matches!(error, DeliveryError::Refused { step: Step::Create, .. }), "{error}");
            assert!(error.to_string().contains(name), "{error}");
            assert_eq!(fs::read_to_string(house.incoming.join(name)).unwrap(), "of somebody");
            assert_eq!(house.names(), [name]);
        }
    }
}

#[test]
fn a_probe_whose_line_breaks_removes_what_it_wrote_over_a_new_connection() {
    let house = House::sftp(Options::default());
    let mut later = 0;
    let probed = house.probe(|view, inner| match view {
        View::Configured => Box::new(Lossy { inner, loses: Loses::Request }),
        View::TemporaryFolder | View::FinalFolder => {
            later += 1;
            inner
        }
    });
    let error = probed.answers.unwrap_err();
    assert!(matches!(error, DeliveryError::Lost { step: Step::Rename, .. }), "{error}");
    assert_eq!((later, house.names()), (1, vec![]));
    // Whether the rename was done nobody knows.
    assert_eq!(probed.left_over, [house.incoming.join("agreed-test.1").display().to_string()]);
}

#[test]
fn a_house_that_does_not_answer_is_told() {
    let house = House::sftp(Options::default());
    let mut gone = house.seen_again();
    if let emboss::delivery::settings::DestinationSettings::Sftp(sftp) = &mut gone.settings {
        sftp.port = support::sshd::free_port();
    }
    let probed = gone.probe(as_it_is);
    assert!(matches!(probed.answers, Err(DeliveryError::Lost { step: Step::Connect, .. })));
    assert!(probed.identity.is_none() && probed.left_over.is_empty());
}

#[test]
fn answers_are_kept_as_they_were() {
    let house = House::directory();
    let answers = house.probe(as_it_is).answers.unwrap();
    let text = serde_json::to_string(&answers).unwrap();
    assert!(text.contains(r#""renamesOntoTaken":{"refused":"already_exists"},"#), "{text}");
    assert!(text.contains(r#""renamesAcross":"done","#), "{text}");
    assert_eq!(serde_json::from_str::<Answers>(&text).unwrap(), answers);
}

#[test]
fn the_names_of_test_files_are_plain() {
    for good in ["a", "emboss-probe-3b1f6c1e-8a52-4f0e-9c6d-0d9a4a5b6c7d", "TST_1.x"] {
        assert!(is_prefix(good), "{good}");
    }
    for bad in ["", ".hidden", "-x", "a/b", "../a", "a b", "ä", &"x".repeat(65)] {
        assert!(!is_prefix(bad), "{bad}");
    }
}
