//! The character sets that may be put on a card [S2], the letter sets of printers, and normalisation.

use super::product::words;

words!(
    /// Which characters an agreement lets onto a card (R93).
    #[derive(Default)]
    CharacterSet {
        /// The 98 characters for stamped cards.
        #[default]
        EmbossedDefault = "EMBOSSED_DEFAULT",
        /// The 279 characters for printed cards.
        Printed = "PRINTED",
    }
);

words!(
    /// The letters a house's printers know for addresses (R88).
    #[derive(Default)]
    LetterSet {
        /// No limit beside what XML allows.
        #[default]
        Any = "any",
        /// Latin script: Basic Latin, Latin-1, Latin Extended-A, -B and Additional.
        Latin = "latin",
        /// ISO 8859-1.
        Latin1 = "latin1",
        /// Printable ASCII.
        Ascii = "ascii",
    }
);
