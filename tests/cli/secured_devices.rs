//! The real program and a payment HSM over TLS with certificates on both sides: a night, and nobody else in between.

use crate::devices::trial;
use crate::hsm::authority::{Authority, Files, Identity};
use crate::hsm::faults::{Act, When};
use crate::hsm::lmk::Dialect;
use crate::hsm::{Hsm, Setup};
use crate::support::trial::{Trial, orders};

const NAME: &str = "hsm1.bank.example";

fn device(authority: &Authority, name: &str) -> Hsm {
    Hsm::start_tls(&Setup::new(Dialect::KeyBlock), authority.acceptor(&authority.issue(name)))
}

/// A trial that speaks TLS with this device as `own`, and believes `believed`.
fn secured(hsm: &Hsm, believed: &Authority, own: &Identity) -> Trial {
    let trial = trial(&[hsm]);
    let Files { ca_file, certificate_file, key_file } = own.files(&trial.path("keys"), believed);
    trial.configure_more(&format!(
        "[vault.payshield.tls]\nca_file = {ca_file:?}\ncertificate_file = {certificate_file:?}\nkey_file = {key_file:?}\n\
         server_name = \"{NAME}\""
    ));
    trial
}

#[test]
fn a_night_over_tls_makes_each_pin_once_whatever_the_line_does() {
    let authority = Authority::new("devices");
    let hsm = device(&authority, NAME);
    let trial = secured(&hsm, &authority, &authority.issue("emboss"));
    trial.run(&["check"]).exits(0);
    trial.import(&orders()).exits(0);
    let before = hsm.made().len();
    hsm.fail(When::command("JG").times(1), Act::Reset(7));
    hsm.fail(When::command("CW").times(1), Act::Stall);
    hsm.fail(When::command("DG").times(1), Act::Split);
    trial.run(&["run", "--now"]).exits(0).says(&["SETTLED, 2 records", "card secrets by payshield", "adds up."]);
    let made = hsm.made().split_off(before);
    let accounts: std::collections::BTreeSet<&str> = made.iter().map(|made| made.account.as_str()).collect();
    assert_eq!((made.len(), accounts.len()), (2, 2), "one PIN for each of two cards");
    trial.run(&["run", "--now"]).exits(0);
    assert_eq!(hsm.made().len(), before + 2, "and none for anybody in the next night");
}

#[test]
fn nothing_is_asked_of_a_device_that_is_not_believed_and_nothing_of_one_that_does_not_believe_us() {
    let (authority, other) = (Authority::new("devices"), Authority::new("others"));
    let cases = [
        (device(&other, NAME), authority.issue("emboss"), "[vault.payshield.tls]"),
        (device(&authority, "hsm2.bank.example"), authority.issue("emboss"), "[vault.payshield.tls]"),
        (device(&authority, NAME), other.issue("emboss"), "certificate_file"),
    ];
    for (hsm, own, says) in cases {
        let trial = secured(&hsm, &authority, &own);
        trial.import(&orders()).exits(0);
        let told = trial.run(&["check"]).exits(1);
        assert!(told.both().contains(says) && told.both().contains(&hsm.address()), "{}", told.both());
        let night = trial.run(&["run", "--now"]);
        assert!(night.both().contains("CRYPTO_UNAVAILABLE"), "{}", night.both());
        assert_eq!(trial.delivered(), [""; 0], "{says}");
        assert_eq!(hsm.journal().count(), 0, "{says}: a command was sent");
    }
}

#[test]
fn a_key_that_others_may_read_is_not_used() {
    let authority = Authority::new("devices");
    let hsm = device(&authority, NAME);
    let trial = secured(&hsm, &authority, &authority.issue("emboss"));
    trial.set_mode("keys/hsm-client.key", 0o644);
    let told = trial.run(&["check"]).exits(1);
    assert!(told.both().contains("hsm-client.key"), "{}", told.both());
    assert_eq!(hsm.journal().connections(), 0);
}
