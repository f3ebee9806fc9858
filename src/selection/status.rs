//! Does the card's life allow it: card status R50-R55, closing by schedule R14, expiry R15.
//!
//! Invariant: only the status at the claim counts; what a card was yesterday is not asked (R54).

use chrono::{DateTime, TimeDelta, Utc};

use super::{ReasonCode, Request, Verdict, Warning, WarningCode};
use crate::agreement::Institution;
use crate::card::{Card, CardStatus, Plastic, ProductionEvent};

/// R52: closed for good. An order made after the closing is worth an alert: somebody believes the card is open.
pub(super) fn not_final(card: &Card, request: &Request) -> Result<(), Verdict> {
    if !card.status.is_final() {
        return Ok(());
    }
    let late = request.marked_at > card.status_since;
    let when = if late { ", ordered after the closing" } else { "" };
    let mut reason =
        ReasonCode::CardStatusFinal.because(format!("status {}{when}; cancel the plastic", card.status.code()));
    reason.alert = late;
    Err(Verdict::Exclude(reason))
}

/// R50 with A25: status 50 stops the renewal and nothing else. A plastic once renewed may be made a second time.
pub(super) fn renewal_wanted(card: &Card, request: &Request) -> Result<(), Verdict> {
    let renewal = request.event == ProductionEvent::Rpl && !request.reproduction;
    if renewal && card.status == CardStatus::NoRenewal {
        return Err(Verdict::Exclude(ReasonCode::RenewalStopped.because("status 50")));
    }
    Ok(())
}

/// R51: a temporary block holds; the institution may produce on 05, never on 205.
pub(super) fn not_blocked(card: &Card, institution: &Institution) -> Result<(), Verdict> {
    let blocked = match card.status {
        CardStatus::Blocked => !institution.produce_blocked,
        CardStatus::SuspectedFraud => true,
        _ => false,
    };
    if blocked {
        return Err(Verdict::Hold(ReasonCode::CardBlocked.because(format!("status {}", card.status.code()))));
    }
    Ok(())
}

/// R14: a card that closes at T0 or before is not made any more.
pub(super) fn not_closing(card: &Card, cut_off: DateTime<Utc>) -> Result<(), Verdict> {
    if card.scheduled_closing.is_some_and(|time| time <= cut_off) {
        return Err(Verdict::Exclude(ReasonCode::CardClosedBySchedule.into()));
    }
    Ok(())
}

/// R14: the warning for a card that closes within `days` after T0.
pub(super) fn closing_soon(card: &Card, cut_off: DateTime<Utc>, days: i64) -> Option<Warning> {
    let left = card.scheduled_closing?.signed_duration_since(cut_off);
    (left <= TimeDelta::try_days(days).unwrap_or(TimeDelta::MAX))
        .then(|| Warning { code: WarningCode::ClosingSoon, detail: format!("{} days", left.num_days()) })
}

/// R15: a plastic past its last second is not made any more.
pub(super) fn not_expired(plastic: &Plastic, cut_off: DateTime<Utc>) -> Result<(), Verdict> {
    if plastic.expiry.end() <= cut_off {
        return Err(Verdict::Exclude(ReasonCode::PlasticExpired.because(format!("expiry {}", plastic.expiry))));
    }
    Ok(())
}
