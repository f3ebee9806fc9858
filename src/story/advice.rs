//! What a reason means to who has to act on it: its rule, and what to do.

use crate::selection::ReasonCode;

/// Where a reason comes from, and what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// Rules of `docs/RULES.md`; empty where there is none.
    pub rule: &'static str,
    /// A sentence.
    pub act: &'static str,
}

const fn advice(rule: &'static str, act: &'static str) -> Advice {
    Advice { rule, act }
}

const ADDRESS: &str = "Correct the address with updateCard, updateAccount or updateCustomer.";
const LINES: &str = "Correct the line with updateCard.";
const AGREEMENT: &str = "Mend the agreement, emboss check says what is wrong with it; then run the date again.";
const BY_ITSELF: &str = "Nothing: it goes by itself with the next night.";
const FOR_GOOD: &str = "Nothing is made for this card any more; if that is wrong, order another one.";
const LOOK: &str = "Look at the alerts of the run: keys or data are at fault.";

/// What to say of a reason.
pub fn of(code: ReasonCode) -> Advice {
    use ReasonCode as C;
    match code {
        C::HeldPinWait => advice("R30", "Wait for the customer's PIN (setPin), or set pinStatus D with updateCard."),
        C::PinGenerationFailed => advice("R34", LOOK),
        C::PinNotAvailable => advice("R26, R36", "Set the PIN (setPin), or set pinStatus D with updateCard."),
        C::CardBlocked => advice("R51", "Lift the block with updateCard, status 00."),
        C::CardStatusFinal => advice("R52", FOR_GOOD),
        C::RenewalStopped => advice("R50", "Set status 00 with updateCard if the card is to be renewed after all."),
        C::CardClosedBySchedule => advice("R14", FOR_GOOD),
        C::PlasticExpired => advice("R15", "Cancel the plastic with updatePlastic and order a new one."),
        C::PhysicalFalse => advice("R4", "Set embossing.physical with updateCard if a plastic is wanted."),
        C::VirtualEvent => advice("R5", "A virtual plastic was marked: tell the makers of the card platform."),
        C::EventSequenceMismatch => advice(
            "R21, R22",
            "The plastic's event does not fit its number: cancel it with updatePlastic and order it anew.",
        ),
        C::DuplicateMarked => advice("R13", "Two plastics are marked: cancel one of them with updatePlastic."),
        C::ManufacturerMissing => {
            advice("R8", "Name a house with updateCard, or configure default_manufacturer of the institution.")
        }
        C::ManufacturerUnknown => {
            advice("R8", "Configure the house and its agreement, or name another one with updateCard.")
        }
        C::ManufacturerInvalid => {
            advice("R8", "What the card names is no code of a house: correct it with updateCard.")
        }
        C::AddressMissing | C::AddressIncomplete => advice("R86", ADDRESS),
        C::AddressCharset => advice("R88", ADDRESS),
        C::AddressTooLong => advice("R88", ADDRESS),
        C::NameMissing => advice("R92, R98", LINES),
        C::NameTooLong => advice("R90", LINES),
        C::Charset => advice("R93", LINES),
        C::FieldTooLong => advice("R91", LINES),
        C::AdditionalValueInvalid => advice("R99", "The additional values are not as agreed: order the card anew."),
        C::LayoutUnknown => advice("R144", "Correct externalLayoutCode with updateCard, or add it to the agreement."),
        C::InstitutionUnknown => advice("R8", "Configure the institution again."),
        C::KeyUnusable => advice("R135", AGREEMENT),
        C::CardDataUnavailable | C::CryptoUnavailable => advice("", LOOK),
        C::NothingToPrint => advice("R27", "Nothing: the PIN is delivered electronically, there is no letter."),
        C::Superseded => advice("R28", "Nothing: the letter of the new card carried the PIN."),
        C::WaitingForCardFile => advice("R28", "Nothing: the card's letter goes first and carries the PIN."),
        C::SettleMismatch => {
            advice("R69", "The plastic was not INACTIVE when its file was settled: look at its events.")
        }
        C::SpoolLost => advice("R125", BY_ITSELF),
        C::ClosedAfterSealing => {
            advice("R125", "Ask the house to destroy the card: it was closed after it was sealed.")
        }
        C::Cancelled => advice("R122", "Nothing: the order was taken back."),
        C::TooManyBadRecords => {
            advice("", "Mend the data, or raise max_bad_records of the agreement; then run the date again.")
        }
        C::DestinationUnusable => advice("R135", AGREEMENT),
        C::WaitingForEarlierFile => advice("R136", "emboss status shows which file is in the way, and what helps."),
        C::WaitingForNextNight => advice("R140", BY_ITSELF),
        C::ProductUnknown => advice("", "Configure the product of the card again."),
    }
}
