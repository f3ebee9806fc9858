//! The rename faults on a drop box that lets us write, rename and nothing else: no stat, no list, no remove.
//!
//! What is at the house cannot be seen there, so a rename that may have happened is a person's matter; whatever surely
//! did not happen goes on by itself, and nothing is ever sent a second time.

use std::fs;
use std::path::Path;

use emboss::fault::Point;
use emboss::settlement::FileState;

use crate::house::names;
use crate::promise;
use crate::site::{Database, Site, Special};
use crate::support::trial::Outcome;

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

/// Where nothing can be seen, a folder that is missing looks like a temporary file that is gone: the file is sent once
/// more, and that is all for this night.
fn f15_on_a_write_only_drop_box_a_missing_final_folder_is_named_and_ends_the_tries(database: Database) {
    let site = drop_box(database);
    let (incoming, missing) = (site.sshd.incoming(), site.path("published"));
    let folder = |path: &Path| format!("directory = {:?}", path.display().to_string());
    site.configure(&folder(&incoming), &format!("{}\ntemporary_{}", folder(&missing), folder(&incoming)));
    let report = site.run().exits(1).object();
    let name = site.books().file().file_name.clone().unwrap();
    let reason = report["agreements"][0]["reason"].to_string();
    for part in ["refused to rename to", &*missing.join(&name).display().to_string(), "does the folder exist?"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    assert_eq!(site.house.standing(), [1, 2].map(|attempt| format!("{name}.{attempt}.part")), "sent twice");
    assert_eq!(site.books().file().state, FileState::Sending, "no rename is left open");
    fs::create_dir(&missing).unwrap();
    site.resumes();
    assert_eq!((site.books().file().state, names(&missing)), (FileState::Settled, vec![name]));
}

/// Where we may neither see nor remove our part, a person's word is enough to have the same bytes sent again.
fn f07_on_a_write_only_drop_box_what_a_person_says_did_not_arrive_is_sent_again(database: Database) {
    let site = drop_box(database);
    site.dies_at(Point::Renamed.name());
    site.run().exits(1);
    let file = site.books().file().clone();
    let (name, sent) = (file.file_name.clone().unwrap(), site.house.has().remove(0));
    assert_eq!(file.state, FileState::Uncertain);
    fs::remove_file(site.sshd.incoming().join(&name)).unwrap();
    let told = ["--not-delivered", "--by", "anna", "--reason", "their disk failed"];
    let outcome = Outcome::of(site.emboss(&["resolve", "--file", &name]).args(told));
    outcome.exits(1).says(&["counts as not delivered", "ALERT PART_LEFT", "neither see nor remove"]);
    promise::check(&site, &site.resumes(), "a person said so");
    assert_eq!(site.house.arrived(), [sent], "the same bytes");
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
    f15_on_a_write_only_drop_box_a_missing_final_folder_is_named_and_ends_the_tries,
    f06_on_a_write_only_drop_box_killed_after_the_rename_a_person_decides,
    f06_on_a_write_only_drop_box_a_line_published_is_believed,
    f07_on_a_write_only_drop_box_that_takes_files_at_once_a_person_decides,
    f07_on_a_write_only_drop_box_what_a_person_says_did_not_arrive_is_sent_again,
    f23_on_a_write_only_drop_box_a_stale_run_finds_its_temporary_name_gone,
);
