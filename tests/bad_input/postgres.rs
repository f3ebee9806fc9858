//! A database server that is not there, not ours, not safe, or not let in to.

use std::fs;

use crate::support::postgres::{Cluster, OWNER, PASSWORD};
use crate::support::trial::{Outcome, Trial, orders};
use crate::{checked, no_noise, refused};

/// An installation on a database of the shared server, with orders.
fn on_postgres() -> (Trial, crate::support::postgres::Database) {
    let database = Cluster::shared().database();
    let trial = Trial::on(&database);
    trial.import(&orders()).exits(0);
    (trial, database)
}

/// A command that must fail with 3, saying this.
#[track_caller]
fn fails(trial: &Trial, command: &str, says: &[&str]) -> Outcome {
    let outcome = refused(trial, &[command], 3, says);
    assert!(!outcome.both().contains(PASSWORD), "{}", outcome.both());
    outcome
}

#[test]
fn a_night_on_a_database_server() {
    let (trial, _database) = on_postgres();
    trial.run(&["check"]).exits(0).says(&["database: opens, with the right schema and durability."]);
    trial.run(&["plan"]).exits(0);
    trial.run(&["run"]).exits(0).says(&["SETTLED, 2 records", "adds up."]);
    trial.run(&["run"]).exits(0);
    trial.run(&["status"]).exits(0).says(&["SETTLED"]);
    assert_eq!(trial.delivered().len(), 1);
}

#[test]
fn an_environment_that_would_lead_elsewhere() {
    let (trial, _database) = on_postgres();
    let mut command = trial.command(&["run"]);
    for (name, value) in [
        ("PGHOST", "nowhere.invalid"),
        ("PGHOSTADDR", "192.0.2.1"),
        ("PGPORT", "1"),
        ("PGUSER", "postgres"),
        ("PGPASSWORD", "hunter2"),
        ("PGDATABASE", "postgres"),
        ("PGSSLMODE", "verify-full"),
        ("PGAPPNAME", "another"),
        ("PGOPTIONS", "-c synchronous_commit=off -c lock_timeout=1"),
    ] {
        command.env(name, value);
    }
    Outcome::of(&mut command).exits(0).says(&["SETTLED, 2 records"]);
}

#[test]
fn a_password_in_the_url() {
    let trial = Trial::new();
    trial.use_database(&format!("postgres://emboss:{PASSWORD}@127.0.0.1/emboss"), "");
    let says = ["[database] url holds a password", "password_file"];
    let outcome = refused(&trial, &["run"], 2, &says);
    assert!(!outcome.both().contains(PASSWORD), "{}", outcome.both());
}

#[test]
fn a_password_file_that_others_may_read_or_that_is_not_there() {
    let (trial, database) = on_postgres();
    let file = trial.path("keys/database.password");
    let shown = file.display().to_string();
    trial.configure(&database.password_setting(), "password_file = \"keys/database.password\"");
    for command in ["run", "plan", "status"] {
        refused(&trial, &[command], 2, &["[database] password_file", &shown, "cannot be read"]);
    }
    fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    trial.set_mode("keys/database.password", 0o640);
    refused(&trial, &["run"], 2, &["[database] password_file", "has mode 0640", &format!("chmod 0600 {shown}")]);
    checked(&trial, &["[database] password_file", "has mode 0640"]);
    trial.set_mode("keys/database.password", 0o600);
    fs::write(&file, "").unwrap();
    refused(&trial, &["run"], 2, &["[database] password_file", "is empty"]);
    fs::write(&file, format!("the emboss user:\n{PASSWORD}\n")).unwrap();
    let outcome = refused(&trial, &["run"], 2, &["[database] password_file", &shown, "holds more than one line"]);
    assert!(!outcome.both().contains(PASSWORD), "{}", outcome.both());
    fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    trial.run(&["run"]).exits(0).says(&["SETTLED, 2 records"]);
}

#[test]
fn a_wrong_password_and_a_user_or_database_that_is_not_there() {
    let (trial, database) = on_postgres();
    let file = trial.path("keys/database.password");
    fs::write(&file, "hunter2").unwrap();
    trial.set_mode("keys/database.password", 0o600);
    let right = database.password_setting();
    trial.configure(&right, "password_file = \"keys/database.password\"");
    let outcome = fails(&trial, "run", &[&database.url(), "password authentication failed for user \"emboss\""]);
    assert!(!outcome.both().contains("hunter2"), "{}", outcome.both());
    trial.configure("password_file = \"keys/database.password\"", "");
    fails(&trial, "run", &["password authentication failed for user \"emboss\""]);
    let (url, elsewhere) = (database.url(), format!("{}x", database.url()));
    trial.configure(&url, &format!("{elsewhere}\"\n{right}\n#"));
    fails(&trial, "run", &[&elsewhere, &format!("database \"{}x\" does not exist", database.name())]);
}

/// Fault 10.
#[test]
fn f10_a_server_that_is_down_at_the_start() {
    let cluster = Cluster::start_with(&[]);
    let database = cluster.database();
    let trial = Trial::on(&database);
    trial.import(&orders()).exits(0);
    cluster.stop();
    for command in ["run", "plan", "status"] {
        fails(&trial, command, &[&database.url(), "cannot be used: Connection refused"]);
    }
    checked(&trial, &["Connection refused"]);
    cluster.start();
    trial.run(&["run"]).exits(0).says(&["SETTLED, 2 records"]);
}

#[test]
fn a_server_that_is_not_the_one_its_certificate_says() {
    let cluster = Cluster::start_with(&["listen_addresses = '127.0.0.1,127.0.0.2'"]);
    let database = cluster.database();
    let ca = format!("root_certificate_file = \"{}\"", cluster.root_certificate().display());
    let (url, password) = (database.url(), database.password_setting());
    let trial = Trial::on(&database);
    trial.configure(&url, &format!("{url}\"\ntls = \"verify\"\n#"));
    fails(&trial, "run", &["TLS failed", "certificate verify failed"]);
    trial.configure(&password, &format!("{password}\n{ca}"));
    trial.import(&orders()).exits(0);
    trial.configure("127.0.0.1", "127.0.0.2");
    fails(&trial, "run", &["TLS failed", "certificate verify failed"]);
    trial.configure("127.0.0.2", "127.0.0.1");
    fs::write(trial.path("keys/other.pem"), "no certificate").unwrap();
    trial.configure(&ca, "root_certificate_file = \"keys/other.pem\"");
    fails(&trial, "run", &["TLS failed"]);
    trial.configure("root_certificate_file = \"keys/other.pem\"", "root_certificate_file = \"keys/none.pem\"");
    refused(&trial, &["run"], 2, &["[database] root_certificate_file", "keys/none.pem cannot be read"]);
    trial.configure("tls = \"verify\"", "tls = \"encrypt\"");
    trial.configure("root_certificate_file = \"keys/none.pem\"", "");
    trial.run(&["run"]).exits(0).says(&["SETTLED, 2 records"]);
}

#[test]
fn a_server_without_tls_where_tls_is_asked_for() {
    let cluster = Cluster::start_with(&["ssl = off"]);
    let database = cluster.database();
    let trial = Trial::on(&database);
    let password = database.password_setting();
    for tls in ["verify", "encrypt"] {
        trial.configure(&password, &format!("{password}\ntls = \"{tls}\""));
        fails(&trial, "run", &["TLS failed: server does not support TLS"]);
        trial.configure(&format!("{password}\ntls = \"{tls}\""), &password);
    }
    trial.import(&orders()).exits(0);
}

#[test]
fn a_server_that_could_lose_what_it_committed() {
    for setting in ["fsync", "full_page_writes"] {
        let cluster = Cluster::start_with(&[&format!("{setting} = off")]);
        let trial = Trial::on(&cluster.database());
        fails(&trial, "run", &[&format!("{setting} is off, a night needs on")]);
        checked(&trial, &[&format!("{setting} is off, a night needs on")]);
        let outcome = trial.import(&orders()).exits(3).says(&[&format!("{setting} is off")]);
        no_noise(&outcome);
    }
}

#[test]
fn a_server_that_only_follows_another() {
    let cluster = Cluster::start_with(&[]);
    let database = cluster.database();
    let trial = Trial::on(&database);
    trial.import(&orders()).exits(0);
    cluster.make_standby();
    fails(&trial, "run", &["it is a standby, which cannot be written to: name the primary server"]);
}

#[test]
fn a_database_without_our_tables_or_with_others() {
    let database = Cluster::shared().database();
    let trial = Trial::on(&database);
    for command in ["run", "plan", "status"] {
        fails(&trial, command, &[&database.url(), "it has no tables yet; the first emboss import makes them"]);
    }
    database.psql("CREATE TABLE letter (text TEXT)");
    fails(&trial, "run", &["has schema version of another program"]);
    database.psql("DROP TABLE letter");
    database.psql(&format!(
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC; ALTER DATABASE {} OWNER TO postgres",
        database.name()
    ));
    let says =
        ["it has no tables, and emboss may not make any", "schemas/sql/postgres.sql", "deploy/postgres-roles.sql"];
    no_noise(&trial.import(&orders()).exits(3).says(&says));
}

#[test]
fn a_database_of_another_version() {
    let (trial, database) = on_postgres();
    for (version, found) in [("1", "1"), ("3", "3")] {
        database.psql(&format!("UPDATE meta SET schema_version = {version}"));
        let says =
            [&database.url(), &*format!("has schema version {found}, this program needs 2"), "correct database.url"];
        for command in ["run", "plan", "status"] {
            fails(&trial, command, &says);
        }
    }
    database.psql("UPDATE meta SET schema_version = 2");
    trial.run(&["run"]).exits(0).says(&["SETTLED, 2 records"]);
}

#[test]
fn a_database_that_cannot_hold_every_name() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let latin = format!("{}_latin", database.name());
    cluster.psql(
        "postgres",
        &format!(
            "CREATE DATABASE {latin} OWNER {OWNER} TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'"
        ),
    );
    let trial = Trial::new();
    trial.use_database(&database.url().replace(database.name(), &latin), &database.password_setting());
    fails(&trial, "run", &["server_encoding is LATIN1, a night needs UTF8"]);
}
