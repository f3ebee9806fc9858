//! From a pinned item to a record: the only place where card data, secrets and the agreement's terms meet.
//!
//! Everything is read from what the claim pinned, never from the newest version (R120), so composing again gives the
//! same bytes. Secrets stay in their types on the way into the document writer.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use futures_util::stream::{self, Stream, StreamExt};
use zeroize::Zeroizing;

use super::error::Trouble;
use crate::agreement::{Cvv2Expiry, FileVersion, Product, Terms};
use crate::card::stripe_name::{StripeName, stripe_name};
use crate::card::{Cvv, Pan, PinBlock, PlasticStatus, ProductionEvent, Track};
use crate::document::{ChipData, DeliveryBlock, EmbossingLines, PinMailerBlock, Record, RecordType};
use crate::selection::{self, PinAction, ReasonCode};
use crate::store::PinnedItem;
use crate::vault::keys::CvkUse;
use crate::vault::tracks::{self, Marks, TrackError};
use crate::vault::{CryptoError, CvvSpec, Owner, PvvSpec, StoredPin, Vault, Wrapped};

/// What makes records for one file.
pub(super) struct Personaliser<'a> {
    pub(super) vault: &'a Vault,
    pub(super) terms: &'a Terms,
    pub(super) cut_off: DateTime<Utc>,
    /// The claim's instant: keys must be live then.
    pub(super) at: DateTime<Utc>,
    pub(super) fill_seed: Zeroizing<[u8; 32]>,
    /// A duplicate repeats plastics that were made before.
    pub(super) is_duplicate: bool,
}

/// Why an item did not become a record.
pub(super) enum Fallout {
    /// This card falls out of the file and is held.
    Card(ReasonCode, String),
    /// The agreement stops; its file keeps its state.
    Stop(Trouble),
}

impl From<CryptoError> for Fallout {
    fn from(error: CryptoError) -> Self {
        let stopped = |why| {
            let detail = format!("{why}. Nothing of this file was sent and its PINs are kept; run again to go on");
            Trouble::Stopped { code: ReasonCode::CryptoUnavailable, detail }
        };
        match error {
            CryptoError::Card(detail) => Self::Card(ReasonCode::CryptoUnavailable, detail),
            CryptoError::Configuration(why) | CryptoError::Transient(why) => Self::Stop(stopped(why)),
        }
    }
}

impl From<TrackError> for Fallout {
    fn from(error: TrackError) -> Self {
        Self::Card(ReasonCode::CryptoUnavailable, error.to_string())
    }
}

/// What stripe and chip share.
struct Codes<'a> {
    name: &'a str,
    service_code: &'a str,
    pvki: Option<&'a str>,
    pvv: Option<&'a Cvv>,
}

impl Codes<'_> {
    /// Track 1, and the discretionary data of track 2, whose form differs between stripe and chip.
    fn tracks(&self, record: &Record, track1: &str, track2: &str, cvv: &Cvv) -> Result<(Track, Track), TrackError> {
        let marks = Marks { pvki: self.pvki, pvv: self.pvv, cvv: Some(cvv) };
        let data1 = tracks::discretionary(track1, marks)?;
        let track1 = tracks::track1(&record.pan, self.name, record.expiry, self.service_code, &data1)?;
        Ok((track1, tracks::discretionary(track2, marks)?))
    }
}

/// An item's PIN in the forms a record needs.
struct Pin {
    block: PinBlock,
    pvv: Option<Cvv>,
}

/// Why no PIN block can be made for a file that was claimed at `at`.
fn no_zone_key(pin_keys: &[String], house: &str, at: DateTime<Utc>) -> String {
    if pin_keys.is_empty() {
        return format!("manufacturer {house} has no pin_keys, but its cards have PINs");
    }
    format!(
        "none of the pin_keys {} of manufacturer {house} was in force at {at}, when the file was claimed: put the one that was back, or correct its window, until the file is sealed",
        pin_keys.join(", ")
    )
}

/// R69: a plastic that was moved behind the claim's back is not made; its item is released.
fn still_to_be_made(item: &PinnedItem) -> Result<(), Fallout> {
    let status = item.plastic.status;
    let moves = item.event != ProductionEvent::Ropin && !item.reproduction;
    if moves && status != PlasticStatus::Inactive {
        let why = format!("plastic {} is {status}, no longer INACTIVE", item.plastic.plastic_id);
        return Err(Fallout::Card(ReasonCode::SettleMismatch, why));
    }
    Ok(())
}

impl Personaliser<'_> {
    /// The records of a page in its order, the first with this number: as many are in the making as the provider answers
    /// at once, and no more wait to be taken.
    pub(super) fn records<'s>(
        &'s self,
        first: u64,
        items: &'s [PinnedItem],
    ) -> impl Stream<Item = (&'s PinnedItem, Result<Record, Fallout>)> {
        let making = stream::iter((first..).zip(items))
            .map(move |(number, item)| async move { (item, self.record(number, item).await) });
        match self.vault.crypto().at_once() {
            // Queueing what cannot wait would only cost room for each record.
            0 | 1 => making.then(|made| made).left_stream(),
            at_once => making.buffered(at_once).right_stream(),
        }
    }

    /// The record of one item.
    async fn record(&self, number: u64, item: &PinnedItem) -> Result<Record, Fallout> {
        let owner = Owner { institution: self.terms.institution.id.clone(), card_id: Some(item.card_id) };
        let pan = self
            .vault
            .open_pan(&owner, &Wrapped(item.pan.clone()))
            .map_err(|error| Fallout::Card(ReasonCode::CardDataUnavailable, error.to_string()))?;
        if !self.is_duplicate {
            still_to_be_made(item)?;
        }
        let product = self.product(item)?;
        let pin = self.pin(&owner, &pan, product, item).await?;
        let mut record = self.frame(number, item, pan);
        if item.event != ProductionEvent::Ropin {
            self.put_card(&mut record, product, item, pin.as_ref()).await?;
        }
        if item.prints_pin {
            let Some(pin) = &pin else {
                return Err(Fallout::Card(ReasonCode::PinNotAvailable, "no PIN is on record".to_owned()));
            };
            record.pin_mailer = Some(self.pin_mailer(item, pin)?);
        }
        Ok(record)
    }

    fn product(&self, item: &PinnedItem) -> Result<&Product, Fallout> {
        let code = &item.card.product_code;
        self.terms
            .products
            .get(code)
            .ok_or_else(|| Fallout::Card(ReasonCode::ProductUnknown, format!("product {code} is no longer configured")))
    }

    /// What every record has.
    fn frame(&self, number: u64, item: &PinnedItem, pan: Pan) -> Record {
        let pin_only = item.event == ProductionEvent::Ropin;
        Record {
            record_number: number,
            record_uid: item.record_uid,
            record_type: if pin_only { RecordType::PinOnly } else { RecordType::Card },
            production_event: item.event,
            reproduction: item.reproduction,
            card_id: item.card_id,
            plastic_id: item.plastic.plastic_id,
            customer_id: Some(item.card.customer_id),
            account_id: Some(item.card.account_id),
            customer_number: self.in_v2(|| item.customer.customer_number.clone()),
            card_role: item.card.role,
            product_code: Some(item.card.product_code.clone()),
            scheme: item.card.scheme,
            pan_masked: pan.masked(self.terms.agreement.pan_mask),
            pan,
            sequence_number: item.plastic.sequence_number,
            expiry: item.plastic.expiry,
            valid_from: None,
            service_code: None,
            cvv2: None,
            track1: None,
            track2: None,
            chip: None,
            embossing: None,
            external_layout_code: None,
            segment: None,
            additional_values: Vec::new(),
            card_delivery: None,
            locale: item.customer.locale.clone(),
            bulk_code: None,
            carrier: None,
            chip_pin: None,
            pin_mailer: None,
        }
    }

    /// What a CARD record has beside that.
    async fn put_card(
        &self,
        record: &mut Record,
        product: &Product,
        item: &PinnedItem,
        pin: Option<&Pin>,
    ) -> Result<(), Fallout> {
        let card = &item.card;
        let delivery = selection::card_delivery(card, &item.customer, &item.account, self.terms, self.cut_off)
            .map_err(|reason| Fallout::Card(reason.code, reason.detail))?;
        let lines = selection::embossing_lines(card, self.terms);
        record.external_layout_code = lines.external_layout_code.as_deref().map(str::to_owned);
        let layout = self.terms.layout(lines.external_layout_code.as_deref());
        record.segment = card.segment;
        record.bulk_code = self.terms.agreement.bulk.get(&delivery.kind).cloned().filter(|_| self.is_v2());
        record.carrier = layout.and_then(|layout| layout.carrier.clone()).filter(|_| self.is_v2());
        record.additional_values = selection::additional_values(card, self.terms);
        record.card_delivery = Some(DeliveryBlock {
            kind: delivery.kind,
            recipient: Some(selection::recipient(&item.customer)),
            address: delivery.address,
            address_source: self.in_v2(|| delivery.source),
            phone: item.customer.mobile_number.clone().filter(|_| self.is_v2() && self.terms.agreement.include_phone),
        });
        record.embossing = Some(self.embossing(lines));
        record.service_code.clone_from(&product.service_code);
        self.put_codes(record, product, item, pin).await?;
        if let (Some(chip), Some(pin)) = (&product.chip, pin) {
            record.chip_pin = chip.offline_pin.then(|| pin.block.clone());
        }
        Ok(())
    }

    /// CVV2, stripe and chip.
    async fn put_codes(
        &self,
        record: &mut Record,
        product: &Product,
        item: &PinnedItem,
        pin: Option<&Pin>,
    ) -> Result<(), Fallout> {
        let plastic = &item.plastic;
        let cvv2 = CvvSpec {
            key_id: &plastic.cvv2_key,
            expiry: plastic.expiry,
            order: product.cvv2_expiry,
            service_code: "000",
        };
        record.cvv2 = Some(self.cvv(&record.pan, &cvv2).await?);
        if product.stripe.is_none() && product.chip.is_none() {
            return Ok(());
        }
        let lines = &item.card.embossing;
        let StripeName { name, .. } = stripe_name(
            lines.first_name.as_deref(),
            lines.last_name.as_deref(),
            lines.company_name.as_deref(),
            lines.additional_field1.as_deref(),
        )
        .map_err(|error| Fallout::Card(ReasonCode::NameMissing, error.to_string()))?;
        let codes = Codes {
            name: &name,
            service_code: product.service_code.as_deref().unwrap_or_default(),
            pvki: product.pin.as_ref().map(|pin| pin.pvki.as_str()),
            pvv: pin.and_then(|pin| pin.pvv.as_ref()),
        };
        if let Some(stripe) = &product.stripe {
            let cvv = self.cvv1(&record.pan, item, codes.service_code).await?;
            let (track1, data2) = codes.tracks(record, &stripe.track1, &stripe.track2, &cvv)?;
            record.track1 = Some(track1);
            record.track2 = Some(tracks::track2(&record.pan, plastic.expiry, codes.service_code, &data2)?);
        }
        if let Some(chip) = &product.chip {
            let icvv = self.cvv1(&record.pan, item, "999").await?;
            let (track1, data2) = codes.tracks(record, &chip.track1, &chip.track2, &icvv)?;
            let track2 = tracks::chip_track2(&record.pan, plastic.expiry, codes.service_code, &data2)?;
            record.chip = Some(ChipData { track1, track2, name });
        }
        Ok(())
    }

    fn embossing(&self, lines: selection::Lines<'_>) -> EmbossingLines {
        EmbossingLines {
            name_line: lines.name_line(),
            first_name: lines.first_name.map(Cow::into_owned),
            last_name: lines.last_name.map(Cow::into_owned),
            additional_embossing_name: lines.additional_embossing_name.map(Cow::into_owned),
            company_name: lines.company_name.map(Cow::into_owned),
            additional_fields: lines.additional_fields.map(|line| line.map(Cow::into_owned)),
            character_set: self.terms.agreement.character_set,
        }
    }

    async fn cvv1(&self, pan: &Pan, item: &PinnedItem, service_code: &str) -> Result<Cvv, Fallout> {
        let Some(key_id) = item.plastic.cvv_key.as_deref() else {
            let why = format!("plastic {} has no CVV key pinned", item.plastic.plastic_id);
            return Err(Fallout::Card(ReasonCode::CryptoUnavailable, why));
        };
        let spec = CvvSpec { key_id, expiry: item.plastic.expiry, order: Cvv2Expiry::Yymm, service_code };
        self.cvv(pan, &spec).await
    }

    /// A key that ended takes no new cards, yet serves reissues until it retires.
    async fn cvv(&self, pan: &Pan, spec: &CvvSpec<'_>) -> Result<Cvv, Fallout> {
        self.vault
            .live_cvk(spec.key_id, CvkUse::Reissue, self.at)
            .map_err(|error| Fallout::Card(ReasonCode::CryptoUnavailable, error.to_string()))?;
        Ok(self.vault.crypto().cvv(pan, spec).await?)
    }

    /// The item's PIN, where the record carries it or its PVV.
    async fn pin(
        &self,
        owner: &Owner,
        pan: &Pan,
        product: &Product,
        item: &PinnedItem,
    ) -> Result<Option<Pin>, Fallout> {
        let Some(row) = &item.pin else {
            return match item.pin_action {
                // Issued before composing begins: without it the card would go out with a chip nobody can use.
                PinAction::Generate => {
                    Err(Fallout::Card(ReasonCode::PinNotAvailable, "its PIN was not issued".to_owned()))
                }
                PinAction::None | PinAction::Stored => Ok(None),
            };
        };
        let lost = |error: crate::vault::VaultError| Fallout::Card(ReasonCode::PinNotAvailable, error.to_string());
        let stored = self.vault.open_pin(owner, row.version, &Wrapped(row.stored.clone())).map_err(lost)?;
        let pvv = match (&row.pvv, &product.pin) {
            (Some(wrapped), _) => {
                Some(self.vault.open_pvv(owner, row.version, &Wrapped(wrapped.clone())).map_err(lost)?.value)
            }
            (None, Some(terms)) => {
                let spec = PvvSpec { key_id: terms.pvv_key.clone(), pvki: terms.pvki.clone() };
                Some(self.vault.crypto().pvv(pan, &stored, &spec).await?.value)
            }
            (None, None) => None,
        };
        Ok(Some(Pin { block: self.block(pan, &stored, item).await?, pvv }))
    }

    async fn block(&self, pan: &Pan, stored: &StoredPin, item: &PinnedItem) -> Result<PinBlock, Fallout> {
        let manufacturer = &self.terms.manufacturer;
        let Some(zpk) = self.vault.zone_key(&manufacturer.pin_keys, self.at) else {
            let detail = no_zone_key(&manufacturer.pin_keys, manufacturer.code.as_str(), self.at);
            return Err(Fallout::Stop(Trouble::Stopped { code: ReasonCode::KeyUnusable, detail }));
        };
        let fill = self.vault.fill(&self.fill_seed, item.record_uid);
        Ok(self.vault.crypto().pin_block(pan, stored, &zpk.id, manufacturer.pin_block_format, fill).await?)
    }

    fn pin_mailer(&self, item: &PinnedItem, pin: &Pin) -> Result<PinMailerBlock, Fallout> {
        let delivery = selection::pin_delivery(&item.card, &item.customer, &item.account, self.terms, self.cut_off)
            .map_err(|reason| Fallout::Card(reason.code, reason.detail))?
            .ok_or_else(|| {
                Fallout::Card(ReasonCode::NothingToPrint, "the PIN is delivered electronically".to_owned())
            })?;
        Ok(PinMailerBlock {
            delivery_type: delivery.kind,
            recipient: Some(selection::recipient(&item.customer)),
            address: delivery.address,
            address_source: self.in_v2(|| delivery.source),
            pin_block: pin.block.clone(),
        })
    }

    fn is_v2(&self) -> bool {
        self.terms.agreement.version == FileVersion::V2
    }

    fn in_v2<T>(&self, value: impl FnOnce() -> T) -> Option<T> {
        self.is_v2().then(value)
    }
}
