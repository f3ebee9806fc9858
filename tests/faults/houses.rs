//! An installation as `emboss init` makes it, on either database, with more embossing houses: each has a key and a folder
//! of its own.

use std::fs;
use std::ops::Deref;

use chrono::{TimeDelta, Utc};
use emboss::seal::generate_key;
use serde_json::{Value, json};

use crate::books;
use crate::site::{Database, Servers};
use crate::support::postgres;
use crate::support::trial::{Trial, card, execute, names};

/// The installation.
#[derive(Debug)]
pub(crate) struct Home {
    trial: Trial,
    server: Option<postgres::Database>,
}

impl Deref for Home {
    type Target = Trial;

    fn deref(&self) -> &Trial {
        &self.trial
    }
}

impl Home {
    /// A new one.
    pub(crate) fn new(database: Database) -> Self {
        let home = Self { trial: Trial::new(), server: Servers::shared(database).make() };
        if let Some(server) = &home.server {
            let (url, password) = (server.url(), server.password_file());
            home.configure("\"sqlite:emboss.db\"", &format!("{url:?}\npassword_file = {password:?}"));
        }
        home
    }

    /// The first column of what a query finds, as text.
    pub(crate) fn texts(&self, query: &str) -> Vec<String> {
        match &self.server {
            Some(server) => server.psql(query).lines().map(str::to_owned).collect(),
            None => books::texts(&self.path("emboss.db"), query),
        }
    }

    /// Changes the database as a person with a shell might.
    pub(crate) fn execute(&self, statement: &'static str) {
        match &self.server {
            Some(server) => drop(server.psql(statement)),
            None => execute(&self.path("emboss.db"), statement),
        }
    }

    /// Everything that a command which does nothing leaves as it was: orders, requests, plastics, files, PINs.
    pub(crate) fn marks(&self) -> Vec<Vec<String>> {
        let queries = [
            "SELECT order_id FROM order_answer ORDER BY 1",
            "SELECT CAST(customer_id AS TEXT) FROM customer_version ORDER BY 1",
            "SELECT CAST(card_id AS TEXT) FROM card_version ORDER BY 1",
            "SELECT record_uid || ' ' || state FROM production_request ORDER BY 1",
            "SELECT CAST(plastic_id AS TEXT) || ' ' || status FROM plastic ORDER BY 1",
            "SELECT file_id || ' ' || state FROM file ORDER BY 1",
            "SELECT CAST(card_id AS TEXT) FROM pin ORDER BY 1",
        ];
        queries.iter().map(|query| self.texts(query)).chain([self.delivered(), names(&self.path("spool"))]).collect()
    }

    /// How many files were ever claimed for a house.
    pub(crate) fn files_of(&self, house: &str) -> usize {
        self.texts(&format!("SELECT file_id FROM file WHERE manufacturer = '{house}'")).len()
    }

    /// Adds a house with an agreement; its files go to the folder `out-CODE`.
    pub(crate) fn add_house(&self, code: &str) {
        let key = generate_key(&format!("{code} <incoming@house.example>"), Utc::now() - TimeDelta::days(1)).unwrap();
        fs::write(self.path(&format!("keys/{code}.asc")), &key.certificate).unwrap();
        fs::create_dir(self.path(&format!("out-{code}"))).unwrap();
        self.configure_more(&format!(
            "[[manufacturer]]\ncode = \"{code}\"\npin_keys = [\"zpk-x-1\"]\ndestination = \"to-{code}\"\n\
             recipients = [{{ certificate_file = \"keys/{code}.asc\", fingerprint = \"{}\" }}]\n\
             [[destination]]\nname = \"to-{code}\"\nkind = \"directory\"\nenvironment = \"test\"\n\
             directory = \"out-{code}\"\n\
             [[agreement]]\ninstitution = \"246001\"\nmanufacturer = \"{code}\"\nformat = \"xml\"\nversion = 2",
            key.fingerprint
        ));
    }

    /// The names in its folder.
    pub(crate) fn sent_to(&self, code: &str) -> Vec<String> {
        names(&self.path(&format!("out-{code}")))
    }
}

/// An order of a card that this house makes.
pub(crate) fn card_of(code: &str, card_id: u32) -> Value {
    card(&format!("{code}-{card_id}"), &card_id.to_string(), &json!({ "embossing": embossing(code, "Monica") }))
}

/// What goes onto it.
pub(crate) fn embossing(code: &str, first_name: &str) -> Value {
    json!({ "firstName": first_name, "lastName": "Liikamaa", "manufacturer": code })
}
