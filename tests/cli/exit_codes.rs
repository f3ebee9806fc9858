//! Each exit code of the contract: 0 all settled, 1 a person, 2 usage or configuration, 3 run again, 4 locked.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use emboss::delivery::settings::Backoff;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::sshd::Sshd;
use crate::support::trial::{Outcome, Trial, execute, rows, started};

pub(crate) fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn exit_0_when_nothing_is_due_and_when_cards_are_held() {
    let trial = Trial::new();
    trial.run(&["run"]).exits(0).says(&["NOTHING_DUE", "0 selected = 0 delivered"]);
    trial.import(&crate::support::trial::orders()).exits(0);
    trial.run(&["run", "--now", "--card", "3003"]).exits(0).says(&["1 held", "HELD_PIN_WAIT"]);
    assert_eq!(trial.delivered(), [""; 0]);
}

#[test]
fn exit_1_when_a_file_did_not_reach_the_house_and_0_after_the_repair() {
    let trial = Trial::with_orders();
    fs::rename(trial.path("out"), trial.path("gone")).unwrap();
    let outcome = trial.run(&["run", "--json"]).exits(1);
    let report = outcome.object();
    assert_eq!((&report["exitCode"], &report["delivered"]), (&1.into(), &0.into()));
    assert_eq!(report["agreements"][0]["outcome"], "UNFINISHED");
    assert_eq!(report["addsUp"], true);
    outcome.says(&["destination local"]);
    let plastics = &rows(&trial.path("emboss.db"))["plastic"];
    assert!(plastics.iter().all(|row| row.contains("'INACTIVE'")), "{plastics:?}");
    fs::rename(trial.path("gone"), trial.path("out")).unwrap();
    let repaired = trial.run(&["run", "--json"]).exits(0).object();
    assert_eq!((&repaired["delivered"], &repaired["addsUp"]), (&2.into(), &true.into()));
    assert_eq!(trial.delivered().len(), 1);
}

#[test]
fn exit_2_for_usage() {
    let trial = Trial::new();
    let wrong: [(&[&str], &str); 10] = [
        (&["frobnicate"], "frobnicate"),
        (&["run", "--frobnicate"], "--frobnicate"),
        (&["run", "--card", "3001"], "--now"),
        (&["run", "--now", "--date", "2026-01-01"], "--date"),
        (&["run", "--date", "2026-02-30"], "--date"),
        (&["run", "--institution", ""], "--institution"),
        (&["run", "--now", "--card", "x"], "--card"),
        (&["import"], "FILE"),
        (&["inspect"], "FILE"),
        (&["inspect", "x", "--by", "ops"], "--reason"),
    ];
    let state = trial.state();
    for (arguments, names) in wrong {
        let outcome = trial.run(arguments).exits(2).says(&[names]);
        assert_eq!(outcome.stdout, "", "{arguments:?}");
        // A script reads one object whatever the end, without the parser's lines about usage.
        let refusal = trial.run(&[arguments, &["--json"]].concat()).exits(2).says(&[names]).object();
        assert_eq!(refusal["exitCode"], 2, "{arguments:?}");
        let error = refusal["error"].as_str().unwrap();
        assert!(error.contains(names) && !error.contains("Usage") && !error.contains('\n'), "{error}");
    }
    assert_eq!(trial.state(), state);
}

#[test]
fn exit_3_without_a_database() {
    let trial = Trial::new();
    for name in ["emboss.db", "emboss.db-wal", "emboss.db-shm"] {
        let _ = fs::remove_file(trial.path(name));
    }
    for command in ["run", "plan", "status"] {
        trial.run(&[command]).exits(3).says(&["emboss.db cannot be used: there is no such file", "emboss import"]);
        assert!(!trial.path("emboss.db").exists(), "{command} made one");
    }
}

#[test]
fn exit_3_where_the_database_is_something_else() {
    let trial = Trial::new();
    for name in ["emboss.db-wal", "emboss.db-shm"] {
        let _ = fs::remove_file(trial.path(name));
    }
    let other = "not a database, but a letter to somebody\n".repeat(300);
    fs::write(trial.path("emboss.db"), &other).unwrap();
    for command in ["run", "plan", "status"] {
        trial.run(&[command]).exits(3).says(&["emboss.db", "not a database"]);
    }
    Outcome::fed(&mut trial.command(&["import", "-"]), b"{}\n").exits(3).says(&["emboss.db"]);
    assert_eq!(fs::read_to_string(trial.path("emboss.db")).unwrap(), other, "it is as it was");
}

#[test]
fn exit_3_for_a_date_that_is_not_due() {
    let trial = Trial::with_orders();
    let state = trial.state();
    let date = (Utc::now() + TimeDelta::days(1) - TimeDelta::hours(2)).date_naive() + chrono::Days::new(1);
    let date = date.to_string();
    let outcome = trial.run(&["run", "--date", &date]).exits(3);
    outcome.says(&[&format!("the night of {date} begins at {date}T03:00:00Z"), "not due yet", "--now"]);
    assert_eq!(trial.state(), state);
}

/// Answers nobody.
fn black_hole() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn exit_3_after_sigterm_and_the_next_run_finishes_the_night() {
    let trial = Trial::with_orders();
    let sshd = Sshd::start();
    let (_hole, port) = black_hole();
    let mut settings = sshd.settings();
    (settings.port, settings.connect_timeout_s) = (port, 1);
    settings.backoff_s = Backoff { first: 60, max: 60 };
    trial.send_to_settings(&settings, &sshd.secrets());
    let mut child = started(&mut trial.command(&["run"]));
    // The log says when it pauses before its second try.
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("trying again") {
        line.clear();
        assert!(told.read_line(&mut line).unwrap() > 0, "it ended before");
    }
    let asked = Instant::now();
    send(&child, Signal::TERM);
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    Outcome::at_end(child).exits(3);
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert!(rest.contains("emboss: stopped by a signal; nothing is lost, run again"), "{rest}");
    // The same date is finished with the same file.
    trial.configure(&format!("port = {port}"), &format!("port = {}", sshd.port()));
    let report = trial.run(&["run", "--json"]).exits(0).object();
    assert_eq!((&report["delivered"], &report["addsUp"]), (&2.into(), &true.into()));
    let arrived = crate::support::trial::names(&sshd.incoming());
    assert_eq!(arrived.len(), 1, "{arrived:?}");
    assert!(arrived[0].contains("_000001_2_V2"), "{arrived:?}");
}

#[test]
fn exit_3_after_sigterm_while_the_database_says_nothing() {
    let trial = Trial::new();
    let (hole, port) = black_hole();
    trial.configure("\"sqlite:emboss.db\"", &format!("\"postgres://emboss@127.0.0.1:{port}/emboss\""));
    let child = started(&mut trial.command(&["run"]));
    let _connection = hole.accept().unwrap();
    let asked = Instant::now();
    send(&child, Signal::TERM);
    Outcome::at_end(child).exits(3).says(&["emboss: stopped by a signal; nothing was begun, run again"]);
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}

#[test]
fn exit_3_at_once_after_a_second_signal() {
    let trial = Trial::with_orders();
    let sshd = Sshd::start();
    let (hole, port) = black_hole();
    let mut settings = sshd.settings();
    (settings.port, settings.connect_timeout_s) = (port, 120);
    trial.send_to_settings(&settings, &sshd.secrets());
    let mut child = started(&mut trial.command(&["run"]));
    let mut told = BufReader::new(child.stderr.take().unwrap());
    // It has connected and waits for a banner that never comes.
    let _connection = hole.accept().unwrap();
    let asked = Instant::now();
    send(&child, Signal::INT);
    let mut line = String::new();
    while !line.contains("a second signal stops at once") {
        line.clear();
        assert!(told.read_line(&mut line).unwrap() > 0, "it ended before");
    }
    send(&child, Signal::INT);
    Outcome::at_end(child).exits(3);
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}

#[test]
fn exit_4_while_another_run_holds_the_lock() {
    let trial = Trial::with_orders();
    let mut lock =
        fs::File::options().create(true).truncate(true).write(true).open(trial.path("emboss.db.lock")).unwrap();
    lock.write_all(b"process 4711 on otherhost").unwrap();
    flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
    let state = trial.state();
    for arguments in [&["run"][..], &["run", "--now"], &["run", "--date", "2026-01-01"]] {
        let outcome = trial.run(arguments).exits(4).says(&["another run is at work: process 4711 on otherhost"]);
        assert_eq!(outcome.stdout, "");
    }
    // Looking is allowed, and so is taking orders.
    trial.run(&["status"]).exits(0);
    trial.run(&["plan"]).exits(0);
    trial.run(&["check"]).exits(0);
    assert_eq!(trial.state(), state);
    trial.import(&crate::support::trial::orders()).exits(0);
    drop(lock);
    trial.run(&["run"]).exits(0).says(&["2 records"]);
}

#[test]
fn exit_4_names_a_running_program() {
    let trial = Trial::with_orders();
    let (hole, port) = black_hole();
    let sshd = Sshd::start();
    let mut settings = sshd.settings();
    (settings.port, settings.connect_timeout_s) = (port, 120);
    trial.send_to_settings(&settings, &sshd.secrets());
    let mut first = trial.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _connection = hole.accept().unwrap();
    trial.run(&["run"]).exits(4).says(&[&format!("process {} on ", first.id())]);
    first.kill().unwrap();
    first.wait().unwrap();
    // What a crash leaves in the lock file locks nobody out.
    trial.configure(&format!("port = {port}"), &format!("port = {}", sshd.port()));
    trial.run(&["run"]).exits(0).says(&["SETTLED, 2 records"]);
}

#[test]
fn exit_3_where_another_version_made_the_database() {
    let trial = Trial::with_orders();
    execute(&trial.path("emboss.db"), "UPDATE meta SET schema_version = 99");
    for command in ["run", "plan", "status"] {
        trial.run(&[command]).exits(3).says(&["emboss.db", "schema version 99", "needs 2"]);
    }
    trial.run(&["check"]).exits(1).says(&["schema version 99"]);
}
