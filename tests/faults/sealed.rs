//! Fault 3: killed when the sealed bytes are in the spool and the database does not know it.

use std::fs;

use emboss::fault::Point;

use crate::house::sha256;
use crate::promise;
use crate::site::{Database, Site};

pub(crate) const POINTS: [Point; 2] = [Point::SpoolRenamed, Point::SealedNoted];

/// Dies there; the digest of the bytes that are in the spool then.
fn spooled_at(site: &Site, point: Point) -> String {
    site.dies_at(point.name());
    let spooled = site.spooled();
    let [name] = &spooled[..] else { panic!("{spooled:?}") };
    assert!(name.ends_with(".1.pgp"), "{name}");
    assert_eq!(site.books().file().state.as_str(), "CLAIMED");
    sha256(&fs::read(site.path("spool").join(name)).unwrap())
}

fn f03_bytes_without_a_line_in_the_journal_are_an_orphan(database: Database) {
    let site = Site::new(database);
    let orphan = spooled_at(&site, Point::SpoolRenamed);
    assert_eq!(site.journal(), [""; 0]);
    let report = site.resumes();
    promise::check(&site, &report, "no line");
    assert_ne!(site.house.arrived()[0].sha256(), orphan, "composed and sealed again");
    assert_eq!(site.journal(), ["SEALED 2", "RENAME 1", "PUBLISHED"]);
    assert_eq!(site.spooled().len(), 1, "the orphan is gone: {:?}", site.spooled());
}

fn f03_bytes_with_a_line_in_the_journal_are_taken(database: Database) {
    let site = Site::new(database);
    let sealed = spooled_at(&site, Point::SealedNoted);
    assert_eq!(site.journal(), ["SEALED 1"]);
    let report = site.resumes();
    promise::check(&site, &report, "a line");
    assert_eq!(site.house.arrived()[0].sha256(), sealed, "the same bytes, not sealed a second time");
    assert_eq!(site.journal(), ["SEALED 1", "RENAME 1", "PUBLISHED"]);
}

crate::on_each_database!(
    f03_bytes_without_a_line_in_the_journal_are_an_orphan,
    f03_bytes_with_a_line_in_the_journal_are_taken,
);
