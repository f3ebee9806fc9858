//! What `emboss check` tells of the keys of cards and PINs: faults, and what ends soon.
//!
//! Only keys that something uses are told: one that has ended and has its successor stops nothing.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::line::Line;
use super::{add_once, expiry_line};
use crate::ambient::Random;
use crate::config::{Config, Finding, KeyPlace, adapters};
use crate::vault::settings::KeySettings;
use crate::vault::{CvkUse, KeyError, KeyInfo, KeyUsage, Vault};

/// Adds what is to be said of every key; the vault, where it opens.
pub(super) fn check(config: &Config, now: DateTime<Utc>, lines: &mut Vec<Line>) -> Option<Vault> {
    let (vault, left_out) = match adapters::open_vault_telling(config, Arc::new(Random::system())) {
        Ok(opened) => opened,
        Err(findings) => {
            lines.extend(findings.into_iter().map(Line::from));
            return None;
        }
    };
    lines.push(Line::good("vault", "opens every key that agreements share."));
    lines.extend(left_out.into_iter().map(Line::from));
    let terms = config.agreements.iter().filter_map(|agreement| adapters::terms(config, agreement));
    let mut unusable: Vec<Finding> = Vec::new();
    for finding in terms.flat_map(|terms| adapters::unusable_keys(&terms, &vault, now)) {
        // Agreements of one house share its keys, and all of them those of the vault.
        if !unusable.contains(&finding) {
            unusable.push(finding);
        }
    }
    let issuers = config.institutions.iter();
    unusable.extend(issuers.flat_map(|institution| adapters::unusable_issuer_keys(institution, &vault, now)));
    lines.extend(unusable.into_iter().map(Line::from));
    for key in &config.keys {
        expiring(config, key, &vault, now).into_iter().for_each(|line| add_once(lines, line));
    }
    for (key, until) in expiring_lists(config, &vault, now) {
        let told = expiry_line(key, until, now, &config.warnings.key_expiry_days);
        told.into_iter().for_each(|line| add_once(lines, line));
    }
    Some(vault)
}

/// A key of the vault or of products that ends soon or has ended. Of a card verification key also its retirement, when
/// cards that exist cannot be made again.
fn expiring(config: &Config, key: &KeySettings, vault: &Vault, now: DateTime<Utc>) -> Vec<Line> {
    let ages = &config.warnings.key_expiry_days;
    let subject = || format!("key {}", key.id);
    let mut found = Vec::new();
    let places = config.key_places(&key.id);
    if places.iter().any(|place| !place.is_of_a_zone()) {
        found.extend(key.not_after.and_then(|until| expiry_line(subject(), until, now, ages)));
    }
    let of_product = places.iter().any(|place| matches!(place, KeyPlace::Product(..)));
    let is_cvk = vault.key(&key.id).is_some_and(|info| info.usage == KeyUsage::CardVerification);
    if of_product && is_cvk {
        let early = vault.live_cvk(&key.id, CvkUse::New, now).err();
        let early = early.filter(|error| matches!(error, KeyError::TooEarly { .. }));
        found.extend(
            early.map(|error| Line::error(subject(), format!("{error}."), "No new card can be made until then.")),
        );
    }
    found.extend(key.retire_at.filter(|until| *until > now).and_then(|until| {
        let line = expiry_line(subject(), until, now, ages)?;
        let text = line.text.replace("ends on", "retires on");
        Some(Line::warning(line.subject, text, "Cards that are bound to it cannot be made again after that."))
    }));
    found
}

/// Lists of zone PIN keys behind which no other key follows: the key that ends last, and when.
fn expiring_lists(config: &Config, vault: &Vault, now: DateTime<Utc>) -> Vec<(String, DateTime<Utc>)> {
    let of_house = |ids: &[String], at| vault.zone_keys(ids, at);
    let of_issuer = |ids: &[String], at| -> Vec<&KeyInfo> {
        ids.iter().filter_map(|id| vault.live_for_issuer(id, at).ok()).collect()
    };
    let houses = config.manufacturers.iter().filter(|house| house.active);
    let houses = houses.filter_map(|house| last_of(&house.pin_keys, now, of_house));
    let issuers = config.institutions.iter().filter_map(|issuer| last_of(&issuer.set_pin_keys, now, of_issuer));
    houses.chain(issuers).map(|(id, until)| (format!("key {id}"), until)).collect()
}

/// The key with which the list is at its end, and that end; `None` where there is none, or no key is in force now, which
/// is a finding of its own.
fn last_of<'a>(
    ids: &[String],
    now: DateTime<Utc>,
    in_force: impl Fn(&[String], DateTime<Utc>) -> Vec<&'a KeyInfo>,
) -> Option<(&'a str, DateTime<Utc>)> {
    let mut last = None;
    let mut at = now;
    loop {
        let keys = in_force(ids, at);
        let Some(longest) = keys.into_iter().max_by_key(|key| key.window.not_after.unwrap_or(DateTime::<Utc>::MAX_UTC))
        else {
            return last;
        };
        let until = longest.window.not_after?;
        last = Some((longest.id.as_str(), until));
        // Files are made at whole seconds.
        at = until + TimeDelta::seconds(1);
    }
}
