//! More embossing houses for an installation, each with a key and a folder of its own; and what they are sent.

use std::fs;
use std::path::PathBuf;

use chrono::{TimeDelta, Utc};
use emboss::seal::generate_key;
use serde_json::{Value, json};

use crate::support::trial::{Trial, card, names};

/// Adds a house with an agreement; its files go to the folder `out-CODE`.
pub(crate) fn add_house(site: &Trial, code: &str) {
    let key = generate_key(&format!("{code} <incoming@house.example>"), Utc::now() - TimeDelta::days(1)).unwrap();
    fs::write(site.path(&format!("keys/{code}.asc")), &key.certificate).unwrap();
    fs::write(site.path(&format!("keys/{code}.key")), &*key.secret_key).unwrap();
    site.set_mode(&format!("keys/{code}.key"), 0o600);
    fs::create_dir(folder_of(site, code)).unwrap();
    site.configure_more(&format!(
        "[[manufacturer]]\ncode = \"{code}\"\npin_keys = [\"zpk-x-1\"]\ndestination = \"to-{code}\"\n\
         recipients = [{{ certificate_file = \"keys/{code}.asc\", fingerprint = \"{}\" }}]\n\
         [[destination]]\nname = \"to-{code}\"\nkind = \"directory\"\nenvironment = \"test\"\n\
         directory = \"out-{code}\"\n\
         [[agreement]]\ninstitution = \"246001\"\nmanufacturer = \"{code}\"\nformat = \"xml\"\nversion = 2",
        key.fingerprint
    ));
}

/// The folder of that house.
pub(crate) fn folder_of(site: &Trial, code: &str) -> PathBuf {
    site.path(&format!("out-{code}"))
}

/// The names in it.
pub(crate) fn sent_to(site: &Trial, code: &str) -> Vec<String> {
    names(&folder_of(site, code))
}

/// An order of a card that this house makes.
pub(crate) fn card_of(code: &str, card_id: u32) -> Value {
    card(&format!("{code}-{card_id}"), &card_id.to_string(), &json!({ "embossing": embossing(code, "Monica") }))
}

/// What goes onto it.
pub(crate) fn embossing(code: &str, first_name: &str) -> Value {
    json!({ "firstName": first_name, "lastName": "Liikamaa", "manufacturer": code })
}
