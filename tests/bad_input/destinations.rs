//! Destinations that refuse, or are not who they should be: exit 1, the sealed file stays here and goes the next time.

use std::fs;
use std::net::TcpListener;

use emboss::delivery::settings::Backoff;

use crate::support::sshd::{Options, Sshd};
use crate::support::trial::{Trial, names};
use crate::{checked, undelivered};

/// Nobody listens there.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_wrong_host_key() {
    let trial = Trial::with_orders();
    let (house, stranger) = (Sshd::start(), Sshd::start());
    let mut settings = house.settings();
    settings.host_keys = vec![stranger.fingerprint("ed25519")];
    trial.send_to_settings(&settings, &house.secrets());
    let (pinned, found) = (stranger.fingerprint("ed25519"), house.fingerprint("ed25519"));
    let says = [&*pinned, &found, "is not the pinned one", "nothing was sent", "by telephone"];
    undelivered(&trial, &says);
    assert_eq!(names(&house.incoming()), [""; 0]);
    checked(&trial, &says);
    // Once the pin is right, the same file goes.
    trial.configure(&pinned, &found);
    trial.run(&["run"]).exits(0).says(&["SETTLED, 2 records"]);
    assert_eq!(names(&house.incoming()).len(), 1);
}

#[test]
fn a_port_where_nobody_listens() {
    let trial = Trial::with_orders();
    let house = Sshd::start();
    let mut settings = house.settings();
    (settings.port, settings.attempts) = (closed_port(), 2);
    settings.backoff_s = Backoff { first: 1, max: 1 };
    trial.send_to_settings(&settings, &house.secrets());
    let says = ["destination factory-x", "connect to", &*format!("127.0.0.1:{}", settings.port)];
    undelivered(&trial, &says);
    checked(&trial, &says);
    trial.configure(&format!("port = {}", settings.port), &format!("port = {}", house.port()));
    trial.run(&["run"]).exits(0).says(&["SETTLED, 2 records"]);
    assert_eq!(names(&house.incoming()).len(), 1);
}

#[test]
fn a_user_who_is_not_admitted() {
    let trial = Trial::with_orders();
    let house = Sshd::start();
    let mut secrets = house.secrets();
    secrets.private_key = house.key("stranger", "ed25519", "").into();
    trial.send_to_settings(&house.settings(), &secrets);
    let says = ["destination factory-x", "refused user", "ask the house to admit it"];
    undelivered(&trial, &says);
    checked(&trial, &says);
    assert_eq!(names(&house.incoming()), [""; 0]);
}

#[test]
fn a_private_key_that_others_may_read() {
    let trial = Trial::with_orders();
    let house = Sshd::start();
    trial.send_to(&house);
    trial.set_mode("keys/sftp.key", 0o644);
    let says = ["destination factory-x", "keys/sftp.key has mode 0644", "chmod 0600"];
    undelivered(&trial, &says);
    checked(&trial, &says);
    trial.set_mode("keys/sftp.key", 0o600);
    trial.run(&["run"]).exits(0).says(&["SETTLED, 2 records"]);
}

#[test]
fn a_remote_folder_that_is_missing() {
    let trial = Trial::with_orders();
    let house = Sshd::start();
    let mut settings = house.settings();
    settings.directory = house.incoming().with_file_name("elsewhere").display().to_string();
    trial.send_to_settings(&settings, &house.secrets());
    let says = ["destination factory-x", &*settings.directory, "no such file or folder"];
    undelivered(&trial, &says);
    checked(&trial, &says);
    fs::create_dir(house.incoming().with_file_name("elsewhere")).unwrap();
    trial.run(&["run"]).exits(0).says(&["SETTLED, 2 records"]);
    assert_eq!(names(&house.incoming().with_file_name("elsewhere")).len(), 1);
}

#[test]
fn a_server_that_takes_nothing() {
    let trial = Trial::with_orders();
    let house = Sshd::with(Options { sftp: "-R", ..Options::default() });
    trial.send_to(&house);
    undelivered(&trial, &["destination factory-x", "permission denied", "ask the house for the permission"]);
    assert_eq!(names(&house.incoming()), [""; 0]);
}

#[test]
fn a_local_folder_that_is_missing() {
    let trial = Trial::with_orders();
    fs::remove_dir(trial.path("out")).unwrap();
    let says = ["destination local", "/out"];
    undelivered(&trial, &says);
    checked(&trial, &says);
    assert!(!trial.path("out").exists(), "a folder somebody forgot to mount is not made");
    fs::create_dir(trial.path("out")).unwrap();
    trial.run(&["run"]).exits(0).says(&["SETTLED, 2 records"]);
}

#[test]
fn a_name_that_is_there_already_is_never_overwritten() {
    let trial = Trial::with_orders();
    fs::rename(trial.path("out"), trial.path("kept")).unwrap();
    undelivered(&trial, &["destination local"]);
    fs::rename(trial.path("kept"), trial.path("out")).unwrap();
    let report = trial.run(&["status", "--json"]).exits(0).object();
    let name = report["files"][0]["fileName"].as_str().unwrap().to_owned();
    fs::write(trial.path("out").join(&name), "somebody else's").unwrap();
    trial.run(&["run"]).exits(1).says(&["UNCERTAIN", &name, "was there before our first rename"]);
    assert_eq!(fs::read_to_string(trial.path("out").join(&name)).unwrap(), "somebody else's");
    // It stays so until a person decides.
    trial.run(&["run"]).exits(1).says(&["UNCERTAIN"]);
    assert_eq!(fs::read_to_string(trial.path("out").join(&name)).unwrap(), "somebody else's");
}
