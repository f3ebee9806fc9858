//! Database and spool that do not belong together, or to this program.

use std::fs;

use crate::refused;
use crate::support::trial::{Trial, execute};

#[test]
fn a_spool_of_another_database() {
    let (trial, other) = (Trial::with_orders(), Trial::with_orders());
    let spool = other.path("spool").display().to_string();
    let before = other.state();
    trial.run(&["run", "--now", "--card", "3001"]).exits(0);
    trial.configure("spool = \"spool\"", &format!("spool = \"{spool}\""));
    for command in ["run", "plan", "status"] {
        refused(&trial, &[command], 2, &[&spool, "belongs to another database", "correct run.spool"]);
    }
    assert_eq!(other.state(), before);
    trial.configure(&spool, "spool");
    trial.run(&["run"]).exits(0).says(&["SETTLED, 1 records"]);
}

#[test]
fn a_spool_that_is_gone_or_something_else() {
    let trial = Trial::with_orders();
    trial.run(&["run", "--now", "--card", "3001"]).exits(0);
    fs::rename(trial.path("spool"), trial.path("kept")).unwrap();
    refused(&trial, &["run"], 2, &["/spool is not the one this database knows", "Correct run.spool"]);
    fs::create_dir(trial.path("spool")).unwrap();
    refused(&trial, &["run"], 2, &["/spool is not the one this database knows"]);
    fs::write(trial.path("spool/letter.txt"), "Dear house").unwrap();
    trial.set_mode("spool", 0o700);
    refused(&trial, &["run"], 2, &["/spool is not a spool of ours", "correct run.spool"]);
    fs::remove_dir_all(trial.path("spool")).unwrap();
    fs::rename(trial.path("kept"), trial.path("spool")).unwrap();
    trial.set_mode("spool", 0o750);
    refused(&trial, &["run"], 2, &["/spool has mode 0750", "chmod 700"]);
    trial.set_mode("spool", 0o700);
    trial.run(&["run"]).exits(0).says(&["SETTLED, 1 records"]);
}

/// A crash between the folder's marker and the database's, and one in the middle of the folder's.
#[test]
fn a_spool_that_was_only_half_made() {
    let trial = Trial::with_orders();
    execute(&trial.path("emboss.db"), "DELETE FROM marker WHERE name = 'spool'");
    trial.run(&["status"]).exits(0);
    execute(&trial.path("emboss.db"), "DELETE FROM marker WHERE name = 'spool'");
    // So early nothing was noted yet.
    fs::remove_file(trial.path("spool/journal")).unwrap();
    fs::rename(trial.path("spool/marker"), trial.path("spool/marker.part")).unwrap();
    fs::write(trial.path("spool/marker.part"), "").unwrap();
    trial.run(&["run"]).exits(0).says(&["SETTLED, 2 records"]);
    trial.run(&["run"]).exits(0);
}

#[test]
fn a_database_of_another_version_or_program() {
    let trial = Trial::with_orders();
    execute(&trial.path("emboss.db"), "UPDATE meta SET schema_version = 3");
    let says = ["emboss.db has schema version 3, this program needs 2", "correct database.url"];
    for command in ["run", "plan", "status"] {
        refused(&trial, &[command], 3, &says);
    }
    execute(&trial.path("emboss.db"), "UPDATE meta SET schema_version = 2");
    trial.run(&["run"]).exits(0).says(&["SETTLED, 2 records"]);
    let other = Trial::new();
    for name in ["emboss.db", "emboss.db-wal", "emboss.db-shm"] {
        let _ = fs::remove_file(other.path(name));
    }
    fs::write(other.path("emboss.db"), "").unwrap();
    execute(&other.path("emboss.db"), "CREATE TABLE letter (text TEXT)");
    refused(&other, &["run"], 3, &["emboss.db has schema version of another program"]);
}
