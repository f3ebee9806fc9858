//! Rotation of the data key: every secret that stands sealed under another key is sealed anew under the present one.
//!
//! Invariants: a value is replaced only where it is still the one that was read, and only after it opened for its own row,
//! so that nothing is lost whatever else is at work; what does not open stays as it is and is told; a page at a time is in
//! memory; stopped or killed anywhere, the next call goes on, because a value says itself under which key it stands.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::store::{KeyUse, Resealed, SealedKind, SealedPlace, SealedRow, Store, StoreError, UsedFor};
use crate::vault::{Owner, Purpose, Vault, VaultError, Wrapped};

/// Values read at once, and replaced in one transaction: a fraction of a second, so that others come in between.
const PAGE: u32 = 500;

/// How often everything is gone through where values were passed over because somebody was writing to their rows.
const ROUNDS: u32 = 3;

/// One rotation.
#[derive(Debug, Clone, Copy)]
pub struct Rotation<'a> {
    /// Where the values stand.
    pub store: &'a dyn Store,
    /// Opens them under any key and seals them under the data key.
    pub vault: &'a Vault,
    /// Ends it behind the page that is being written.
    pub stop: &'a AtomicBool,
}

/// What is told on the way.
#[derive(Debug)]
pub enum Told<'a> {
    /// So many values of a kind were looked at.
    Looked(SealedKind, u64),
    /// This one does not open and stays as it is; the sentence names institution, card or file, and key.
    Unreadable(&'a VaultError),
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rotated {
    /// Values sealed anew, by kind.
    pub resealed: BTreeMap<SealedKind, u64>,
    /// Values that do not open, by the key they stand under; `None` for what does not begin as sealed.
    pub unreadable: BTreeMap<Option<String>, u64>,
    /// Values that somebody else was writing to the last time they were looked at.
    pub passed_over: u64,
    /// Whether it was told to stop.
    pub stopped: bool,
}

impl Rotation<'_> {
    /// Seals anew whatever stands under another key than the present data key.
    ///
    /// # Errors
    /// [`StoreError`]; what was written until then stays.
    pub async fn run(&self, tell: &mut (dyn FnMut(Told<'_>) + Send)) -> Result<Rotated, StoreError> {
        let mut resealed: BTreeMap<SealedKind, u64> = SealedKind::ALL.iter().map(|kind| (*kind, 0)).collect();
        let mut rotated = Rotated::default();
        for round in 0..ROUNDS {
            rotated = Rotated::default();
            for kind in SealedKind::ALL {
                // What does not open is told once.
                let mut tell = |told: Told<'_>| match told {
                    Told::Unreadable(_) if round > 0 => {}
                    told => tell(told),
                };
                self.walk(*kind, &mut rotated, &mut tell).await?;
            }
            rotated.resealed.iter().for_each(|(kind, count)| *resealed.entry(*kind).or_default() += count);
            if rotated.stopped || rotated.passed_over == 0 {
                break;
            }
        }
        Ok(Rotated { resealed, ..rotated })
    }

    async fn walk(
        &self,
        kind: SealedKind,
        rotated: &mut Rotated,
        tell: &mut (dyn FnMut(Told<'_>) + Send),
    ) -> Result<(), StoreError> {
        let (mut after, mut looked_at) = (None, 0);
        loop {
            if self.stop.load(Ordering::Relaxed) {
                rotated.stopped = true;
                return Ok(());
            }
            let page = self.store.sealed(kind, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.place.clone());
            looked_at += page.len() as u64;
            let anew = self.anew(page, rotated, tell);
            let changed = self.store.reseal(kind, &anew).await?;
            *rotated.resealed.entry(kind).or_default() += changed;
            rotated.passed_over += (anew.len() as u64).saturating_sub(changed);
            tell(Told::Looked(kind, looked_at));
        }
    }

    /// What of a page stands under another key, sealed anew.
    fn anew(
        &self,
        page: Vec<SealedRow>,
        rotated: &mut Rotated,
        tell: &mut (dyn FnMut(Told<'_>) + Send),
    ) -> Vec<Resealed> {
        let mut anew = Vec::new();
        for SealedRow { place, sealed } in page {
            let (owner, purpose) = belonging(&place);
            let sealed = Wrapped(sealed);
            match self.vault.resealed(&owner, &purpose, &sealed) {
                Ok(None) => {}
                Ok(Some(Wrapped(new))) => {
                    anew.push(Resealed { row: SealedRow { place, sealed: sealed.0 }, anew: new });
                }
                Err(error) => {
                    *rotated.unreadable.entry(sealed.key_id().map(str::to_owned)).or_default() += 1;
                    tell(Told::Unreadable(&error));
                }
            }
        }
        anew
    }
}

/// What a value at a place is bound to.
fn belonging(place: &SealedPlace) -> (Owner, Purpose) {
    let (institution, card_id, purpose) = match place {
        SealedPlace::Pan { institution, card_id } => (institution, Some(*card_id), Purpose::Pan),
        SealedPlace::Pin { institution, card_id, version } => {
            (institution, Some(*card_id), Purpose::Pin { version: *version })
        }
        SealedPlace::Pvv { institution, card_id, version } => {
            (institution, Some(*card_id), Purpose::Pvv { version: *version })
        }
        SealedPlace::FillSeed { institution, file_id } => (institution, None, Purpose::FillSeed { file_id: *file_id }),
    };
    (Owner { institution: institution.clone(), card_id }, purpose)
}

/// Sealed values by the key they stand under, and under each by kind; `None` for what does not begin as sealed.
pub fn sealed_under(uses: &[KeyUse]) -> BTreeMap<Option<&str>, BTreeMap<SealedKind, u64>> {
    let mut under: BTreeMap<Option<&str>, BTreeMap<SealedKind, u64>> = BTreeMap::new();
    for KeyUse { key_id, used_for, rows } in uses {
        if let UsedFor::Sealed(kind) = used_for {
            *under.entry(key_id.as_deref()).or_default().entry(*kind).or_default() += rows;
        }
    }
    under
}

/// `2 card numbers and 1 PIN`.
pub fn counted(kinds: &BTreeMap<SealedKind, u64>) -> String {
    let some: Vec<String> =
        kinds.iter().filter(|(_, rows)| **rows > 0).map(|(kind, rows)| noun(*kind, *rows)).collect();
    match some.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
    }
}

fn noun(kind: SealedKind, rows: u64) -> String {
    let noun = match kind {
        SealedKind::Pan => "card number",
        SealedKind::Pin => "PIN",
        SealedKind::Pvv => "PVV",
        SealedKind::FillSeed => "fill seed",
    };
    format!("{rows} {noun}{}", if rows == 1 { "" } else { "s" })
}
