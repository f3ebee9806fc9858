//! Invented cardholders: who they are follows from their number alone, so that every run has the same ones.

use emboss::card::CardId;

use crate::Outcome;

const FIRST: [&str; 24] = [
    "Monica",
    "Åke",
    "Björn",
    "Zoé",
    "Jürgen",
    "Søren",
    "Aino",
    "Päivi",
    "Élodie",
    "Märta",
    "Øystein",
    "Anna-Liisa",
    "Göran",
    "Kalle",
    "Ülle",
    "Sebastian",
    "Ida",
    "Wilhelmina",
    "René",
    "Jörg",
    "Siri",
    "Noah",
    "Maja",
    "Eero",
];
const LAST: [&str; 24] = [
    "Liikamaa",
    "Öberg",
    "Åkerström",
    "Müller",
    "Sjögren",
    "Hämäläinen",
    "Sørensen",
    "Lindqvist",
    "Pérez",
    "Virtanen",
    "Bäckström",
    "O'Neill",
    "Köhler",
    "Mäkelä",
    "Ericsson",
    "Ångström",
    "Kjær",
    "Dupré",
    "Järvinen",
    "Holm",
    "Strömberg",
    "Lehtonen",
    "Weiss",
    "Svensson",
];
const STREETS: [&str; 12] = [
    "Strandgatan",
    "Torggatan",
    "Mannerheimintie",
    "Königsallee",
    "Sommarvägen",
    "Östra Esplanaden",
    "Rue de l'Été",
    "Ålandsvägen",
    "Hämeenkatu",
    "Kings street",
    "Nørregade",
    "Skärgårdsvägen",
];
const CITIES: [(&str, &str, &str); 8] = [
    ("Mariehamn", "FIN", "Åland Islands"),
    ("Jyväskylä", "FIN", "Keski-Suomi"),
    ("Göteborg", "SWE", "Västra Götaland"),
    ("Düsseldorf", "DEU", "Nordrhein-Westfalen"),
    ("Århus", "DNK", "Midtjylland"),
    ("Tromsø", "NOR", "Troms"),
    ("Tallinn", "EST", "Harju maakond"),
    ("Orléans", "FRA", "Centre-Val de Loire"),
];
const LOCALES: [&str; 4] = ["fi_FI", "sv_FI", "sv_SE", "de_DE"];
const COMPANIES: [&str; 4] = ["Åkerström & Söner Ab", "O'Neill Shipping Oy", "Bäckerei Köhler", "Holm + Holm"];

/// A person.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Person {
    pub(crate) number: u64,
    dice: u64,
}

impl Person {
    pub(crate) fn of(number: u64) -> Self {
        // The finaliser of SplitMix64: neighbours have nothing in common.
        let mut dice = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        dice = (dice ^ (dice >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        dice = (dice ^ (dice >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self { number, dice: dice ^ (dice >> 31) }
    }

    /// One of `count`, by a throw of its own.
    fn throw(self, which: u32, count: usize) -> usize {
        usize::try_from(self.dice.rotate_left(which * 11) % 65_521).unwrap_or_default() % count
    }

    pub(crate) fn first_name(self) -> &'static str {
        FIRST[self.throw(0, FIRST.len())]
    }

    pub(crate) fn last_name(self) -> &'static str {
        LAST[self.throw(1, LAST.len())]
    }

    pub(crate) fn locale(self) -> &'static str {
        LOCALES[self.throw(2, LOCALES.len())]
    }

    /// One card in four carries a company's name.
    pub(crate) fn company(self) -> Option<&'static str> {
        COMPANIES.get(self.throw(3, COMPANIES.len() * 4)).copied()
    }

    pub(crate) fn salutation(self) -> Option<&'static str> {
        ["Ms", "Mr", "Dr"].get(self.throw(4, 5)).copied()
    }

    /// One card in three goes to an address of its own.
    pub(crate) fn has_card_address(self) -> bool {
        self.throw(0, 3) == 0
    }

    pub(crate) fn mobile(self) -> String {
        format!("+35840{:07}", self.number % 10_000_000)
    }

    /// An address object; `which` 0 is the home.
    pub(crate) fn address(self, which: u32) -> String {
        let street = STREETS[self.throw(which, STREETS.len())];
        let (city, country, region) = CITIES[self.throw(which + 1, CITIES.len())];
        let (house, flat) = (1 + self.throw(which + 2, 180), 1 + self.throw(which + 3, 90));
        let second = if flat % 2 == 0 { format!(r#","address2":"B {flat}""#) } else { String::new() };
        let zip_code = 10_000 + self.throw(which + 4, 89_999);
        format!(
            r#"{{"address1":"{street} {house}"{second},"city":"{city}","zipCode":"{zip_code}","country":"{country}","region":"{region}"}}"#
        )
    }
}

/// The card of a number.
pub(crate) fn card_id(number: u64) -> Outcome<CardId> {
    Ok(CardId::new(3_000_000_000 + i64::try_from(number)?).ok_or("no card id is left")?)
}
