//! Tracks 1 and 2 of the magnetic stripe and their chip equivalents (ISO/IEC 7813; EMV tag 57), without sentinels
//! and check characters: the house adds those.
//!
//! Invariant: a track that does not fit, or holds a character its standard does not know, is an error, never a cut.

use crate::card::{Cvv, Expiry, Pan, Track};

/// Longest track 1 without sentinels and check character, in characters.
pub const TRACK1_MAX: usize = 76;
/// Longest track 2 without sentinels and check character, in digits.
pub const TRACK2_MAX: usize = 37;

/// Why there is no track. Never holds card data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrackError {
    /// Longer than its standard allows.
    #[error("{track} would have {length} characters; at most {max} fit")]
    TooLong {
        /// Which track.
        track: &'static str,
        /// Its length.
        length: usize,
        /// The limit.
        max: usize,
    },
    /// The template has something that is neither a digit nor a known mark.
    #[error("discretionary data is made of digits and the marks {{pvki}}, {{pvv}} and {{cvv}}")]
    Template,
    /// The template has a mark this card has no value for.
    #[error("discretionary data asks for {{{mark}}}, which this card does not have")]
    Missing {
        /// The mark.
        mark: &'static str,
    },
    /// The name has a character or a length track 1 does not know (R98).
    #[error("the name on track 1 must have 2 to 26 characters of A-Z, 0-9, space, hyphen, full stop and slash")]
    Name,
    /// Not three digits.
    #[error("a service code has three digits")]
    ServiceCode,
}

/// What the marks of a template stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks<'a> {
    /// `{pvki}`: PIN verification key indicator.
    pub pvki: Option<&'a str>,
    /// `{pvv}`.
    pub pvv: Option<&'a Cvv>,
    /// `{cvv}`: CVV1 on the stripe, iCVV on the chip.
    pub cvv: Option<&'a Cvv>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    Digits(&'a str),
    Pvki,
    Pvv,
    Cvv,
}

/// Which marks a template has: `(pvki or pvv, cvv)`. For checking a product before any card needs it.
///
/// # Errors
/// [`TrackError::Template`].
pub fn marks_of(template: &str) -> Result<(bool, bool), TrackError> {
    let pieces = pieces(template)?;
    let pin = pieces.iter().any(|piece| matches!(piece, Piece::Pvki | Piece::Pvv));
    Ok((pin, pieces.contains(&Piece::Cvv)))
}

/// The discretionary data a template gives with these values.
///
/// # Errors
/// [`TrackError::Template`] and [`TrackError::Missing`].
pub fn discretionary(template: &str, marks: Marks<'_>) -> Result<Track, TrackError> {
    let mut data = String::with_capacity(TRACK1_MAX);
    for piece in pieces(template)? {
        data.push_str(match piece {
            Piece::Digits(digits) => digits,
            Piece::Pvki => marks.pvki.ok_or(TrackError::Missing { mark: "pvki" })?,
            Piece::Pvv => marks.pvv.ok_or(TrackError::Missing { mark: "pvv" })?.expose(),
            Piece::Cvv => marks.cvv.ok_or(TrackError::Missing { mark: "cvv" })?.expose(),
        });
    }
    Ok(Track::new(data))
}

fn pieces(template: &str) -> Result<Vec<Piece<'_>>, TrackError> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(first) = rest.chars().next() {
        let length = if first == '{' {
            let end = rest.find('}').ok_or(TrackError::Template)? + 1;
            pieces.push(match &rest[..end] {
                "{pvki}" => Piece::Pvki,
                "{pvv}" => Piece::Pvv,
                "{cvv}" => Piece::Cvv,
                _ => return Err(TrackError::Template),
            });
            end
        } else {
            let end = rest.find('{').unwrap_or(rest.len());
            if !rest[..end].bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(TrackError::Template);
            }
            pieces.push(Piece::Digits(&rest[..end]));
            end
        };
        rest = &rest[length..];
    }
    Ok(pieces)
}

/// Track 1, format B: also the chip's equivalent, where the discretionary data holds the iCVV.
///
/// # Errors
/// [`TrackError::Name`], [`TrackError::ServiceCode`] and [`TrackError::TooLong`].
pub fn track1(
    pan: &Pan,
    name: &str,
    expiry: Expiry,
    service_code: &str,
    discretionary: &Track,
) -> Result<Track, TrackError> {
    let known = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b" -./".contains(&byte);
    if !(2..=26).contains(&name.len()) || !name.bytes().all(known) {
        return Err(TrackError::Name);
    }
    let service_code = checked(service_code)?;
    let parts = ["B", pan.expose(), "^", name, "^", &expiry.yymm(), service_code, discretionary.expose()];
    joined("track 1", TRACK1_MAX, &parts)
}

/// Track 2.
///
/// # Errors
/// [`TrackError::ServiceCode`] and [`TrackError::TooLong`].
pub fn track2(pan: &Pan, expiry: Expiry, service_code: &str, discretionary: &Track) -> Result<Track, TrackError> {
    let parts = [pan.expose(), "=", &expiry.yymm(), checked(service_code)?, discretionary.expose()];
    joined("track 2", TRACK2_MAX, &parts)
}

/// The chip's equivalent of track 2 (tag 57): `D` as separator, padded with `F` to whole bytes.
///
/// # Errors
/// [`TrackError::ServiceCode`] and [`TrackError::TooLong`].
pub fn chip_track2(pan: &Pan, expiry: Expiry, service_code: &str, discretionary: &Track) -> Result<Track, TrackError> {
    let yymm = expiry.yymm();
    let parts = [pan.expose(), "D", &yymm, checked(service_code)?, discretionary.expose(), "F"];
    let content = &parts[..5];
    let odd = content.iter().map(|part| part.len()).sum::<usize>() % 2 == 1;
    // What the stripe could not hold is no equivalent of it: the limit is track 2's, and 38 with the padding.
    joined("the chip's track 2", TRACK2_MAX, content)?;
    joined("the chip's track 2", TRACK2_MAX + 1, if odd { &parts } else { content })
}

fn checked(service_code: &str) -> Result<&str, TrackError> {
    let right = service_code.len() == 3 && service_code.bytes().all(|byte| byte.is_ascii_digit());
    if right { Ok(service_code) } else { Err(TrackError::ServiceCode) }
}

fn joined(track: &'static str, max: usize, parts: &[&str]) -> Result<Track, TrackError> {
    let length = parts.iter().map(|part| part.len()).sum();
    if length > max {
        return Err(TrackError::TooLong { track, length, max });
    }
    // Reserved in one piece, so that no half-built copy of a PAN is left behind by growing.
    let mut text = String::with_capacity(length);
    text.extend(parts.iter().copied());
    Ok(Track::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::vectors::{self, text};

    fn pan() -> Pan {
        Pan::parse("4000001234567899").unwrap()
    }

    fn december() -> Expiry {
        Expiry::new(2029, 12).unwrap()
    }

    #[test]
    fn the_vector_s_tracks() {
        for entry in vectors::list("tracks") {
            let pan = Pan::parse(text(&entry, "pan")).unwrap();
            let (pvv, cvv1, icvv) =
                (Cvv::new(text(&entry, "pvv")), Cvv::new(text(&entry, "cvv1")), Cvv::new(text(&entry, "icvv")));
            let marks = Marks { pvki: Some(text(&entry, "pvki")), pvv: Some(&pvv), cvv: Some(&cvv1) };
            let stripe = discretionary("{pvki}{pvv}{cvv}", marks).unwrap();
            let chip = discretionary("{pvki}{pvv}{cvv}", Marks { cvv: Some(&icvv), ..marks }).unwrap();
            let (name, code) = (text(&entry, "name"), text(&entry, "service_code"));
            let one = track1(&pan, name, december(), code, &stripe).unwrap();
            assert_eq!(format!("%{}?", one.expose()), text(&entry, "track1"));
            let two = track2(&pan, december(), code, &stripe).unwrap();
            assert_eq!(format!(";{}?", two.expose()), text(&entry, "track2"));
            let chip = chip_track2(&pan, december(), code, &chip).unwrap();
            assert_eq!(chip.expose(), text(&entry, "emv_57_track2_equivalent"));
        }
    }

    #[test]
    fn templates_expand() {
        let cvv = Cvv::new("633");
        let marks = Marks { cvv: Some(&cvv), ..Marks::default() };
        assert_eq!(discretionary("00000{cvv}", marks).unwrap().expose(), "00000633");
        assert_eq!(discretionary("{cvv}1{cvv}9", marks).unwrap().expose(), "63316339");
        assert_eq!(discretionary("", marks).unwrap().expose(), "");
        assert_eq!(discretionary("{pvv}", marks), Err(TrackError::Missing { mark: "pvv" }));
        assert_eq!(discretionary("{pvki}", marks), Err(TrackError::Missing { mark: "pvki" }));
        assert_eq!(discretionary("{cvv}", Marks::default()), Err(TrackError::Missing { mark: "cvv" }));
    }

    #[test]
    fn bad_templates_are_refused() {
        for template in ["{cvv", "cvv}", "{CVV}", "{}", "{cvv2}", "12A", "1 2", "{{cvv}}", "\u{661}"] {
            assert_eq!(marks_of(template), Err(TrackError::Template), "{template}");
        }
        assert_eq!(marks_of("{pvki}{pvv}{cvv}"), Ok((true, true)));
        assert_eq!(marks_of("00000{cvv}"), Ok((false, true)));
        assert_eq!(marks_of("{pvki}"), Ok((true, false)));
        assert_eq!(marks_of("123"), Ok((false, false)));
    }

    #[test]
    fn track1_fits_76() {
        // B + 16 + ^ + 26 + ^ + 4 + 3 = 52, so 24 digits fit.
        let name = "N".repeat(26);
        let with = |digits: usize| track1(&pan(), &name, december(), "201", &Track::new("7".repeat(digits)));
        assert_eq!(with(24).unwrap().expose().len(), 76);
        assert_eq!(with(25), Err(TrackError::TooLong { track: "track 1", length: 77, max: 76 }));
    }

    #[test]
    fn track2_fits_37() {
        // 16 + = + 4 + 3 = 24, so 13 digits fit.
        let with = |digits: usize| track2(&pan(), december(), "201", &Track::new("7".repeat(digits)));
        assert_eq!(with(13).unwrap().expose().len(), 37);
        assert_eq!(with(14), Err(TrackError::TooLong { track: "track 2", length: 38, max: 37 }));
    }

    #[test]
    fn the_chip_s_track2_is_even_and_fits_38() {
        let with = |digits: usize| chip_track2(&pan(), december(), "201", &Track::new("7".repeat(digits)));
        assert_eq!(with(0).unwrap().expose(), "4000001234567899D2912201");
        assert_eq!(with(1).unwrap().expose(), "4000001234567899D29122017F");
        assert_eq!(with(13).unwrap().expose(), format!("4000001234567899D2912201{}F", "7".repeat(13)));
        assert_eq!(with(13).unwrap().expose().len(), 38);
        assert_eq!(with(14), Err(TrackError::TooLong { track: "the chip's track 2", length: 38, max: 37 }));
    }

    #[test]
    fn names_and_service_codes_are_checked() {
        let none = Track::new("");
        for name in ["A", "", "lower/case", "O'NEILL/A", "\u{c5}KER/A", "A^B", &"N".repeat(27)] {
            assert_eq!(track1(&pan(), name, december(), "201", &none), Err(TrackError::Name), "{name}");
        }
        for name in ["AB", "ST. JOHN-SMITH/A 2", &"N".repeat(26)] {
            assert!(track1(&pan(), name, december(), "201", &none).is_ok(), "{name}");
        }
        for code in ["", "20", "2011", "20x"] {
            assert_eq!(track2(&pan(), december(), code, &none), Err(TrackError::ServiceCode), "{code}");
        }
    }
}
