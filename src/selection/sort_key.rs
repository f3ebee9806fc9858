//! Where a record stands in its file, as text that sorts by bytes.
//!
//! Invariant: two requests never have the same key, for it ends with the recordUid; and comparing keys byte by byte
//! is comparing (record type, layout code, delivery type, bulk code, plastic id as a number), absent before present
//! and text by code point, because U+0001 separates the parts and no part can hold it.

use std::fmt::Write as _;

use super::Request;
use crate::agreement::Agreement;
use crate::card::{CardDeliveryType, PlasticId, ProductionEvent};

/// The key of a record about a plastic. `layout` and `delivery` are `None` for PIN_ONLY records, which carry neither.
pub fn sort_key(
    request: &Request,
    plastic_id: PlasticId,
    layout: Option<&str>,
    delivery: Option<CardDeliveryType>,
    agreement: &Agreement,
) -> String {
    let record_type = if request.event == ProductionEvent::Ropin { '1' } else { '0' };
    let layout = layout.unwrap_or_default();
    let bulk = delivery.and_then(|kind| agreement.bulk.get(&kind)).map_or("", String::as_str);
    let delivery = delivery.map_or("", CardDeliveryType::as_str);
    let mut key = String::with_capacity(72 + layout.len() + bulk.len());
    // Safe to ignore: writing to a String cannot fail.
    let _ = write!(
        key,
        "{record_type}\u{1}{layout}\u{1}{delivery}\u{1}{bulk}\u{1}{:018}\u{1}{}",
        plastic_id.get(),
        request.record_uid
    );
    key
}
