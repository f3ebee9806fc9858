//! `emboss schedule`: it stays, runs at the configured instants and ends with SIGTERM.

use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::exit_codes::send;
use crate::support::trial::{Outcome, Trial, clear_card_numbers, execute, started};

/// Every second, so that the first night comes with the next one.
fn every_second(trial: &Trial) {
    trial.configure_more("[schedule]\ncron = \"* * * * * *\"");
}

/// Starts it and reads stdout lines until there are enough.
fn first_lines(trial: &Trial, arguments: &[&str], enough: impl Fn(&str) -> bool) -> (std::process::Child, String) {
    let mut child = started(&mut trial.command(arguments));
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
            if sender.send(std::mem::take(&mut line)).is_err() {
                break;
            }
        }
    });
    let mut told = String::new();
    while !enough(&told) {
        let line = receiver.recv_timeout(Duration::from_secs(30));
        told += &line.unwrap_or_else(|_| panic!("{}", end(&mut child, &told)));
    }
    assert_eq!(clear_card_numbers(&told), [""; 0]);
    (child, told)
}

fn end(child: &mut std::process::Child, told: &str) -> String {
    let _ = child.kill();
    let mut text = String::new();
    let _ = child.stderr.take().unwrap().read_to_string(&mut text);
    format!("it said no more than: {told}\n{text}")
}

#[test]
fn it_runs_the_night_and_ends_with_sigterm() {
    let trial = Trial::with_orders();
    every_second(&trial);
    let (child, told) = first_lines(&trial, &["schedule", "--json"], |told| told.lines().count() >= 2);
    let reports: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&reports[0]["delivered"], &reports[0]["kind"]), (&2.into(), &"NIGHT".into()));
    // The second instant of the same date finds it done.
    assert_eq!(reports[1]["businessDate"], reports[0]["businessDate"]);
    assert_eq!(reports[1]["agreements"][0]["outcome"], "ALREADY_DELIVERED");
    let asked = Instant::now();
    send(&child, Signal::TERM);
    let outcome = Outcome::at_end(child).exits(0);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(outcome.stderr.contains("adds up."), "people's text: {}", outcome.stderr);
    assert_eq!(trial.delivered().len(), 1);
    trial.run(&["status"]).exits(0).says(&["NIGHT"]);
}

#[test]
fn it_catches_up_what_is_recent_and_tells_what_was_missed() {
    let trial = Trial::with_orders();
    // The last night that was run is ten days ago.
    trial
        .run(&["run", "--date", &(chrono::Utc::now() - chrono::TimeDelta::days(10)).date_naive().to_string()])
        .exits(0);
    let (child, told) = first_lines(&trial, &["schedule"], |told| told.matches("ALERT MISSED_RUN").count() >= 8);
    assert!(told.contains("its cards go with the next night"), "{told}");
    send(&child, Signal::TERM);
    Outcome::at_end(child).exits(1);
}

#[test]
fn a_failed_night_is_told_and_does_not_end_it() {
    let trial = Trial::with_orders();
    every_second(&trial);
    // Every run fails at its first write; it is tried again after a rest.
    execute(
        &trial.path("emboss.db"),
        "CREATE TRIGGER no_runs BEFORE INSERT ON run BEGIN SELECT RAISE(FAIL, 'no'); END",
    );
    let enough = |told: &str| told.contains("\"exitCode\":3");
    let (mut child, _) = first_lines(&trial, &["schedule", "--json"], enough);
    assert!(child.try_wait().unwrap().is_none(), "it stays");
    send(&child, Signal::TERM);
    Outcome::at_end(child).exits(1).says(&["emboss: the database refused"]);
    assert_eq!(trial.delivered(), [""; 0]);
}

#[test]
fn an_expression_that_says_nothing_is_a_configuration_error() {
    for cron in ["* * *", "61 * * * * *", "0 0 3 30 2 *", "every night"] {
        let trial = Trial::new();
        trial.configure_more(&format!("[schedule]\ncron = \"{cron}\""));
        for command in ["schedule", "run"] {
            trial.run(&[command]).exits(2).says(&["[schedule] cron", "0 0 3 * * *"]);
        }
    }
}
