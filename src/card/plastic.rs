//! A plastic: one physical or virtual manifestation of a card, and when it ends.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::product::words;
use super::{CardId, PlasticId};

words!(
    /// Why a plastic was made: the codes of the card production events (S4, reconstructed in R20).
    ProductionEvent {
        /// New card.
        Ncrd = "NCRD",
        /// New card, virtual.
        Nvrt = "NVRT",
        /// New card instead of a lost one.
        Nlost = "NLOST",
        /// The same, virtual.
        Nlostvrt = "NLOSTVRT",
        /// PIN mailed again; no plastic.
        Ropin = "ROPIN",
        /// Physical form of a replacement with instant issuing.
        Rallnlost = "RALLNLOST",
        /// Physical form of a card that so far is virtual.
        Rallre = "RALLRE",
        /// Automatic renewal.
        Rpl = "RPL",
        /// Reissue.
        Rplre = "RPLRE",
        /// Automatic renewal of a virtual card.
        Rvrt = "RVRT",
    }
);

words!(
    /// The reason column of version 2 files (EN manufacturingReason).
    ProductionReason {
        /// NCRD, RALLRE.
        NewCard = "NEW_CARD",
        /// NLOST, RALLNLOST.
        ReplaceCard = "REPLACE_CARD",
        /// RPLRE.
        ReissueCard = "REISSUE_CARD",
        /// RPL.
        RenewCard = "RENEW_CARD",
        /// ROPIN.
        ReorderPin = "REORDER_PIN",
    }
);

impl ProductionEvent {
    /// Events of virtual plastics, which never appear in a file (R5).
    pub fn is_virtual(self) -> bool {
        matches!(self, Self::Nvrt | Self::Nlostvrt | Self::Rvrt)
    }

    /// The reason that version 2 writes beside the event; `None` for virtual events, which are never written.
    pub fn reason(self) -> Option<ProductionReason> {
        match self {
            Self::Ncrd | Self::Rallre => Some(ProductionReason::NewCard),
            Self::Nlost | Self::Rallnlost => Some(ProductionReason::ReplaceCard),
            Self::Rplre => Some(ProductionReason::ReissueCard),
            Self::Rpl => Some(ProductionReason::RenewCard),
            Self::Ropin => Some(ProductionReason::ReorderPin),
            Self::Nvrt | Self::Nlostvrt | Self::Rvrt => None,
        }
    }
}

words!(
    /// Where a plastic stands (S4 "Plastic statuses"), plus our own mark for a cancelled order.
    PlasticStatus {
        /// Not yet produced.
        Inactive = "INACTIVE",
        /// Produced and usable.
        Active = "ACTIVE",
        /// Produced, to be activated first.
        Locked = "LOCKED",
        /// Superseded.
        Closed = "CLOSED",
        /// Cancelled before it was claimed; its row and number stay (R118), nothing else sees it (R122).
        Cancelled = "CANCELLED",
    }
);

impl PlasticStatus {
    /// Produced, and in a customer's hands or wallet (S4).
    pub fn is_in_use(self) -> bool {
        matches!(self, Self::Active | Self::Locked)
    }
}

/// A month up to whose last second (UTC) a plastic is valid.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expiry {
    year: u16,
    month: u8,
}

/// A text that is not `YYYY-MM` with a year of 2000 to 2099.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an expiry is YYYY-MM with a year of 2000 to 2099")]
pub struct ExpiryError;

impl Expiry {
    /// `None` unless the month is 1 to 12 and the year 2000 to 2099 (tracks hold two digits of it).
    pub fn new(year: i32, month: u32) -> Option<Self> {
        ((2000..=2099).contains(&year) && (1..=12).contains(&month))
            // Safe because: both were just bounded.
            .then_some(Self { year: year as u16, month: month as u8 })
    }

    /// From the database's `YYYYMM`.
    pub fn from_number(yyyymm: i64) -> Option<Self> {
        Self::new(i32::try_from(yyyymm / 100).ok()?, u32::try_from(yyyymm % 100).ok()?)
    }

    /// `YYYYMM`, for the database; sorts as time does.
    pub fn number(self) -> i64 {
        i64::from(self.year) * 100 + i64::from(self.month)
    }

    /// `months` after the month of `made` (R117: 2022-03 + 36 = 2025-03); `None` past 2099.
    pub fn after(made: NaiveDate, months: u32) -> Option<Self> {
        let day = made.with_day(1)?.checked_add_months(Months::new(months))?;
        Self::new(day.year(), day.month())
    }

    /// `months` later (R112, R115: 2022-06 + 36 = 2025-06); `None` past 2099.
    pub fn later(self, months: u32) -> Option<Self> {
        Self::after(self.last_day(), months)
    }

    /// R115: whether on a UTC date less than two months are left. Two calendar months on, at the end of a shorter month
    /// where that has no such day, the plastic would have expired.
    pub fn has_less_than_two_months(self, on: NaiveDate) -> bool {
        on.checked_add_months(Months::new(2)).is_none_or(|then| then > self.last_day())
    }

    /// Year, for example 2029.
    pub fn year(self) -> u16 {
        self.year
    }

    /// Month, 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }

    /// `2912`, as tracks and most CVVs write it.
    pub fn yymm(self) -> String {
        format!("{:02}{:02}", self.year % 100, self.month)
    }

    /// `1229`, as some products' CVV2 wants it.
    pub fn mmyy(self) -> String {
        format!("{:02}{:02}", self.month, self.year % 100)
    }

    /// The last day of the month.
    pub fn last_day(self) -> NaiveDate {
        let first = NaiveDate::from_ymd_opt(i32::from(self.year), u32::from(self.month), 1);
        first
            .and_then(|day| day.checked_add_months(Months::new(1)))
            .and_then(|day| day.pred_opt())
            .unwrap_or(NaiveDate::MAX)
    }

    /// The last second of validity, 23:59:59 UTC of the last day (R15).
    pub fn end(self) -> DateTime<Utc> {
        self.last_day().and_hms_opt(23, 59, 59).unwrap_or_default().and_utc()
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl fmt::Debug for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expiry({self})")
    }
}

impl FromStr for Expiry {
    type Err = ExpiryError;

    fn from_str(text: &str) -> Result<Self, ExpiryError> {
        let (year, month) = text.split_once('-').ok_or(ExpiryError)?;
        let digits = year.len() == 4 && month.len() == 2 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        if !digits {
            return Err(ExpiryError);
        }
        let year = year.parse().map_err(|_| ExpiryError)?;
        let month = month.parse().map_err(|_| ExpiryError)?;
        Self::new(year, month).ok_or(ExpiryError)
    }
}

impl TryFrom<String> for Expiry {
    type Error = ExpiryError;

    fn try_from(text: String) -> Result<Self, ExpiryError> {
        text.parse()
    }
}

impl From<Expiry> for String {
    fn from(expiry: Expiry) -> String {
        expiry.to_string()
    }
}

/// One plastic of a card, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plastic {
    /// Its id.
    pub plastic_id: PlasticId,
    /// The card it belongs to.
    pub card_id: CardId,
    /// 1 ..= 99 within the card, never reused (R118); also the EMV PAN sequence number.
    pub sequence_number: u8,
    /// Why it was made.
    pub event: ProductionEvent,
    /// Where it stands.
    pub status: PlasticStatus,
    /// Until when it is valid.
    pub expiry: Expiry,
    /// When it was marked for production; `None` for a virtual plastic.
    pub marked_at: Option<DateTime<Utc>>,
    /// The CVV1/iCVV key pinned when PAN and expiry were set; `None` where the product has neither stripe nor chip.
    pub cvv_key: Option<String>,
    /// The CVV2 key pinned likewise.
    pub cvv2_key: String,
    /// UTC date of the run that produced it (R70).
    pub embossing_date: Option<NaiveDate>,
}

/// The highest sequence number (S4).
const LAST_NUMBER: u8 = 99;

impl Plastic {
    /// The number of a card's next plastic, of all it ever had: that of a cancelled one is not used again (R118). `None`
    /// after the last one.
    pub fn next_number(plastics: &[Self]) -> Option<u8> {
        let highest = plastics.iter().map(|plastic| plastic.sequence_number).max().unwrap_or_default();
        (highest < LAST_NUMBER).then_some(highest + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r15_expiry_ends_with_the_last_second_of_its_month() {
        let expiry: Expiry = "2024-02".parse().unwrap();
        assert_eq!(expiry.end().to_rfc3339(), "2024-02-29T23:59:59+00:00");
    }

    #[test]
    fn r117_expiry_is_creation_month_plus_product_months() {
        let made = NaiveDate::from_ymd_opt(2022, 3, 31).unwrap();
        assert_eq!(Expiry::after(made, 36), Expiry::new(2025, 3));
    }

    #[test]
    fn r112_r115_a_later_expiry_counts_from_the_old_one() {
        let expiry = |text: &str| text.parse::<Expiry>().unwrap();
        assert_eq!(expiry("2022-06").later(36), Some(expiry("2025-06")));
        assert_eq!(expiry("2024-02").later(12), Some(expiry("2025-02")), "the 29th is no day of it");
        assert_eq!(expiry("2029-12").later(1), Some(expiry("2030-01")));
        assert_eq!(expiry("2099-11").later(1), Some(expiry("2099-12")));
        assert_eq!(expiry("2099-11").later(2), None);
    }

    /// By the calendar: the date two months on, and the last day of the expiry month, are written beside each case.
    #[test]
    fn r115_less_than_two_months_are_left() {
        for (on, expiry, less) in [
            ("2022-04-30", "2022-06", false), // 06-30, 06-30
            ("2022-05-01", "2022-06", true),  // 07-01, 06-30
            ("2022-06-30", "2022-06", true),  // 08-30, 06-30
            ("2022-07-01", "2022-06", true),  // past it already
            ("2022-12-31", "2023-02", false), // 02-28 (there is no 31st), 02-28
            ("2022-12-29", "2023-02", false), // 02-28 (there is no 29th), 02-28
            ("2023-01-01", "2023-02", true),  // 03-01, 02-28
            ("2023-12-31", "2024-02", false), // 02-29, 02-29
            ("2024-01-01", "2024-02", true),  // 03-01, 02-29
            ("2022-12-31", "2023-01", true),  // 02-28, 01-31
            ("2022-11-30", "2023-01", false), // 01-30, 01-31
            ("2022-12-01", "2023-01", true),  // 02-01, 01-31
            ("2024-02-29", "2024-04", false), // 04-29, 04-30
            ("2024-02-29", "2024-03", true),  // 04-29, 03-31
            ("2023-02-28", "2023-04", false), // 04-28, 04-30
            ("2024-03-01", "2024-04", true),  // 05-01, 04-30
            ("2022-06-30", "2022-08", false), // 08-30, 08-31
            ("2022-07-31", "2022-09", false), // 09-30 (there is no 31st), 09-30
            ("2022-08-01", "2022-09", true),  // 10-01, 09-30
        ] {
            let expiry: Expiry = expiry.parse().unwrap();
            assert_eq!(expiry.has_less_than_two_months(on.parse().unwrap()), less, "{on}, {expiry}");
        }
    }

    #[test]
    fn expiry_is_written_in_three_forms() {
        let expiry: Expiry = "2029-12".parse().unwrap();
        assert_eq!((expiry.yymm(), expiry.mmyy(), expiry.number()), ("2912".into(), "1229".into(), 202_912));
        assert_eq!(Expiry::from_number(202_912), Some(expiry));
        for wrong in ["2029-13", "2029-00", "1999-01", "2100-01", "29-12", "2029/12", "2029-1", "+029-12"] {
            assert_eq!(wrong.parse::<Expiry>(), Err(ExpiryError), "{wrong}");
        }
    }
}
