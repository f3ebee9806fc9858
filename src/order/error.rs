//! Why an order was refused, as the API's error object says it (S2, R142).
//!
//! An `errorCode` is stable once released: codes may be added, never changed or re-used. `docs/ERRORS.md` lists them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::OrderId;
use crate::card::product::words;

words!(
    /// The classes of S2.
    ErrorType {
        /// A limit, pattern or shape: the document is wrong whatever the database holds.
        Static = "STATIC_VALIDATION_ERROR",
        /// A rule about the state of things: the same document may be right at another time.
        Dynamic = "DYNAMIC_VALIDATION_ERROR",
        /// The database or a device.
        Integration = "INTEGRATION_ERROR",
        /// Keys and encryption.
        Security = "SECURITY_ERROR",
        /// The rest.
        Unexpected = "UNEXPECTED_ERROR",
    }
);

words!(
    /// The stable code of each refusal.
    ErrorCode {
        /// A line over 64 KiB.
        LineTooLong = "LINE_TOO_LONG",
        /// Bytes that are not UTF-8.
        NotUtf8 = "NOT_UTF8",
        /// Not one JSON object.
        NotJson = "NOT_JSON",
        /// The same key twice in one object.
        DuplicateKey = "DUPLICATE_KEY",
        /// A control character, or one that XML cannot carry.
        CharacterIllegal = "CHARACTER_ILLEGAL",
        /// A field that must be there.
        FieldMissing = "FIELD_MISSING",
        /// A field this operation does not have.
        FieldUnknown = "FIELD_UNKNOWN",
        /// Another JSON type than the source says.
        FieldType = "FIELD_TYPE",
        /// Fewer characters than the source allows.
        FieldTooShort = "FIELD_TOO_SHORT",
        /// More characters or entries than the source allows.
        FieldTooLong = "FIELD_TOO_LONG",
        /// Not of the source's pattern.
        FieldPattern = "FIELD_PATTERN",
        /// Not in the source's list, or out of range.
        FieldValue = "FIELD_VALUE",
        /// A character that no agreement lets onto a card.
        Charset = "CHARSET",
        /// R90: first and last name are too long together.
        NameTooLong = "NAME_TOO_LONG",
        /// `at` is more than five minutes ahead.
        OrderInFuture = "ORDER_IN_FUTURE",
        /// No such operation.
        OperationUnknown = "OPERATION_UNKNOWN",
        /// `encryptedData` is not a JWE as agreed.
        EncryptedDataInvalid = "ENCRYPTED_DATA_INVALID",
        /// The decrypted card number is none.
        CardNumberInvalid = "CARD_NUMBER_INVALID",
        /// No such institution in the configuration.
        InstitutionUnknown = "INSTITUTION_UNKNOWN",
        /// No such customer.
        CustomerUnknown = "CUSTOMER_UNKNOWN",
        /// No such account.
        AccountUnknown = "ACCOUNT_UNKNOWN",
        /// No such card.
        CardUnknown = "CARD_UNKNOWN",
        /// No such plastic.
        PlasticUnknown = "PLASTIC_UNKNOWN",
        /// No such product of the institution.
        ProductUnknown = "PRODUCT_UNKNOWN",
        /// The order id was used with other content.
        OrderIdReused = "ORDER_ID_REUSED",
        /// The id given is taken.
        IdInUse = "ID_IN_USE",
        /// The card number given is taken.
        CardNumberInUse = "CARD_NUMBER_IN_USE",
        /// The card number is in no range of the institution.
        CardNumberRange = "CARD_NUMBER_RANGE",
        /// No product named and no default.
        ProductMissing = "PRODUCT_MISSING",
        /// The scheme is not the product's.
        SchemeMismatch = "SCHEME_MISMATCH",
        /// A MAIN card of somebody else than the account holder.
        RoleMismatch = "ROLE_MISMATCH",
        /// A23: a plastic asked of a virtual product.
        ProductVirtual = "PRODUCT_VIRTUAL",
        /// The product's months lead past 2099.
        ExpiryOutOfRange = "EXPIRY_OUT_OF_RANGE",
        /// R52: the card is closed for good, or its status is final.
        CardStatusFinal = "CARD_STATUS_FINAL",
        /// R123: a file with the plastic is being made.
        InProduction = "IN_PRODUCTION",
        /// R122: only INACTIVE plastics can be cancelled.
        PlasticNotInactive = "PLASTIC_NOT_INACTIVE",
        /// R68: only LOCKED plastics can be activated.
        PlasticNotLocked = "PLASTIC_NOT_LOCKED",
        /// R114: only a card in status 00 is reissued.
        CardStatusNotOk = "CARD_STATUS_NOT_OK",
        /// R14: the time of its scheduled closing has come.
        CardClosedBySchedule = "CARD_CLOSED_BY_SCHEDULE",
        /// R116: one replacement for a lost card.
        AlreadyReplaced = "ALREADY_REPLACED",
        /// R13, R114: a plastic of the card is still to be produced.
        PlasticInactive = "PLASTIC_INACTIVE",
        /// There is no physical plastic in use to make another one of.
        NoPhysicalPlastic = "NO_PHYSICAL_PLASTIC",
        /// The card has its physical form already.
        PhysicalPlasticExists = "PHYSICAL_PLASTIC_EXISTS",
        /// R118: sequence numbers end with 99 and are never used again.
        SequenceExhausted = "SEQUENCE_EXHAUSTED",
        /// R130: a PIN order of the card is still to be answered.
        PinOrderOpen = "PIN_ORDER_OPEN",
        /// The card's product has no PIN.
        ProductWithoutPin = "PRODUCT_WITHOUT_PIN",
        /// R32: a file with a PIN of the card is being made.
        PinInProduction = "PIN_IN_PRODUCTION",
        /// R36: a later order set the PIN already.
        PinSuperseded = "PIN_SUPERSEDED",
        /// A key of the product, or the zone key of a PIN block, is not there, not in force or does not fit.
        KeyUnusable = "KEY_UNUSABLE",
        /// Encrypted for a certificate that is not ours, or damaged.
        EncryptedDataUnreadable = "ENCRYPTED_DATA_UNREADABLE",
        /// No zone key of that id was agreed with the institution.
        PinKeyUnknown = "PIN_KEY_UNKNOWN",
        /// The PIN block is of another card, key or format, or does not hold four digits.
        PinBlockUnreadable = "PIN_BLOCK_UNREADABLE",
        /// The card cryptography did not answer.
        CryptoUnavailable = "CRYPTO_UNAVAILABLE",
        /// No free number was found in the product's ranges.
        CardNumbersExhausted = "CARD_NUMBERS_EXHAUSTED",
    }
);

impl ErrorCode {
    /// S2's class (R142).
    pub fn error_type(self) -> ErrorType {
        use ErrorCode as C;
        match self {
            C::LineTooLong
            | C::NotUtf8
            | C::NotJson
            | C::DuplicateKey
            | C::CharacterIllegal
            | C::FieldMissing
            | C::FieldUnknown
            | C::FieldType
            | C::FieldTooShort
            | C::FieldTooLong
            | C::FieldPattern
            | C::FieldValue
            | C::Charset
            | C::NameTooLong
            | C::OrderInFuture
            | C::OperationUnknown
            | C::EncryptedDataInvalid
            | C::CardNumberInvalid => ErrorType::Static,
            C::InstitutionUnknown
            | C::CustomerUnknown
            | C::AccountUnknown
            | C::CardUnknown
            | C::PlasticUnknown
            | C::ProductUnknown
            | C::OrderIdReused
            | C::IdInUse
            | C::CardNumberInUse
            | C::CardNumberRange
            | C::ProductMissing
            | C::SchemeMismatch
            | C::RoleMismatch
            | C::ProductVirtual
            | C::ExpiryOutOfRange
            | C::CardStatusFinal
            | C::InProduction
            | C::PlasticNotInactive
            | C::PlasticNotLocked
            | C::CardStatusNotOk
            | C::CardClosedBySchedule
            | C::AlreadyReplaced
            | C::PlasticInactive
            | C::NoPhysicalPlastic
            | C::PhysicalPlasticExists
            | C::SequenceExhausted
            | C::PinOrderOpen
            | C::ProductWithoutPin
            | C::PinInProduction
            | C::PinSuperseded => ErrorType::Dynamic,
            C::KeyUnusable | C::EncryptedDataUnreadable | C::PinKeyUnknown | C::PinBlockUnreadable => {
                ErrorType::Security
            }
            C::CryptoUnavailable => ErrorType::Integration,
            C::CardNumbersExhausted => ErrorType::Unexpected,
        }
    }

    /// The API's `code`: what the HTTP status would be.
    pub fn http(self) -> &'static str {
        use ErrorCode as C;
        match self {
            C::InstitutionUnknown
            | C::CustomerUnknown
            | C::AccountUnknown
            | C::CardUnknown
            | C::PlasticUnknown
            | C::ProductUnknown => "404",
            C::OrderIdReused | C::IdInUse | C::CardNumberInUse => "409",
            C::EncryptedDataUnreadable | C::PinKeyUnknown | C::PinBlockUnreadable => "400",
            _ => match self.error_type() {
                ErrorType::Static => "400",
                ErrorType::Dynamic => "422",
                ErrorType::Integration | ErrorType::Security | ErrorType::Unexpected => "500",
            },
        }
    }

    /// The API's `message`: what kind of refusal it is, in words.
    pub fn message(self) -> &'static str {
        match self.error_type() {
            ErrorType::Static => "The order is not valid",
            ErrorType::Dynamic => "The order is not possible now",
            ErrorType::Integration => "A system behind this one failed",
            ErrorType::Security => "A key or an encryption is not usable",
            ErrorType::Unexpected => "The order could not be carried out",
        }
    }

    /// The refusal with its reason: a sentence with field names, ids and limits, never a value of the line.
    pub fn because(self, reason: impl Into<String>) -> Refusal {
        Refusal { code: self, reason: reason.into() }
    }
}

/// An order that was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// The stable code.
    pub code: ErrorCode,
    /// The sentence.
    pub reason: String,
}

/// The API's error object (S2), with the order it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiError {
    /// The order; `None` (null) where it could not be read.
    pub order_id: Option<String>,
    /// What the HTTP status would be.
    pub code: &'static str,
    /// What kind of refusal, in words.
    pub message: &'static str,
    /// Identity of this refusal.
    pub id: Uuid,
    /// The stable code.
    pub error_code: ErrorCode,
    /// S2's class.
    pub error_type: ErrorType,
    /// The sentence.
    pub error_reason: String,
    /// When it was refused, RFC 3339 with milliseconds, UTC.
    pub timestamp: String,
}

impl ApiError {
    /// The error object of a refusal. `id` is random, `now` the time of answering.
    pub fn new(order_id: Option<&OrderId>, refusal: &Refusal, id: Uuid, now: DateTime<Utc>) -> Self {
        Self {
            order_id: order_id.map(|id| id.as_str().to_owned()),
            code: refusal.code.http(),
            message: refusal.code.message(),
            id,
            error_code: refusal.code,
            error_type: refusal.code.error_type(),
            error_reason: refusal.reason.clone(),
            timestamp: now.to_rfc3339_opts(SecondsFormat::Millis, true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r142_classes_are_those_of_the_source() {
        let words: Vec<_> = ErrorType::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(
            words,
            [
                "STATIC_VALIDATION_ERROR",
                "DYNAMIC_VALIDATION_ERROR",
                "INTEGRATION_ERROR",
                "SECURITY_ERROR",
                "UNEXPECTED_ERROR"
            ]
        );
    }

    #[test]
    fn every_code_stands_in_the_documentation() {
        let page = include_str!("../../docs/ERRORS.md");
        for code in ErrorCode::ALL {
            let row = format!("| `{code}` | {} | {} |", code.http(), code.error_type());
            assert!(page.contains(&row), "docs/ERRORS.md has no row that begins with {row}");
        }
        let rows = page.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(rows, ErrorCode::ALL.len(), "docs/ERRORS.md has a row for a code that does not exist");
    }

    #[test]
    fn the_error_object_has_the_fields_of_the_api() {
        let refusal = ErrorCode::OrderIdReused.because("the order id was used before");
        let now = "2026-11-20T10:15:00Z".parse().unwrap();
        let order_id: OrderId = "o-17".parse().unwrap();
        let error = ApiError::new(Some(&order_id), &refusal, Uuid::nil(), now);
        assert_eq!(
            serde_json::to_string(&error).unwrap(),
            r#"{"orderId":"o-17","code":"409","message":"The order is not possible now","id":"00000000-0000-0000-0000-000000000000","errorCode":"ORDER_ID_REUSED","errorType":"DYNAMIC_VALIDATION_ERROR","errorReason":"the order id was used before","timestamp":"2026-11-20T10:15:00.000Z"}"#
        );
    }
}
