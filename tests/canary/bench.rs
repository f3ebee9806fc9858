//! An installation with known secrets in it, and the secrets.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::canaries::{Canary, files};
use super::tree::Document;
use super::{scenario, support};

/// The card numbers in the JWEs of `pan-from-encrypted-data`, and one that only refused orders hold.
pub const PANS: [&str; 3] = ["4000001234567899", "2223001234567894", "4000000518403037"];
/// PINs 1234 and 0000 of the first of them under ZPK_TDES_3KEY; of the second the last digit is another.
pub const PIN_BLOCK: &str = "189CA6D6D9981ABA";
pub const REFUSED_PIN_BLOCK: &str = "6D4D5AADD4375848";
pub const REFUSED_PAN: &str = PANS[2];
pub const FIRST_NAME: &str = "Canaria";
pub const LAST_NAME: &str = "Vogelsang-Quux";
pub const STREET: &str = "Canary lane 77";
pub const AFTER_ALL: &str = "20350101T000000";

/// An installation that the real program works in; what it said is kept in `told/`.
pub struct Bench {
    pub folder: tempfile::TempDir,
    pub told: Vec<String>,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path();
        support::fixtures::copy_keys(&path.join("keys"));
        for name in ["out", "told", "tmp"] {
            support::fixtures::make_folder(&path.join(name));
        }
        let config = fs::read_to_string(scenario::fixtures().join("pan-from-encrypted-data/emboss.toml"));
        let config = config
            .expect("emboss.toml")
            .replace("[vault]\n", "[log]\nformat = \"json\"\nlevel = \"trace\"\n\n[vault]\n")
            .replacen("[[institution]]\n", "[[institution]]\nset_pin_keys = [\"zpk-bank-1\"]\n", 1);
        let bank = "[[key]]\nid = \"zpk-bank-1\"\nblock_file = \"keys/zpk-bank-1.tr31\"\nkbpk = \"main\"\n\
                    kcv = \"99A4C8\"\n\n[[institution]]\n";
        let config = config.replacen("[[institution]]\n", bank, 1);
        fs::write(path.join("emboss.toml"), config).expect("emboss.toml");
        fs::write(path.join("orders.jsonl"), orders()).expect("orders");
        Self { folder, told: Vec::new() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the program and keeps what it says.
    pub fn emboss(&mut self, arguments: &[&str], exit: i32) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_emboss"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("TMPDIR", self.path("tmp"))
            .env_remove("EMBOSS_CONFIG")
            .output()
            .expect("emboss starts");
        let name = format!("{:02}-{}", self.told.len(), arguments.join("_").replace('/', "."));
        fs::write(self.path("told").join(format!("{name}.stdout")), &output.stdout).expect("kept");
        fs::write(self.path("told").join(format!("{name}.stderr")), &output.stderr).expect("kept");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "emboss {arguments:?}: {stderr}");
        self.told.push(name);
        output
    }

    pub fn delivered(&self) -> Vec<PathBuf> {
        files(&self.path("out"), &|_| false)
    }
}

/// Two cards with known numbers, one letter address, and orders that are refused with a card number in them.
pub fn orders() -> String {
    let source =
        fs::read_to_string(scenario::fixtures().join("pan-from-encrypted-data/orders-1.jsonl")).expect("orders");
    let jwe = |card: &str| {
        let orders = source.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an order"));
        let order = orders.into_iter().find(|order| order["cardId"] == card).expect("the card");
        order["body"]["encryptedData"].as_str().expect("a JWE").to_owned()
    };
    let line = |id: &str, op: &str, rest: &str, body: &str| {
        format!(
            r#"{{"orderId":"{id}","op":"{op}","institutionId":"246001",{rest}"auditUser":"ops","body":{{{body}}}}}"#
        ) + "\n"
    };
    let address = format!(r#"{{"address1":"{STREET}","city":"Mariehamn","zipCode":"22100","country":"FIN"}}"#);
    let names = format!(r#""firstName":"{FIRST_NAME}","lastName":"{LAST_NAME}""#);
    let customer = format!(r#""customerNumber":"C1","locale":"fi_FI","regNo":"R1",{names},"address":{address}"#);
    let parties =
        |card: &str| format!(r#""customerId":"1001","accountId":"2001","cardId":"{card}","cardRole":"MAIN","#);
    let embossing = format!(r#""embossing":{{{names}}}"#);
    let card = |product: &str, jwe: &str| format!(r#""productCode":"{product}",{embossing},"encryptedData":"{jwe}""#);
    let plain = format!(r#""productCode":"VISA_CARD",{embossing}"#);
    [
        line("c-1", "createCustomer", r#""customerId":"1001","#, &customer),
        line("c-2", "createAccount", r#""customerId":"1001","accountId":"2001","#, ""),
        line("c-3", "createCard", &parties("3001"), &card("VISA_CARD", &jwe("3001"))),
        line("c-4", "createCard", &parties("3002"), &card("MC_CARD", &jwe("3002"))),
        line("c-5", "createCard", &parties("3003"), &(plain.clone() + r#","pinStatus":"W""#)),
        line("r-1", "createCard", &parties("3004"), &format!(r#"{plain},"cardNumber":"{REFUSED_PAN}""#)),
        line("r-2", "createCard", &parties("3004"), &format!(r#"{plain},"{REFUSED_PAN}":"1""#)),
        line("r-3", "createCard", &parties("3004"), &card("VISA_CARD", REFUSED_PAN)),
        line("r-4", "createCard", &parties("3004"), &format!(r#"{plain},"pinStatus":"{REFUSED_PAN}""#)),
        line("r-5", "createCard", &parties("3004"), &card("VISA_CARD", &jwe("3007"))),
        line(
            "r-6",
            "setPin",
            r#""cardId":"3001","#,
            r#""pinBlock":"311D385594D0906A","format":"ISO_0","keyId":"zpk-x-1""#,
        ),
        line("c-6", "setPin", r#""cardId":"3001","#, &set_pin(PIN_BLOCK, "zpk-bank-1")),
        line("r-7", "setPin", r#""cardId":"3001","#, &set_pin(REFUSED_PIN_BLOCK, "zpk-bank-1")),
        line("r-8", "setPin", r#""cardId":"3002","#, &set_pin(PIN_BLOCK, "zpk-bank-1")),
        line("r-9", "setPin", r#""cardId":"3001","#, &set_pin(PIN_BLOCK, PIN_BLOCK)),
        line("r-10", "setPin", r#""cardId":"3001","#, &set_pin(&format!("{REFUSED_PIN_BLOCK}00"), "zpk-bank-1")),
        format!("{REFUSED_PAN} is not JSON\n"),
        format!("{{\"orderId\":\"{REFUSED_PAN}x{FIRST_NAME} {LAST_NAME}\"}}\n"),
    ]
    .concat()
}

pub fn set_pin(block: &str, key_id: &str) -> String {
    format!(r#""pinBlock":"{block}","format":"ISO_0","keyId":"{key_id}""#)
}

/// Every key of the vectors and of `fixtures/keys`, the numbers, and the PIN blocks that orders hold.
pub fn secrets() -> Vec<Canary> {
    let mut secrets: Vec<Canary> =
        PANS.iter().map(|pan| Canary::text(format!("the PAN {}...", &pan[..6]), pan)).collect();
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../vectors.json")).expect("vectors.json");
    for (name, key) in vectors["keys"].as_object().expect("keys") {
        let bytes = hex::decode(key["hex"].as_str().expect("hexadecimal")).expect("hexadecimal");
        secrets.push(Canary::bytes(format!("the key {name}"), &bytes));
    }
    for block in [PIN_BLOCK, REFUSED_PIN_BLOCK] {
        secrets.push(Canary::text("a PIN block of an order", block));
        secrets.push(Canary::bytes("a PIN block of an order", &hex::decode(block).expect("hexadecimal")));
    }
    for number in [1, 2] {
        let text =
            fs::read_to_string(scenario::fixtures().join(format!("keys/kbpk-{number}.hex"))).expect("a component");
        secrets.push(Canary::bytes(format!("component {number}"), &hex::decode(text.trim()).expect("hexadecimal")));
    }
    secrets
}

/// Tracks and PIN blocks of a delivered document.
pub fn secrets_of(document: &Document) -> Vec<Canary> {
    let mut secrets = Vec::new();
    for card in &document.cards {
        let id = card.get("cardId").expect("a card id");
        for path in ["track1", "track2", "chip.track1", "chip.track2"] {
            secrets.push(Canary::text(format!("{path} of {id}"), card.get(path).expect("a track")));
        }
        let block = card.get("chipPin.pinBlock.value").expect("a PIN block");
        secrets.push(Canary::bytes(format!("the PIN block of {id}"), &hex::decode(block).expect("hexadecimal")));
        secrets.push(Canary::text(format!("the PIN block of {id}"), block));
    }
    secrets
}

pub fn people() -> Vec<Canary> {
    [FIRST_NAME, LAST_NAME, STREET].map(|text| Canary::text("a name or address", text)).into()
}
