//! Where the configuration names a key: what people are told, and whose trouble a faulty key is.

use std::fmt;

use super::Config;
use crate::agreement::Product;
use crate::card::{InstitutionId, ManufacturerCode};

/// One place that names a key; shown as section and key, for example `[[manufacturer]] FACTORY_X pin_keys 2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlace<'a> {
    /// A key of the vault's own, by its setting.
    Vault(&'static str),
    /// A card key of a product, by its setting.
    Product(&'a Product, &'static str),
    /// A zone PIN key towards a house, by its place in `pin_keys`, from 1.
    House(&'a ManufacturerCode, usize),
    /// A zone PIN key of an issuer, by its place in `set_pin_keys`, from 1.
    Issuer(&'a InstitutionId, usize),
}

impl KeyPlace<'_> {
    /// Whether only one house or issuer depends on it (R11).
    pub fn is_of_a_zone(&self) -> bool {
        matches!(self, Self::House(..) | Self::Issuer(..))
    }
}

impl fmt::Display for KeyPlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vault(setting) => write!(f, "[vault] {setting}"),
            Self::Product(product, setting) => {
                write!(f, "[[product]] {}/{} {setting}", product.institution, product.code)
            }
            Self::House(code, place) => write!(f, "[[manufacturer]] {code} pin_keys {place}"),
            Self::Issuer(id, place) => write!(f, "[[institution]] {id} set_pin_keys {place}"),
        }
    }
}

impl Config {
    /// Every place that names the key, in the order of the sections.
    pub fn key_places(&self, id: &str) -> Vec<KeyPlace<'_>> {
        let vault = &self.vault;
        let own = [
            ("data_key", Some(&vault.data_key)),
            ("pan_index_key", Some(&vault.pan_index_key)),
            ("audit_key", Some(&vault.audit_key)),
            ("pin_storage_key", vault.pin_storage_key.as_ref()),
        ];
        let of_products = self.products.iter().flat_map(|product| {
            let pvv_key = product.pin.as_ref().map(|pin| &pin.pvv_key);
            [("cvv_key", product.cvv_key.as_ref()), ("cvv2_key", Some(&product.cvv2_key)), ("pin.pvv_key", pvv_key)]
                .map(|(setting, key)| (KeyPlace::Product(product, setting), key))
        });
        let numbered = |keys: &'_ [String]| keys.iter().position(|key| key == id).map(|place| place + 1);
        let of_issuers = self.institutions.iter().filter_map(|institution| {
            numbered(&institution.set_pin_keys).map(|place| KeyPlace::Issuer(&institution.id, place))
        });
        let of_houses = self
            .manufacturers
            .iter()
            .filter_map(|house| numbered(&house.pin_keys).map(|place| KeyPlace::House(&house.code, place)));
        let single = own.into_iter().map(|(setting, key)| (KeyPlace::Vault(setting), key)).chain(of_products);
        let single = single.filter(|(_, key)| key.is_some_and(|key| key == id)).map(|(place, _)| place);
        single.chain(of_issuers).chain(of_houses).collect()
    }
}
