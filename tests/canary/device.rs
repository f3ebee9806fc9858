//! Nights whose card secrets a payment HSM makes: what goes over the line to it and back is left behind nowhere either.

use std::fs;

use super::bench::{Bench, secrets, secrets_of};
use super::canaries::Canary;
use super::hsm::configured::put_into;
use super::hsm::faults::{Act, When};
use super::hsm::lmk::{Dialect, Lmk, Use};
use super::hsm::{Hsm, Setup, account_of, blocks, vector_key};
use super::memory::{holds_none, run_until};
use super::tree::Document;
use super::{left_behind, open, search};

/// A bench with a device in the place of software, and the PINs of two cards set through it.
fn with_device(dialect: Dialect) -> (Bench, Hsm, Lmk) {
    let setup = Setup::new(dialect);
    let (mut bench, hsm) = (Bench::new(), Hsm::start(&setup));
    put_into(bench.folder.path(), &[&hsm], "timeout_ms = 1500");
    bench.emboss(&["import", "orders.jsonl"], 1);
    (bench, hsm, Lmk::seeded(setup.seed, dialect, setup.pin_form))
}

/// The PINs as they went over the line, and what the house was sent.
fn secrets_of_the_line(bench: &Bench, hsm: &Hsm, lmk: &Lmk) -> Vec<Canary> {
    let delivered = bench.delivered();
    let [file] = delivered.as_slice() else { panic!("one file, not {delivered:?}") };
    let document = Document::read(&open(&fs::read(file).expect("the file")), "x.xml");
    assert_eq!(document.cards.len(), 2, "both cards went");
    let pins = document.cards.iter().map(|card| {
        let account = account_of(card.get("pan").expect("a number"));
        let block = hex::decode(card.get("chipPin.pinBlock.value").expect("a PIN block")).expect("hexadecimal");
        let pin = blocks::opened(0, &vector_key("ZPK_TDES_2KEY"), &account, &block).expect("a PIN");
        (account, pin)
    });
    let pins = pins.chain(hsm.made().into_iter().map(|made| (made.account, made.pin)));
    let under_lmk = pins.map(|(account, pin)| Canary::text("a PIN under the LMK", &lmk.pin(&account, &pin)));
    secrets().into_iter().chain(secrets_of(&document)).chain(under_lmk).collect()
}

#[test]
fn r138_a_night_with_a_device_leaves_nothing_of_the_line_behind() {
    for dialect in [Dialect::Variant, Dialect::KeyBlock] {
        let (mut bench, hsm, lmk) = with_device(dialect);
        // Whatever goes wrong is told, and nothing of what came. The proof of a device has a PIN made for nobody.
        hsm.fail(When::command("JA").times(1), Act::WrongHeader);
        bench.emboss(&["check"], 1);
        bench.emboss(&["check"], 0);
        hsm.fail(When::command("JG").times(1), Act::Twice);
        hsm.fail(When::command("CW").times(1), Act::Error("68"));
        bench.emboss(&["--json", "run", "--now"], 1);
        bench.emboss(&["--json", "run", "--now"], 0);
        let secrets = secrets_of_the_line(&bench, &hsm, &lmk);
        assert_eq!(search(&secrets, &left_behind(&bench)), [""; 0], "{dialect:?}");
    }
}

#[test]
fn r138_a_night_with_a_device_has_no_secret_of_the_line_in_memory_when_it_is_over() {
    for dialect in [Dialect::Variant, Dialect::KeyBlock] {
        let (bench, hsm, lmk) = with_device(dialect);
        let mut running = run_until(&bench, "run-ended");
        holds_none(&mut running, &secrets_of_the_line(&bench, &hsm, &lmk));
    }
}

/// The search would find them: the key files hold keys as they go over the line.
#[test]
fn what_goes_over_the_line_is_found() {
    let (bench, hsm, _) = with_device(Dialect::Variant);
    let key = Canary::text("a key under the LMK", &hsm.wrapped(&vector_key("CVK_A_B"), Use::Cvk));
    assert_eq!(search(&[key], &[bench.path("keys/cvk-1.lmk")]).len(), 1);
}
