//! The order in which rules are asked: the one place that knows which reason wins.
//!
//! The first rule that objects gives the reason, so the order is: what cannot change, what a person must repair,
//! what passes by itself, what the data lack. A wait for a PIN is never hidden behind a fault of the data: it is told
//! first, and the fault when the wait is over.
//!
//! | # | rule | verdict |
//! |---|---|---|
//! | 1 | R124 the plastic is gone | Exclude CANCELLED |
//! | 2 | R5 virtual event | Exclude VIRTUAL_EVENT, alert |
//! | 3 | R4, A23 no plastic wanted | Exclude PHYSICAL_FALSE |
//! | 4 | R52 card closed for good | Exclude CARD_STATUS_FINAL, alert if ordered afterwards |
//! | 5 | R50 renewal of status 50 | Exclude RENEWAL_STOPPED |
//! | 6 | R14 closes by schedule | Exclude CARD_CLOSED_BY_SCHEDULE |
//! | 7 | R15 expired | Exclude PLASTIC_EXPIRED |
//! | 8 | R3 status of the plastic | Hold EVENT_SEQUENCE_MISMATCH |
//! | 9 | R13 two marked plastics | Hold DUPLICATE_MARKED, alert |
//! | 10 | R21, R22 place of the event | Exclude or Hold EVENT_SEQUENCE_MISMATCH |
//! | 11 | R51 temporary block | Hold CARD_BLOCKED |
//! | 12 | product not configured | Hold PRODUCT_UNKNOWN |
//! | 13 | R30 waits for the PIN | Hold HELD_PIN_WAIT |
//! | 14 | R27 electronic PIN, ROPIN only | Close NOTHING_TO_PRINT |
//! | 15 | R26, R36 no PIN on record | Hold PIN_NOT_AVAILABLE |
//! | 16 | layout, R92, R90 | Hold LAYOUT_UNKNOWN, NAME_MISSING, NAME_TOO_LONG |
//! | 17 | R91, R93 line by line | Hold FIELD_TOO_LONG, CHARSET |
//! | 18 | R98 no name for the stripe | Hold NAME_MISSING |
//! | 19 | R99 | Hold ADDITIONAL_VALUE_INVALID |
//! | 20 | R80-R88 | Hold ADDRESS_MISSING, ADDRESS_INCOMPLETE, ADDRESS_TOO_LONG, ADDRESS_CHARSET |
//! | 21 | R28 the card's letter goes tonight, ROPIN only | Hold WAITING_FOR_CARD_FILE |

use chrono::{DateTime, Utc};

use super::{Candidate, PinAction, PinMailer, Production, Reason, ReasonCode, Verdict, Warning};
use super::{address, events, lines, pin, sort_key, status};
use crate::agreement::{Product, Terms};
use crate::card::{PinDeliveryType, Plastic, ProductionEvent};

/// Decides one request against T0 and the agreement's terms; the same input always gives the same verdict.
///
/// The request must be due (R6, [`is_due`](super::is_due)): the store asks for nothing else. A card that closes within
/// `closing_soon_days` after T0 is made with a warning (R14).
pub fn select(candidate: &Candidate<'_>, terms: &Terms, cut_off: DateTime<Utc>, closing_soon_days: i64) -> Verdict {
    match judge(candidate, terms, cut_off, closing_soon_days) {
        Ok(production) => Verdict::Produce(Box::new(production)),
        Err(verdict) => verdict,
    }
}

fn judge(
    candidate: &Candidate<'_>,
    terms: &Terms,
    cut_off: DateTime<Utc>,
    closing_soon_days: i64,
) -> Result<Production, Verdict> {
    let (card, request) = (&candidate.dossier.card, candidate.request);
    let product = terms.products.get(&card.product_code);
    let plastic = standing(candidate, product, cut_off)?;
    status::not_blocked(card, &terms.institution)?;
    let product = product.ok_or_else(|| {
        Verdict::Hold(ReasonCode::ProductUnknown.because(format!("{} is not configured", card.product_code)))
    })?;
    pin::not_waiting(card, request, cut_off)?;

    let mut production = if request.event == ProductionEvent::Ropin {
        pin_letter(candidate, plastic, terms, product, cut_off)?
    } else {
        card_record(candidate, terms, product, cut_off)?
    };
    if request.event == ProductionEvent::Ropin && card_letter_goes(candidate, terms, cut_off) {
        return Err(Verdict::Hold(ReasonCode::WaitingForCardFile.into()));
    }
    production.warnings.extend(status::closing_soon(card, cut_off, closing_soon_days));
    Ok(production)
}

/// Rows 1 to 10: whether there is anything to make at all. Needs no agreement, so unrouted cards are asked too.
pub(super) fn standing<'a>(
    candidate: &Candidate<'a>,
    product: Option<&Product>,
    cut_off: DateTime<Utc>,
) -> Result<&'a Plastic, Verdict> {
    let (dossier, request) = (candidate.dossier, candidate.request);
    let card = &dossier.card;
    let plastic = events::plastic(candidate)?;
    events::not_virtual(request, plastic)?;
    events::physical(card, product)?;
    status::not_final(card, request)?;
    status::renewal_wanted(card, request)?;
    status::not_closing(card, cut_off)?;
    status::not_expired(plastic, cut_off)?;
    events::status_fits(request, plastic)?;
    events::alone(candidate, cut_off)?;
    events::sequence_fits(dossier, request, plastic)?;
    Ok(plastic)
}

/// A record with a card: PIN, lines, delivery.
fn card_record(
    candidate: &Candidate<'_>,
    terms: &Terms,
    product: &Product,
    cut_off: DateTime<Utc>,
) -> Result<Production, Verdict> {
    let (dossier, request) = (candidate.dossier, candidate.request);
    let card = &dossier.card;
    let action = pin::action(dossier, request, product)?;
    let mut warnings = Vec::new();
    let lines = lines::embossing_lines(card, terms);
    lines::check(card, &lines, terms, &mut warnings).map_err(Verdict::Hold)?;
    lines::check_stripe(card, product, &mut warnings).map_err(Verdict::Hold)?;
    check_values(candidate, terms, &mut warnings)?;

    let (customer, account) = (&dossier.customer, &dossier.account);
    let delivery = address::card_delivery(card, customer, account, terms, cut_off).map_err(Verdict::Hold)?;
    let pin_mailer = if pin::is_mailed(action, card, request, &terms.institution) {
        mailer(candidate, terms, cut_off).map_err(Verdict::Hold)?
    } else {
        None
    };
    warnings.extend(address::open_ended(customer, cut_off));
    let layout = lines.external_layout_code.as_deref();
    let sort_key = sort_key::sort_key(request, request.plastic_id, layout, Some(delivery.kind), &terms.agreement);
    Ok(Production { pin: action, card_delivery: Some(delivery), pin_mailer, sort_key, warnings })
}

/// A PIN_ONLY record (R25): a letter and nothing else.
fn pin_letter(
    candidate: &Candidate<'_>,
    plastic: &Plastic,
    terms: &Terms,
    product: &Product,
    cut_off: DateTime<Utc>,
) -> Result<Production, Verdict> {
    let dossier = candidate.dossier;
    if address::pin_delivery_type(&dossier.card, terms) == PinDeliveryType::Epin {
        return Err(Verdict::Close(ReasonCode::NothingToPrint.because("pinDeliveryType EPIN")));
    }
    let action: PinAction = pin::reorderable(dossier, product)?;
    let mut warnings = Vec::new();
    check_values(candidate, terms, &mut warnings)?;
    let pin_mailer = mailer(candidate, terms, cut_off).map_err(Verdict::Hold)?;
    warnings.extend(address::open_ended(&dossier.customer, cut_off));
    let sort_key = sort_key::sort_key(candidate.request, plastic.plastic_id, None, None, &terms.agreement);
    Ok(Production { pin: action, card_delivery: None, pin_mailer, sort_key, warnings })
}

/// What card and PIN_ONLY records carry alike.
fn check_values(candidate: &Candidate<'_>, terms: &Terms, warnings: &mut Vec<Warning>) -> Result<(), Verdict> {
    let dossier = candidate.dossier;
    lines::check_values(&dossier.card, terms, warnings)
        .and_then(|()| lines::check_customer(&dossier.customer, terms))
        .and_then(|()| address::recipient_printable(&dossier.customer, &terms.manufacturer))
        .map_err(Verdict::Hold)
}

fn mailer(candidate: &Candidate<'_>, terms: &Terms, cut_off: DateTime<Utc>) -> Result<Option<PinMailer>, Reason> {
    let dossier = candidate.dossier;
    address::pin_delivery(&dossier.card, &dossier.customer, &dossier.account, terms, cut_off)
}

/// R28: whether a card of the same dossier goes tonight with a letter that tells the PIN anyway.
fn card_letter_goes(candidate: &Candidate<'_>, terms: &Terms, cut_off: DateTime<Utc>) -> bool {
    let dossier = candidate.dossier;
    dossier
        .requests
        .iter()
        .filter(|other| other.event != ProductionEvent::Ropin && events::is_due(other, cut_off))
        .map(|request| judge(&Candidate { dossier, request }, terms, cut_off, 0))
        .any(|verdict| verdict.is_ok_and(|production| production.pin_mailer.is_some()))
}
