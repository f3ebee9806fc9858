//! Which of an institution's due cards one asks for: each has exactly one route (R8).

use crate::agreement::{Institution, Terms};
use crate::card::ManufacturerCode;

/// The house a card goes to, as text in its embossing object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Cards of this house; with `is_default`, cards that name none too.
    Manufacturer {
        /// The house.
        code: ManufacturerCode,
        /// Whether it is the institution's default.
        is_default: bool,
    },
    /// Cards that name none of `known`; cards that name none at all only where there is no default.
    Elsewhere {
        /// Houses with an active agreement.
        known: Vec<ManufacturerCode>,
        /// Whether the institution has a default house that is one of `known`.
        has_default: bool,
    },
}

impl Route {
    /// The cards an agreement takes.
    pub fn of(terms: &Terms) -> Self {
        let code = terms.manufacturer.code.clone();
        let is_default = terms.institution.default_manufacturer.as_ref() == Some(&code);
        Self::Manufacturer { code, is_default }
    }

    /// The cards that none of the active agreements takes; all of an institution that is not configured.
    pub fn elsewhere(active: &[Terms], configured: Option<&Institution>) -> Self {
        let Some(institution) = configured else {
            return Self::Elsewhere { known: Vec::new(), has_default: false };
        };
        let ours = active.iter().filter(|terms| terms.institution.id == institution.id);
        let known: Vec<ManufacturerCode> = ours.map(|terms| terms.manufacturer.code.clone()).collect();
        let has_default = institution.default_manufacturer.as_ref().is_some_and(|code| known.contains(code));
        Self::Elsewhere { known, has_default }
    }
}
