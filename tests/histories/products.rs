//! What the bank of these histories offers, once as a configuration and once as the model knows it.

use std::fmt::Write;

/// A product, as far as rules ask for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) code: &'static str,
    /// Made as a plastic by itself; otherwise `orderPhysical` alone can make one.
    pub(crate) physical: bool,
    pub(crate) instant: bool,
    pub(crate) locked: bool,
    pub(crate) pin: bool,
    /// A record must carry it: without one no plastic can be made.
    pub(crate) service_code: bool,
    pub(crate) months: i32,
    prefix: &'static str,
}

const CARD: Product = Product {
    code: "VISA_CARD",
    physical: true,
    instant: false,
    locked: false,
    pin: true,
    service_code: true,
    months: 4,
    prefix: "40000012",
};

/// Few months, so that cards end within a history.
pub(crate) const PRODUCTS: [Product; 7] = [
    CARD,
    Product { code: "VISA_LOCKED", locked: true, months: 5, prefix: "40000013", ..CARD },
    Product { code: "VISA_INSTANT", instant: true, months: 3, prefix: "40000034", ..CARD },
    Product { code: "VISA_SAFE", instant: true, locked: true, months: 6, prefix: "40000035", ..CARD },
    Product { code: "VISA_PLAIN", pin: false, months: 7, prefix: "40000023", ..CARD },
    Product { code: "VISA_EITHER", physical: false, pin: false, months: 4, prefix: "40000066", ..CARD },
    Product {
        code: "VISA_VIRTUAL",
        physical: false,
        pin: false,
        service_code: false,
        months: 3,
        prefix: "40000099",
        ..CARD
    },
];

/// The houses with an agreement; the first is the default.
pub(crate) const HOUSES: [&str; 2] = ["FACTORY_X", "FACTORY_Y"];

/// A house that nobody has heard of.
pub(crate) const NO_HOUSE: &str = "FACTORY_GONE";

/// R110: days before the end of a plastic; the program's default.
pub(crate) const RENEWAL_DAYS: i64 = 45;

/// What differs between the banks of two histories.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) renewal: bool,
    pub(crate) mailer_for_set_pin: bool,
    pub(crate) mailer_for_reissue: bool,
    /// Format and version of each house's files.
    pub(crate) formats: [(&'static str, u8); 2],
}

impl Terms {
    /// The bank's sections of the configuration.
    pub(crate) fn configuration(&self) -> String {
        let mut text = format!(
            "[[institution]]\nid = \"246001\"\ndefault_product = \"VISA_CARD\"\ndefault_manufacturer = \"{}\"\n\
             set_pin_keys = [\"zpk-bank-1\"]\nrenewal = {}\nmailer_for_set_pin = {}\nmailer_for_reissue = {}\n",
            HOUSES[0], self.renewal, self.mailer_for_set_pin, self.mailer_for_reissue
        );
        for product in &PRODUCTS {
            text += &product.configuration();
        }
        let houses = HOUSES.iter().zip(["factory-x", "factory-y"]).zip(["ISO_0", "ISO_3"]);
        for (((house, key), block), (format, version)) in houses.zip(self.formats) {
            let fingerprint = match key {
                "factory-x" => "4D89B3FE99801ED0A7A835D8317438CA2DA0FC31",
                _ => "EBCF3F8139031F052D9780C08FF5436117CA366B",
            };
            write!(
                text,
                "[[manufacturer]]\ncode = \"{house}\"\npin_keys = [\"zpk-x-1\"]\npin_block_format = \"{block}\"\n\
                 recipients = [{{ certificate_file = \"keys/{key}.asc\", fingerprint = \"{fingerprint}\" }}]\n\
                 destination = \"local\"\n[[agreement]]\ninstitution = \"246001\"\nmanufacturer = \"{house}\"\n\
                 format = \"{format}\"\nversion = {version}\n"
            )
            .unwrap();
        }
        text + "[[destination]]\nname = \"local\"\nkind = \"directory\"\nenvironment = \"test\"\ndirectory = \"out\"\n"
    }
}

impl Product {
    fn configuration(&self) -> String {
        let form = if self.physical { "physical" } else { "virtual" };
        let mut text = format!(
            "[[product]]\ninstitution = \"246001\"\ncode = \"{}\"\nscheme = \"VISA\"\nform = \"{form}\"\n\
             pan_prefixes = [\"{}\"]\nmonths = {}\ncvv2_key = \"cvk2-1\"\n",
            self.code, self.prefix, self.months
        );
        let pvv = if self.pin { "{pvki}{pvv}" } else { "00000" };
        if self.service_code {
            text += "service_code = \"201\"\n";
        }
        if self.physical {
            text += &format!(
                "cvv_key = \"cvk-1\"\n\
                 stripe = {{ track1 = \"{pvv}{{cvv}}\", track2 = \"{pvv}{{cvv}}\" }}\n"
            );
        }
        if self.instant {
            text += "instant_issuing = true\n";
        }
        if self.locked {
            text += "produced = \"locked\"\n";
        }
        if self.pin {
            // The PIN stands on every chip, so that a file always tells it.
            text += "chip = { track1 = \"{pvki}{pvv}{cvv}\", track2 = \"{pvki}{pvv}{cvv}\", offline_pin = true }\n\
                     pin = { pvv_key = \"pvk-1\", pvki = \"1\" }\n";
        }
        text
    }

    /// R4 with A23: whether a plastic is wanted of a card and can be made of this product.
    pub(crate) fn wants_plastic(&self, asked: Option<bool>) -> bool {
        asked.unwrap_or(self.physical) && (self.physical || self.service_code)
    }
}
