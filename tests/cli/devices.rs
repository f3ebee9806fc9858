//! `emboss check` of payment HSMs: each of them is proven, step by step, and every finding names its device.

use crate::hsm::configured::put_into;
use crate::hsm::faults::{Act, When};
use crate::hsm::lmk::Dialect;
use crate::hsm::{Hsm, Setup};
use crate::support::trial::{Outcome, Trial};

/// CVV1 of 4000001234567899, 2912, 201 under CVK_A_B, as `vectors.json` has it.
const CHECK_CVV: &str = "633";

/// A trial whose keys of cards these devices have.
pub(crate) fn trial(devices: &[&Hsm]) -> Trial {
    let trial = Trial::new();
    put_into(&trial.home(), devices, "timeout_ms = 1500");
    trial
}

/// The lines about one device.
fn lines_of<'a>(outcome: &'a Outcome, device: &Hsm) -> Vec<&'a str> {
    let subject = format!("payment HSM {}: ", device.address());
    outcome.stdout.lines().filter(|line| line.contains(&subject)).collect()
}

#[test]
fn check_proves_every_device_with_every_key() {
    for dialect in [Dialect::Variant, Dialect::KeyBlock] {
        let devices = [Hsm::start(&Setup::new(dialect)), Hsm::start(&Setup { unit: 1, ..Setup::new(dialect) })];
        let trial = trial(&[&devices[0], &devices[1]]);
        let told = trial.run(&["check"]).exits(0).says(&["Nothing stands in the way of a night."]);
        for device in &devices {
            let subject = format!("ok      payment HSM {}: ", device.address());
            let expected = [
                format!("NC: its LMK has check value {}, its firmware is 1500-0023.", device.check_value()),
                "NO: it takes 64 connections at once.".to_owned(),
                "BU with cvk-1: its check value is E5063D, as configured.".to_owned(),
                "BU with cvk2-1: its check value is D8F71C, as configured.".to_owned(),
                "BU with pvk-1: its check value is 17FB96, as configured.".to_owned(),
                "BU with zpk-bank-1: its check value is 99A4C8, as configured.".to_owned(),
                "BU with zpk-x-1: its check value is D4574E, as configured.".to_owned(),
                "JA, DG, JG and EC with pvk-1 and zpk-x-1: a PIN block made for a house holds the PIN that was made."
                    .to_owned(),
                "CW with cvk2-1: it makes the same CVV twice; without check_cvv nobody knows whether the right one."
                    .to_owned(),
                "CW with cvk-1: it makes the same CVV twice; without check_cvv nobody knows whether the right one."
                    .to_owned(),
            ];
            assert_eq!(lines_of(&told, device), expected.map(|text| format!("{subject}{text}")), "{dialect:?}");
            let codes = device.journal().codes();
            let asked =
                ["NC", "NC", "NO", "BU", "BU", "BU", "BU", "BU", "JA", "DG", "JG", "EC", "CW", "CW", "CW", "CW"];
            assert_eq!(codes, asked, "{dialect:?}");
            assert_eq!(device.journal().violations(), Vec::<String>::new());
        }
        assert_eq!(trial.run(&["check", "--json"]).exits(0).object()["findings"], serde_json::json!([]));
    }
}

#[test]
fn check_tells_what_each_device_does_wrong_and_goes_on() {
    let devices = [Hsm::start(&Setup::new(Dialect::Variant)), Hsm::start(&Setup::new(Dialect::Variant))];
    let (sound, faulty) = (&devices[0], &devices[1]);
    let trial = trial(&[sound, faulty]);
    let disabled = "the command is disabled; enable it at the device's console";
    // Lines about the device, whether a night would suffer, and what is told.
    let cases: [(When, Act, usize, bool, String); 6] = [
        (
            When::command("NO"),
            Act::Error("68"),
            10,
            false,
            format!("NO: the payment HSM answered NO with error 68: {disabled}"),
        ),
        (
            When::command("CW"),
            Act::Error("68"),
            10,
            true,
            format!("CW with cvk2-1: the payment HSM answered CW with error 68: {disabled}"),
        ),
        (When::command("JG"), Act::Error("29"), 10, true, "JA, DG, JG and EC with pvk-1 and zpk-x-1: ".to_owned()),
        (When::command("EC"), Act::Error("01"), 10, true, "the PIN block of JG does not have the PVV of DG".to_owned()),
        (When::command("BU"), Act::Stall, 3, true, "BU with cvk-1: did not answer BU within 1500 ms".to_owned()),
        (When::command("NC"), Act::Error("13"), 1, true, "NC: is not used: ".to_owned()),
    ];
    for (when, act, lines, suffers, says) in cases {
        faulty.heal();
        faulty.fail(when, act.clone());
        let told = trial.run(&["check"]).exits(i32::from(suffers));
        let about = lines_of(&told, faulty);
        assert_eq!(about.len(), lines, "{act:?}: {about:?}");
        let level = if suffers { "error" } else { "warning" };
        assert!(about.iter().any(|line| line.starts_with(level) && line.contains(&says)), "{act:?}: {about:?}");
        assert!(lines_of(&told, sound).iter().all(|line| line.starts_with("ok ")), "{act:?}");
        assert_eq!(lines_of(&told, sound).len(), 10, "{act:?}");
    }
    faulty.heal();
    faulty.show_check_value("0123456789ABCDEF");
    let told = trial.run(&["check"]).exits(1);
    let about = lines_of(&told, faulty);
    assert_eq!(about.len(), 1);
    assert!(about[0].contains("NC: has another LMK than the configuration says, with check value 0123456789ABCDEF"));
    faulty.die();
    let told = trial.run(&["check"]).exits(1);
    let about = lines_of(&told, faulty);
    assert!(about.len() == 1 && about[0].contains("NC: cannot be reached ("), "{about:?}");
}

#[test]
fn check_compares_check_values_and_the_cvv_that_was_written_down() {
    let hsm = Hsm::start(&Setup::new(Dialect::KeyBlock));
    let trial = trial(&[&hsm]);
    trial.configure("kcv = \"E5063D\"\n", &format!("kcv = \"E5063D\"\ncheck_cvv = \"{CHECK_CVV}\"\n"));
    trial.run(&["check"]).exits(0).says(&["CW with cvk-1: it makes check_cvv."]);
    trial.configure(&format!("check_cvv = \"{CHECK_CVV}\""), "check_cvv = \"336\"");
    let told =
        trial.run(&["check"]).exits(1).says(&["CW with cvk-1: it does not make check_cvv; the file has another key"]);
    assert!(!told.both().contains(CHECK_CVV) && !told.both().contains("336"), "{}", told.both());
    trial.configure("check_cvv = \"336\"\n", "");
    trial.configure("kcv = \"17FB96\"", "kcv = \"17FB97\"");
    trial
        .run(&["check"])
        .exits(1)
        .says(&["BU with pvk-1: key pvk-1 has check value 17FB96 in the payment HSM, the configuration says 17FB97."]);
}
