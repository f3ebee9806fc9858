//! Faults 1 to 9.

use crate::promise;
use crate::site::{Database, Site};

/// Every point of a night, killed there once, resumed once.
fn f01_try(database: Database) {
    for point in emboss::fault::Point::ALL {
        let begun = std::time::Instant::now();
        let site = Site::new(database);
        let laid = begun.elapsed();
        site.dies_at(point.name());
        let died = begun.elapsed();
        let report = site.resumes();
        let resumed = begun.elapsed();
        promise::check(&site, &report, point.name());
        eprintln!("{point:?} {laid:?} {died:?} {resumed:?} {:?}\n{}", begun.elapsed(), site.sshd.log());
    }
}

crate::on_each_database!(f01_try);
