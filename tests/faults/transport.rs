//! Faults 12 to 19: the line, the house's disk, its permissions, its keys. The real program over a real OpenSSH server,
//! and a line between them that breaks.

use std::fs;
use std::time::Duration;

use emboss::delivery::settings::{Backoff, SftpSettings};
use emboss::settlement::FileState;
use serde_json::Value;

use crate::houses::{Home, card_of};
use crate::on_each_database;
use crate::process::{Running, until};
use crate::promise;
use crate::site::{Database, Site, Special};
use crate::support::proxy::{Break, Line, Proxy};
use crate::support::sshd::{Options, Sshd};
use crate::support::trial::{Outcome, Trial, names, orders, started};

on_each_database!(
    f12_an_upload_that_is_reset_goes_again_in_the_same_run_with_the_same_bytes,
    f13_a_line_that_falls_silent_in_the_middle_is_left_and_the_other_house_gets_its_file,
    f13_a_line_that_is_silent_before_the_banner_is_left_and_the_other_house_gets_its_file,
    f13_the_other_house_gets_its_file_while_one_hangs,
    f13_a_slow_line_is_not_a_silent_one,
    f15_a_missing_final_folder_keeps_the_complete_file_there_and_only_the_rename_is_repeated,
    f15_a_denied_rename_is_permanent_and_only_the_rename_is_repeated,
    f15_a_missing_temporary_folder_is_permanent_and_named,
    f16_whatever_of_a_look_or_a_mode_is_denied_the_file_arrives,
    f17_an_upload_that_the_house_ends_is_not_closed_either,
    f17_an_aborted_upload_is_not_closed_and_is_removed_in_a_new_session,
    f17_a_part_that_may_not_be_removed_stays_is_told_and_fails_nothing,
    f18_one_of_two_pins_is_enough,
    f18_a_changed_host_key_stops_its_destination_for_every_agreement,
    f19_refused_authentication_is_tried_once_for_every_agreement,
);

/// Cards enough for a file of over 64 KiB.
const CROWD: u32 = 60;

/// Behind the handshake, in the middle of such a file.
const MIDDLE: u64 = 48 * 1024;

fn crowded(database: Database) -> Site {
    Site::with(database, Special { crowd: CROWD, ..Special::default() })
}

/// Sends the files of an installation somewhere else, into the same folder.
fn send(site: &Site, through: &Sshd, more: &str, change: impl FnOnce(&mut SftpSettings)) {
    let mut settings = SftpSettings {
        directory: site.sshd.incoming().display().to_string(),
        attempts: 2,
        backoff_s: Backoff { first: 1, max: 1 },
        ..through.settings()
    };
    change(&mut settings);
    let text = fs::read_to_string(site.path("emboss.toml")).unwrap();
    let (before, section) = text.split_once("[[destination]]").unwrap();
    let (_, behind) = section.split_once("[[product]]").unwrap();
    let SftpSettings { host, port, user, host_keys, directory, attempts, backoff_s, .. } = &settings;
    let section = format!(
        "[[destination]]\nname = \"factory-x\"\nkind = \"sftp\"\nenvironment = \"test\"\nhost = \"{host}\"\n\
         port = {port}\nuser = \"{user}\"\nkey_file = \"keys/sftp.key\"\nhost_keys = {host_keys:?}\n\
         directory = \"{directory}\"\nattempts = {attempts}\nbackoff_s = {{ first = {}, max = {} }}\n{more}\n\n",
        backoff_s.first, backoff_s.max
    );
    fs::write(site.path("emboss.toml"), format!("{before}{section}[[product]]{behind}")).unwrap();
    fs::write(site.path("keys/sftp.key"), through.secrets().private_key.as_bytes()).unwrap();
}

/// A server that tells what it did to files.
fn telling(sftp: &'static str) -> Sshd {
    Sshd::with(Options { sftp, tells: true, ..Options::default() })
}

/// The lines of a server that begin so, by the end of the name: `.1.part`.
fn told(sshd: &Sshd, word: &str, ending: &str) -> usize {
    let ending = format!("{ending}\"");
    sshd.told().iter().filter(|line| line.starts_with(word) && line.contains(&ending)).count()
}

/// The night of an installation, which must come to its end.
fn run(site: &Site) -> Outcome {
    site.start("").ends()
}

fn reason(report: &Value) -> &str {
    report["agreements"][0]["reason"].as_str().unwrap_or_else(|| panic!("no reason: {report}"))
}

fn f12_an_upload_that_is_reset_goes_again_in_the_same_run_with_the_same_bytes(database: Database) {
    let site = crowded(database);
    let house = telling("");
    let line = Proxy::over(house.port(), Line { connections: 2, ..Line::breaking(MIDDLE, Break::Reset) });
    send(&site, &house, "", |settings| {
        settings.port = line.port();
        settings.attempts = 4;
        settings.backoff_s = Backoff { first: 1, max: 2 };
    });
    let report = run(&site).exits(0).object();
    assert_eq!(site.books().file().attempt, 3, "two were reset, the third came through");
    // The pauses grow; jitter only ever adds to them.
    let connected = line.connected();
    let pauses: Vec<u64> = connected.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert!(matches!(pauses[..], [first, second] if first >= 1 && second >= 2), "{pauses:?}");
    for attempt in [".1.part", ".2.part", ".3.part"] {
        assert_eq!(told(&house, "open ", attempt), 1, "no name is opened twice: {:?}", house.told());
    }
    assert_eq!(site.journal().iter().filter(|line| line.starts_with("SEALED")).count(), 1, "the same bytes");
    promise::check(&site, &report, "two resets");
}

/// FACTORY_X over this line, with a file that takes more than one write, and FACTORY_Y that always works.
fn two_houses(
    database: Database,
    house: &Sshd,
    line: &Proxy,
    more: &str,
    change: impl FnOnce(&mut SftpSettings),
) -> Home {
    let site = Home::new(database);
    site.configure("include_phone = true", "include_phone = true\ncompression = \"none\"");
    let mut settings =
        SftpSettings { port: line.port(), attempts: 2, backoff_s: Backoff { first: 1, max: 1 }, ..house.settings() };
    change(&mut settings);
    site.send_to_settings(&settings, &house.secrets());
    site.configure_more(more);
    site.add_house("FACTORY_Y");
    let mut lines: Vec<Value> = orders().into_iter().take(2).collect();
    lines.extend((0..CROWD).map(|number| card_of("FACTORY_X", 3001 + number)));
    lines.push(card_of("FACTORY_Y", 5001));
    site.import(&lines).exits(0);
    site
}

/// Starts the night that is due.
fn start(site: &Trial) -> Running {
    Running::of(started(&mut site.command(&["run", "--json"])))
}

/// One house did not get its file, the other one did; gives the reason.
#[track_caller]
fn one_failed(report: &Value, state: &str) -> String {
    assert_eq!((&report["exitCode"], &report["addsUp"]), (&1.into(), &true.into()), "{report}");
    let of = |house: &str| {
        let agreements = report["agreements"].as_array().unwrap();
        agreements.iter().find(|agreement| agreement["manufacturer"] == house).unwrap().clone()
    };
    let (failed, other) = (of("FACTORY_X"), of("FACTORY_Y"));
    assert_eq!(other["outcome"], "DELIVERED", "{report}");
    assert_eq!((&failed["outcome"], &failed["files"][0]["state"]), (&"UNFINISHED".into(), &state.into()), "{report}");
    failed["reason"].as_str().unwrap().to_owned()
}

/// The line is whole again: the next run sends the very bytes that were sealed before.
#[track_caller]
fn repaired(site: &Trial, house: &Sshd, line: &Proxy, before: &Value) {
    site.configure(&format!("port = {}", line.port()), &format!("port = {}", house.port()));
    let report = start(site).ends().exits(0).object();
    assert_eq!(report["addsUp"], true, "{report}");
    let standing = names(&house.incoming());
    assert!(matches!(&standing[..], [name] if !name.ends_with(".part")), "{standing:?}");
    let sent = fs::read(house.incoming().join(&standing[0])).unwrap();
    let sealed = before["agreements"].as_array().unwrap().iter().find(|one| one["manufacturer"] == "FACTORY_X");
    assert_eq!(sealed.unwrap()["files"][0]["sha256"], hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&sent)));
}

fn f13_a_line_that_falls_silent_in_the_middle_is_left_and_the_other_house_gets_its_file(database: Database) {
    let house = Sshd::start();
    let line = Proxy::to(house.port(), MIDDLE, Break::Silence);
    let site = two_houses(database, &house, &line, "inactivity_timeout_s = 1", |_| {});
    let report = start(&site).ends().exits(1).object();
    let reason = one_failed(&report, "SENDING");
    assert!(reason.contains("did not answer when asked to write") && reason.contains(".2.part"), "{reason}");
    assert!(names(&house.incoming()).iter().all(|name| name.ends_with(".part")), "no half file under its name");
    assert_eq!(site.sent_to("FACTORY_Y").len(), 1);
    repaired(&site, &house, &line, &report);
}

fn f13_a_line_that_is_silent_before_the_banner_is_left_and_the_other_house_gets_its_file(database: Database) {
    let house = Sshd::start();
    let line = Proxy::to(house.port(), 0, Break::Silence);
    let site = two_houses(database, &house, &line, "", |settings| settings.connect_timeout_s = 1);
    let report = start(&site).ends().exits(1).object();
    let reason = one_failed(&report, "SEALED");
    assert!(reason.contains("did not answer when asked to negotiate SSH with"), "{reason}");
    assert_eq!(line.connected().len(), 2, "as often as the destination allows");
    assert_eq!(names(&house.incoming()), [""; 0]);
    repaired(&site, &house, &line, &report);
}

fn f13_the_other_house_gets_its_file_while_one_hangs(database: Database) {
    let house = Sshd::start();
    let line = Proxy::to(house.port(), MIDDLE, Break::Silence);
    let site = two_houses(database, &house, &line, "inactivity_timeout_s = 300", |settings| settings.attempts = 1);
    let night = start(&site);
    until("the first house is connected", || line.connected().len() == 1);
    until("the other house has its file", || site.sent_to("FACTORY_Y").iter().any(|name| !name.ends_with(".part")));
    assert_eq!(line.connected().len(), 1, "the first house still hangs");
    // Whatever hung ends now.
    drop(line);
    let report = night.ends().exits(1).object();
    one_failed(&report, "SENDING");
}

/// Two houses behind one server, which is not as it should be in this way.
fn one_server(database: Database, house: &Sshd, line: &Proxy, change: impl FnOnce(&mut SftpSettings)) -> Home {
    let site = two_houses(database, house, line, "", change);
    site.configure("destination = \"to-FACTORY_Y\"", "destination = \"factory-x\"");
    site
}

/// No house got its file, and the second was not asked for after the first; gives the first reason.
#[track_caller]
fn both_failed(report: &Value) -> String {
    assert_eq!((&report["exitCode"], &report["addsUp"]), (&1.into(), &true.into()), "{report}");
    let agreements = report["agreements"].as_array().unwrap();
    assert!(agreements.iter().all(|agreement| agreement["outcome"] == "UNFINISHED"), "{report}");
    let reasons: Vec<&str> = agreements.iter().map(|agreement| agreement["reason"].as_str().unwrap()).collect();
    let (second, first): (Vec<&str>, Vec<&str>) =
        reasons.iter().partition(|reason| reason.contains("nothing more is sent there in this run"));
    assert_eq!((first.len(), second.len()), (1, 1), "{report}");
    first[0].to_owned()
}

fn f18_a_changed_host_key_stops_its_destination_for_every_agreement(database: Database) {
    let (house, stranger) = (Sshd::start(), Sshd::start());
    let line = Proxy::over(house.port(), Line::slow(Duration::ZERO, Duration::ZERO));
    let (pinned, found) = (stranger.fingerprint("ed25519"), house.fingerprint("ed25519"));
    let site = one_server(database, &house, &line, |settings| settings.host_keys = vec![pinned.clone()]);
    let reason = both_failed(&start(&site).ends().exits(1).object());
    assert!(reason.contains(&pinned) && reason.contains(&found), "{reason}");
    assert_eq!(line.connected().len(), 4, "one try: a look at what it shows first and at each kind of key");
    assert!(!house.log().contains("Accepted") && !house.log().contains("Failed"), "{}", house.log());
    site.configure(&pinned, &found);
    start(&site).ends().exits(0);
    assert_eq!(names(&house.incoming()).len(), 2);
}

fn f19_refused_authentication_is_tried_once_for_every_agreement(database: Database) {
    let house = Sshd::start();
    let line = Proxy::over(house.port(), Line::slow(Duration::ZERO, Duration::ZERO));
    let site = one_server(database, &house, &line, |_| {});
    let right = fs::read(site.path("keys/sftp.key")).unwrap();
    fs::write(site.path("keys/sftp.key"), house.key("stranger", "ed25519", "")).unwrap();
    let reason = both_failed(&start(&site).ends().exits(1).object());
    assert!(reason.contains("refused user"), "{reason}");
    assert_eq!(house.log().matches("Failed publickey").count(), 1, "{}", house.log());
    fs::write(site.path("keys/sftp.key"), right).unwrap();
    start(&site).ends().exits(0);
    assert_eq!((names(&house.incoming()).len(), house.log().matches("Failed publickey").count()), (2, 1));
}

fn f13_a_slow_line_is_not_a_silent_one(database: Database) {
    let house = Sshd::start();
    let line = Proxy::over(house.port(), Line::slow(Duration::from_millis(20), Duration::from_millis(1)));
    let site = two_houses(database, &house, &line, "", |_| {});
    start(&site).ends().exits(0).says(&["DELIVERED"]);
    assert_eq!((names(&house.incoming()).len(), line.connected().len()), (1, 1), "slow is not silent");
}

fn f15_a_missing_final_folder_keeps_the_complete_file_there_and_only_the_rename_is_repeated(database: Database) {
    let site = Site::new(database);
    let (house, missing) = (telling(""), site.path("published"));
    let temporary = format!("temporary_directory = \"{}\"", site.sshd.incoming().display());
    send(&site, &house, &temporary, |settings| settings.directory = missing.display().to_string());
    let report = run(&site).exits(1).object();
    let reason = reason(&report);
    let name = site.books().file().file_name.clone().unwrap();
    for part in ["refused to rename to", &*missing.join(&name).display().to_string(), "no such file or folder"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    assert_eq!((site.books().file().state, site.books().file().attempt), (FileState::Ready, 1));
    assert_eq!(house.log().matches("Accepted publickey").count(), 1, "no retry");
    fs::create_dir(&missing).unwrap();
    site.resumes();
    assert_eq!(told(&house, "open ", ".1.part"), 1, "{:?}", house.told());
    assert_eq!(names(&missing), [name]);
    assert_eq!(site.house.standing(), [""; 0]);
}

fn f15_a_denied_rename_is_permanent_and_only_the_rename_is_repeated(database: Database) {
    let site = Site::new(database);
    let (strict, house) = (telling("-P rename"), telling(""));
    send(&site, &strict, "", |_| {});
    let report = run(&site).exits(1).object();
    let reason = reason(&report);
    let name = site.books().file().file_name.clone().unwrap();
    let path = site.sshd.incoming().join(&name).display().to_string();
    for part in ["refused to rename to", &*path, "permission denied; ask the house for the permission"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    assert_eq!((site.books().file().state, site.books().file().attempt), (FileState::Ready, 1));
    assert_eq!(strict.log().matches("Accepted publickey").count(), 1, "no retry");
    send(&site, &house, "", |_| {});
    let report = site.resumes();
    assert_eq!(told(&house, "open ", ".part"), 0, "{:?}", house.told());
    promise::check(&site, &report, "the permission is there");
}

fn f15_a_missing_temporary_folder_is_permanent_and_named(database: Database) {
    let site = Site::new(database);
    let (house, missing) = (telling(""), site.path("temporary"));
    send(&site, &house, &format!("temporary_directory = \"{}\"", missing.display()), |_| {});
    let report = run(&site).exits(1).object();
    let reason = reason(&report);
    for part in ["refused to create", &*missing.display().to_string(), "no such file or folder; does the folder exist?"]
    {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    assert_eq!((site.books().file().state, site.books().file().attempt), (FileState::Sending, 1), "no retry");
    fs::create_dir(&missing).unwrap();
    let report = site.resumes();
    promise::check(&site, &report, "the folder is there");
    assert_eq!(names(&missing), [""; 0]);
}

fn f16_whatever_of_a_look_or_a_mode_is_denied_the_file_arrives(database: Database) {
    for denied in ["-P stat,lstat", "-P fstat,fsetstat,setstat,lsetstat", "-P fsync", "-P opendir,readdir,realpath"] {
        let site = Site::with(database, Special { sftp: denied, ..Special::default() });
        let report = run(&site).exits(0).object();
        promise::check(&site, &report, denied);
    }
}

fn f17_an_aborted_upload_is_not_closed_and_is_removed_in_a_new_session(database: Database) {
    let site = crowded(database);
    let house = telling("");
    let line = Proxy::to(house.port(), MIDDLE, Break::Reset);
    send(&site, &house, "", |settings| settings.port = line.port());
    run(&site).exits(1);
    for attempt in [".1.part", ".2.part"] {
        until("the server has told", || told(&house, "forced close ", attempt) == 1);
        assert_eq!(told(&house, "close ", attempt), 0, "a house that takes what is closed: {:?}", house.told());
        assert_eq!(told(&house, "remove ", attempt), 1, "{:?}", house.told());
    }
    assert_eq!(site.house.standing(), [""; 0]);
    // The third session only removes.
    assert_eq!(line.connected().len(), 3);
    send(&site, &house, "", |_| {});
    let report = site.resumes();
    assert_eq!((told(&house, "close ", ".3.part"), told(&house, "forced close ", ".3.part")), (1, 0));
    promise::check(&site, &report, "the line is whole");
}

/// Where the line is whole, a CLOSE would arrive.
fn f17_an_upload_that_the_house_ends_is_not_closed_either(database: Database) {
    let site = crowded(database);
    let full = Sshd::with(Options { tells: true, file_limit_kib: Some(32), ..Options::default() });
    send(&site, &full, "", |_| {});
    let report = run(&site).exits(1).object();
    assert!(reason(&report).contains("refused to write"), "{report}");
    until("the server has told", || told(&full, "forced close ", ".1.part") == 1);
    assert_eq!(told(&full, "close ", ".1.part"), 0, "{:?}", full.told());
    // Fault 14: nothing of ours stays to fill the disk, and nothing is tried again.
    assert_eq!((site.house.standing(), site.books().file().attempt), (vec![], 1));
    assert_eq!(full.log().matches("Accepted publickey").count(), 2, "one to write, one to remove");
    let house = telling("");
    send(&site, &house, "", |_| {});
    let report = site.resumes();
    promise::check(&site, &report, "there is space again");
}

/// The whole profile write-only, and an upload that breaks on the way: what may not be removed is no failure.
fn f17_a_part_that_may_not_be_removed_stays_is_told_and_fails_nothing(database: Database) {
    let site = crowded(database);
    let house = telling("-P stat,lstat,fstat,opendir,readdir,fsetstat,setstat,remove");
    let line = Proxy::over(house.port(), Line { connections: 1, ..Line::breaking(MIDDLE, Break::Reset) });
    send(&site, &house, "profile = \"write-only\"", |settings| settings.port = line.port());
    let outcome = run(&site).exits(0);
    let standing = site.house.standing();
    let (parts, whole): (Vec<&String>, Vec<&String>) = standing.iter().partition(|name| name.ends_with(".part"));
    assert_eq!((parts.len(), whole.len()), (1, 1), "{standing:?}");
    assert!(outcome.stderr.contains(&format!("does not let us remove {}", parts[0])), "{}", outcome.stderr);
    assert_eq!(site.books().file().state, FileState::Settled);
    promise::check_the_night(&site, "a part stays");
}

fn f18_one_of_two_pins_is_enough(database: Database) {
    let (site, stranger) = (Site::new(database), Sshd::start());
    let house = Sshd::start();
    send(&site, &house, "", |settings| settings.host_keys.insert(0, stranger.fingerprint("ed25519")));
    let report = run(&site).exits(0).object();
    promise::check(&site, &report, "during a rotation");
}
