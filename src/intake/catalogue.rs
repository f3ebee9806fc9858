//! What orders may refer to: the institutions and products of the configuration.

use std::collections::BTreeMap;

use crate::agreement::{Institution, Product};
use crate::card::InstitutionId;
use crate::order::{ErrorCode, Refusal};

/// Institutions and their products.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    institutions: BTreeMap<InstitutionId, Offer>,
}

/// One institution and what it offers.
#[derive(Debug, Clone)]
pub struct Offer {
    institution: Institution,
    products: BTreeMap<String, Product>,
}

impl Catalogue {
    /// From the configuration, which has checked that every product's institution is there.
    pub fn new(
        institutions: impl IntoIterator<Item = Institution>,
        products: impl IntoIterator<Item = Product>,
    ) -> Self {
        let offer =
            |institution: Institution| (institution.id.clone(), Offer { institution, products: BTreeMap::new() });
        let mut institutions: BTreeMap<_, _> = institutions.into_iter().map(offer).collect();
        for product in products {
            if let Some(offer) = institutions.get_mut(&product.institution) {
                offer.products.insert(product.code.clone(), product);
            }
        }
        Self { institutions }
    }

    /// What an institution offers.
    ///
    /// # Errors
    /// INSTITUTION_UNKNOWN.
    pub fn offer(&self, institution: &InstitutionId) -> Result<&Offer, Refusal> {
        self.institutions.get(institution).ok_or_else(|| {
            ErrorCode::InstitutionUnknown.because(format!("institution {institution} is not in the configuration"))
        })
    }
}

impl Offer {
    /// The product of a code, or the institution's default where an order names none.
    ///
    /// # Errors
    /// PRODUCT_MISSING or PRODUCT_UNKNOWN.
    pub fn product(&self, code: Option<&str>) -> Result<&Product, Refusal> {
        let id = &self.institution.id;
        let Some(code) = code.or(self.institution.default_product.as_deref()) else {
            let reason = format!("body.productCode is missing, and institution {id} has no default product");
            return Err(ErrorCode::ProductMissing.because(reason));
        };
        let product = self.products.get(code);
        product
            .ok_or_else(|| ErrorCode::ProductUnknown.because(format!("institution {id} has no product of that code")))
    }

    /// Whether the institution may send PIN blocks under a key.
    pub fn takes_pins_under(&self, key_id: &str) -> bool {
        self.institution.set_pin_keys.iter().any(|key| key == key_id)
    }

    /// Whether a card number begins with a prefix of any product of the institution.
    pub fn has_range(&self, digits: &str) -> bool {
        self.products
            .values()
            .flat_map(|product| &product.pan_prefixes)
            .any(|prefix| digits.starts_with(prefix.as_str()))
    }
}
