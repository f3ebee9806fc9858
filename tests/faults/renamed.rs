//! Faults 6 and 7: killed after the rename, with the file still there, or taken by a house that waits for nobody.

use std::fs;
use std::os::unix::fs::MetadataExt;

use emboss::fault::Point;
use emboss::settlement::FileState;

use crate::promise;
use crate::site::{Database, Site, Special};

pub(crate) const POINTS: [Point; 2] = [Point::Renamed, Point::PublishedNoted];

/// The file at the house; it is the only one, under its final name.
fn published(site: &Site) -> fs::Metadata {
    let standing = site.house.standing();
    let [name] = &standing[..] else { panic!("{standing:?}") };
    assert!(name.ends_with(".xml.pgp"), "{name}");
    fs::metadata(site.sshd.incoming().join(name)).unwrap()
}

fn f06_killed_after_the_rename_the_file_is_found_and_not_sent_again(database: Database) {
    for (point, journal) in [
        (Point::Renamed, &["SEALED 1", "RENAME 1", "RENAME 2", "PUBLISHED"][..]),
        (Point::PublishedNoted, &["SEALED 1", "RENAME 1", "PUBLISHED"]),
    ] {
        let site = Site::new(database);
        site.dies_at(point.name());
        assert_eq!(site.books().file().state, FileState::Renaming, "{point:?}");
        let before = published(&site);
        let report = site.resumes();
        let after = published(&site);
        assert_eq!((after.ino(), after.ctime_nsec()), (before.ino(), before.ctime_nsec()), "{point:?}: not touched");
        promise::check(&site, &report, point.name());
        assert_eq!(site.journal(), journal, "{point:?}");
        assert_eq!(site.books().file().attempt, 1, "{point:?}: not uploaded again");
    }
}

/// A house that takes each file the moment it is there, and whose profile says that a rename proves publication.
fn f07_killed_after_the_rename_and_taken_it_is_published_where_the_rename_proves_it(database: Database) {
    for point in POINTS {
        let site = Site::with(database, Special { rename_proves_publication: true, ..Special::default() });
        let house = site.house.greedy();
        site.dies_at(point.name());
        site.house.wait_for(1);
        let report = site.resumes();
        promise::check(&site, &report, point.name());
        assert_eq!(site.books().file().attempt, 1, "{point:?}: sent once");
        drop(house);
    }
}

/// The same without a person's word: UNCERTAIN, and no run sends it a second time.
fn f07_killed_after_the_rename_and_taken_it_is_uncertain_without_a_persons_word(database: Database) {
    let site = Site::new(database);
    let house = site.house.greedy();
    site.dies_at(Point::Renamed.name());
    site.house.wait_for(1);
    for time in 1..=2 {
        let outcome = site.run().exits(1);
        let (report, books) = (outcome.object(), site.books());
        let file = books.file();
        assert_eq!((file.state, file.attempt), (FileState::Uncertain, 1), "run {time}");
        assert_eq!((&report["addsUp"], &report["undelivered"]["byState"]["UNCERTAIN"]), (&true.into(), &4.into()));
        outcome.says(&[file.file_name.as_deref().unwrap(), "UNCERTAIN", "rename_proves_publication"]);
        assert!(books.moves().is_empty(), "run {time}: no plastic moves on a guess");
        assert_eq!((site.house.arrived().len(), site.house.standing().len()), (1, 0), "run {time}: nothing is sent");
    }
    drop(house);
    site.resolve_as_delivered();
    promise::check(&site, &site.resumes(), "a person said so");
}

/// A line PUBLISHED is our own word that the house has the file: believed without the profile's flag.
fn f07_a_line_published_is_believed_although_the_house_has_taken_the_file(database: Database) {
    let site = Site::new(database);
    let house = site.house.greedy();
    site.dies_at(Point::PublishedNoted.name());
    site.house.wait_for(1);
    let report = site.resumes();
    promise::check(&site, &report, "PUBLISHED is noted");
    drop(house);
}

crate::on_each_database!(
    f06_killed_after_the_rename_the_file_is_found_and_not_sent_again,
    f07_killed_after_the_rename_and_taken_it_is_published_where_the_rename_proves_it,
    f07_killed_after_the_rename_and_taken_it_is_uncertain_without_a_persons_word,
    f07_a_line_published_is_believed_although_the_house_has_taken_the_file,
);
