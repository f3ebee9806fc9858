//! The rename faults on a drop box that lets us write, rename and nothing else: no stat, no list, no remove.
//!
//! What is at the house cannot be seen there, so a rename that may have happened is a person's matter; whatever surely
//! did not happen goes on by itself, and nothing is ever sent a second time.

use emboss::fault::Point;
use emboss::settlement::FileState;

use crate::promise;
use crate::site::{Database, Site, Special};

/// Every request of SFTP but the ones an upload and a rename need; `sftp-server -Q requests` lists them all.
const DROP_BOX: &str = "-P stat,lstat,fstat,setstat,fsetstat,fsync,opendir,readdir,read,realpath,remove,readlink,\
                        symlink,hardlink,posix-rename,statvfs,fstatvfs,lsetstat,limits,expand-path,copy-data,\
                        home-directory,users-groups-by-id,mkdir,rmdir";

fn drop_box(database: Database) -> Site {
    // Even a person's word that a rename proves publication does not help where nothing can be seen.
    let special = Special { sftp: DROP_BOX, write_only: true, rename_proves_publication: true, ..Special::default() };
    Site::with(database, special)
}

fn f05_on_a_write_only_drop_box_killed_before_the_rename_it_is_renamed_once(database: Database) {
    for point in [Point::Sealed, Point::Sending, Point::Ready, Point::RenameNoted, Point::Renaming] {
        let site = drop_box(database);
        site.dies_at(point.name());
        let report = site.resumes();
        promise::check(&site, &report, point.name());
    }
}

/// A temporary file that may not be removed stays, and is never published.
fn f04_on_a_write_only_drop_box_a_part_that_may_not_be_removed_stays_a_part(database: Database) {
    let site = drop_box(database);
    site.dies_at(Point::Uploaded.name());
    let report = site.resumes();
    assert_eq!((&report["exitCode"], &report["addsUp"]), (&0.into(), &true.into()), "{report}");
    promise::check_the_night(&site, "a part stays");
    let standing = site.house.standing();
    assert!(matches!(&standing[..], [left] if left.ends_with(".1.part")), "{standing:?}");
}

fn f06_on_a_write_only_drop_box_killed_after_the_rename_a_person_decides(database: Database) {
    after_the_rename(database, false);
}

fn f07_on_a_write_only_drop_box_that_takes_files_at_once_a_person_decides(database: Database) {
    after_the_rename(database, true);
}

fn after_the_rename(database: Database, taken: bool) {
    let site = drop_box(database);
    let house = taken.then(|| site.house.greedy());
    site.dies_at(Point::Renamed.name());
    if taken {
        site.house.wait_for(1);
    }
    for time in 1..=2 {
        let outcome = site.run().exits(1);
        let (report, books) = (outcome.object(), site.books());
        let file = books.file();
        assert_eq!((file.state, file.attempt), (FileState::Uncertain, 1), "run {time}");
        assert_eq!((&report["addsUp"], &report["delivered"]), (&true.into(), &0.into()), "run {time}: {report}");
        outcome.says(&[file.file_name.as_deref().unwrap(), "UNCERTAIN", "cannot be seen"]);
        assert!(books.moves().is_empty(), "run {time}");
        let at_the_house = if taken { 0 } else { 1 };
        assert_eq!(site.house.standing().len(), at_the_house, "run {time}: nothing is sent again");
    }
    drop(house);
    site.resolve_as_delivered();
    promise::check(&site, &site.resumes(), "a person said so");
}

/// Our own word that the house has it needs no look.
fn f06_on_a_write_only_drop_box_a_line_published_is_believed(database: Database) {
    let site = drop_box(database);
    site.dies_at(Point::PublishedNoted.name());
    let report = site.resumes();
    promise::check(&site, &report, "PUBLISHED is noted");
}

/// A run that was overtaken and wakes: its rename finds its own temporary name gone.
fn f23_on_a_write_only_drop_box_a_stale_run_finds_its_temporary_name_gone(database: Database) {
    for point in [Point::Ready, Point::Renaming] {
        let site = drop_box(database);
        crate::overtaken::overtake(&site, point);
    }
}

crate::on_each_database!(
    f04_on_a_write_only_drop_box_a_part_that_may_not_be_removed_stays_a_part,
    f05_on_a_write_only_drop_box_killed_before_the_rename_it_is_renamed_once,
    f06_on_a_write_only_drop_box_killed_after_the_rename_a_person_decides,
    f06_on_a_write_only_drop_box_a_line_published_is_believed,
    f07_on_a_write_only_drop_box_that_takes_files_at_once_a_person_decides,
    f23_on_a_write_only_drop_box_a_stale_run_finds_its_temporary_name_gone,
);
