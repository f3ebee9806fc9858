//! The number of a new card: random in one of the product's ranges, or as the issuer sent it.

use zeroize::Zeroizing;

use super::{Failure, Importer, Offer};
use crate::agreement::Product;
use crate::ambient::Random;
use crate::card::Pan;
use crate::order::{ErrorCode, Refusal};
use crate::store::IntakeWork;

/// Digits of a card number (S4).
const DIGITS: usize = 16;
/// How often a random number may be taken already. In a range that is 99% full this many misses in a row come once
/// in 20,000 orders.
const TRIES: usize = 1000;

impl Importer<'_> {
    /// A number that no card has, with its index.
    pub(super) async fn card_number(
        &self,
        work: &mut dyn IntakeWork,
        offer: &Offer,
        product: &Product,
        encrypted_data: Option<&str>,
    ) -> Result<(Pan, [u8; 32]), Failure> {
        match encrypted_data {
            Some(compact) => self.given_number(work, offer, compact).await,
            None => self.random_number(work, product).await,
        }
    }

    async fn given_number(
        &self,
        work: &mut dyn IntakeWork,
        offer: &Offer,
        compact: &str,
    ) -> Result<(Pan, [u8; 32]), Failure> {
        let pan = self.jwe.open(compact)?;
        if !offer.has_range(pan.expose()) {
            let reason = "the card number in body.encryptedData is in no range of the institution";
            return Err(ErrorCode::CardNumberRange.because(reason).into());
        }
        let index = self.vault.pan_index(&pan);
        if work.pan_known(&index).await? {
            let reason = "there is a card with the number in body.encryptedData";
            return Err(ErrorCode::CardNumberInUse.because(reason).into());
        }
        Ok((pan, index))
    }

    async fn random_number(&self, work: &mut dyn IntakeWork, product: &Product) -> Result<(Pan, [u8; 32]), Failure> {
        for _ in 0..TRIES {
            let pan = draw(product, self.random)?;
            let index = self.vault.pan_index(&pan);
            if !work.pan_known(&index).await? {
                return Ok((pan, index));
            }
        }
        Err(exhausted(product, "are full, or nearly").into())
    }
}

/// A random number in one of the product's ranges.
fn draw(product: &Product, random: &Random) -> Result<Pan, Refusal> {
    let count = product.pan_prefixes.len() as u64;
    // The bias of the remainder is below 2^-60.
    let place = u64::from_be_bytes(random.bytes()).checked_rem(count).unwrap_or_default();
    let prefix = product.pan_prefixes.get(usize::try_from(place).unwrap_or_default());
    let mut digits = Zeroizing::new(String::with_capacity(DIGITS));
    digits.push_str(prefix.ok_or_else(|| exhausted(product, "are not configured"))?);
    while digits.len() < DIGITS - 1 {
        digits.push(char::from(b'0' + random.digit()));
    }
    Pan::with_check_digit(&digits).map_err(|_| exhausted(product, "are not digits"))
}

fn exhausted(product: &Product, what: &str) -> Refusal {
    ErrorCode::CardNumbersExhausted.because(format!("the card number ranges of product {} {what}", product.code))
}
