//! Faults 4 and 5: killed around the upload, and before the rename.

use std::fs;
use std::os::unix::fs::MetadataExt;

use emboss::fault::Point;

use crate::promise;
use crate::site::{Database, Site, Special};

pub(crate) const POINTS: [Point; 7] = [
    Point::Sealed,
    Point::Sending,
    Point::Uploading,
    Point::Uploaded,
    Point::Ready,
    Point::RenameNoted,
    Point::Renaming,
];

/// The names at the house end with these.
fn endings(site: &Site) -> Vec<String> {
    site.house.standing().iter().map(|name| name.split_once(".pgp").unwrap().1.to_owned()).collect()
}

fn f04_killed_around_the_upload_a_new_attempt_goes_under_a_new_name(database: Database) {
    for (point, state, left, attempts) in [
        (Point::Sealed, "SEALED", vec![], 1),
        (Point::Sending, "SENDING", vec![], 2),
        (Point::Uploading, "SENDING", vec![".1.part"], 2),
        (Point::Uploaded, "SENDING", vec![".1.part"], 2),
    ] {
        let site = Site::new(database);
        site.dies_at(point.name());
        let before = site.books().file().clone();
        assert_eq!((before.state.as_str(), endings(&site)), (state, left.iter().map(ToString::to_string).collect()));
        let report = site.resumes();
        promise::check(&site, &report, point.name());
        let after = site.books().file().clone();
        assert_eq!(after.sha256, before.sha256, "{point:?}: a sealed file is frozen (R125)");
        assert_eq!(after.attempt, attempts, "{point:?}");
        assert!(after.temporary_name.unwrap().ends_with(&format!(".{attempts}.part")), "{point:?}");
    }
}

/// A file of several writes, of which the house has only the first when the run dies; twice.
fn f04_killed_in_the_middle_of_the_upload_half_a_file_is_never_published(database: Database) {
    let site = Site::with(database, Special { crowd: 300, ..Special::default() });
    for attempt in 1..=2 {
        site.dies_at(Point::Uploading.name());
        let ending = format!(".{attempt}.part");
        assert_eq!(endings(&site), [&*ending], "the one before is removed");
        let half = fs::metadata(site.sshd.incoming().join(&site.house.standing()[0])).unwrap().len();
        let whole = site.books().file().size_bytes.unwrap();
        assert!(half > 0 && half < whole, "{half} of {whole} bytes");
    }
    let report = site.resumes();
    promise::check(&site, &report, "half a file");
    assert_eq!(site.books().file().attempt, 3);
}

fn f05_killed_before_the_rename_it_is_renamed_once(database: Database) {
    for (point, state, renames) in [
        (Point::Ready, "READY", &["RENAME 1"][..]),
        (Point::RenameNoted, "READY", &["RENAME 1", "RENAME 2"]),
        (Point::Renaming, "RENAMING", &["RENAME 1", "RENAME 2"]),
    ] {
        let site = Site::new(database);
        site.dies_at(point.name());
        assert_eq!(site.books().file().state.as_str(), state);
        assert_eq!(endings(&site), [".1.part"], "{point:?}");
        let part = fs::metadata(site.sshd.incoming().join(&site.house.standing()[0])).unwrap();
        let report = site.resumes();
        let published = fs::metadata(site.sshd.incoming().join(&site.house.standing()[0])).unwrap();
        assert_eq!(published.ino(), part.ino(), "{point:?}: what was uploaded is what was renamed");
        promise::check(&site, &report, point.name());
        assert_eq!(site.books().file().attempt, 1, "{point:?}: not uploaded again");
        let journal = [&["SEALED 1"], renames, &["PUBLISHED"]].concat();
        assert_eq!(site.journal(), journal, "{point:?}");
    }
}

crate::on_each_database!(
    f04_killed_around_the_upload_a_new_attempt_goes_under_a_new_name,
    f04_killed_in_the_middle_of_the_upload_half_a_file_is_never_published,
    f05_killed_before_the_rename_it_is_renamed_once,
);
