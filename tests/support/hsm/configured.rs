//! An installation with these devices in the place of software: what stands in its configuration, and the key files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::lmk::{Dialect, Use};
use super::{Hsm, vector_key};

/// Keys of the trial and of the fixtures, with what takes their place under the LMK: label in `vectors.json`, use, usage,
/// check value.
const KEYS: [(&str, &str, Use, &str, &str); 5] = [
    ("cvk-1", "CVK_A_B", Use::Cvk, "C0", "E5063D"),
    ("cvk2-1", "CVK2_A_B", Use::Cvk, "C0", "D8F71C"),
    ("pvk-1", "PVK_1", Use::Pvk, "V2", "17FB96"),
    ("zpk-x-1", "ZPK_TDES_2KEY", Use::Zpk, "P0", "D4574E"),
    ("zpk-bank-1", "ZPK_TDES_3KEY", Use::Zpk, "P0", "99A4C8"),
];

/// Gives the devices, which have one LMK, the keys of cards of the installation in `home`; `more` are further lines of
/// `[vault.payshield]`.
pub fn put_into(home: &Path, devices: &[&Hsm], more: &str) {
    let path = home.join("emboss.toml");
    let mut text = fs::read_to_string(&path).expect("a configuration");
    assert!(text.contains("provider = \"software\""), "{text}");
    text = text.replace("provider = \"software\"", "provider = \"payshield\"");
    // A key of cards that no device has is refused; no house of the fixtures' first night has this one.
    if let Some((before, after)) = text.split_once("[[key]]\nid = \"zpk-y-1\"\n") {
        let (_, after) = after.split_once("\n[").expect("a section behind it");
        text = format!("{before}[{after}");
    }
    for (id, label, what_for, usage, kcv) in KEYS {
        let Some((before, after)) = text.split_once(&format!("id = \"{id}\"\n")) else { continue };
        let (_, after) = after.split_once("kcv = \"").expect("a check value");
        let (_, after) = after.split_once('\n').expect("a line");
        let algorithm = if label.ends_with("3KEY") { "TDES_3KEY" } else { "TDES_2KEY" };
        let lmk = format!("lmk = {{ usage = \"{usage}\", algorithm = \"{algorithm}\" }}");
        text = format!("{before}id = \"{id}\"\nblock_file = \"keys/{id}.lmk\"\n{lmk}\nkcv = \"{kcv}\"\n{after}");
        let file = home.join(format!("keys/{id}.lmk"));
        fs::write(&file, devices[0].wrapped(&vector_key(label), what_for)).expect("written");
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("set");
    }
    let addresses: Vec<String> = devices.iter().map(|device| format!("{:?}", device.address())).collect();
    let lmk = if devices[0].dialect() == Dialect::Variant { "variant" } else { "keyblock" };
    text += &format!(
        "\n[vault.payshield]\nlmk = \"{lmk}\"\nlmk_check_value = \"{}\"\ndevices = [{}]\n{more}\n",
        devices[0].check_value(),
        addresses.join(", ")
    );
    fs::write(path, text).expect("written");
}
