//! Key block protection keys: two or more components, each kept by another person, joined by exclusive or.
//!
//! Invariants: no single component tells anything about the key; an error never holds key material. Whether a key is
//! TDES or AES cannot be seen on 16 or 24 bytes; its check value says it, and without one the key block's MAC does.

use std::fmt;

use zeroize::Zeroizing;

use super::cipher::{aes_kcv, exclusive_or, tdes_kcv};

/// What protects key blocks: a TDES key for version B, an AES key for version D.
pub struct Kbpk {
    bytes: Zeroizing<Vec<u8>>,
    reading: Reading,
}

/// Which algorithms a key may belong to, as far as its length and check values tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    tdes: bool,
    aes: bool,
}

/// Why components are not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KbpkError {
    /// One component, or none: one person would know the key.
    #[error("it has {count} component(s); two or more are needed")]
    TooFew {
        /// How many there are.
        count: usize,
    },
    /// Not hexadecimal.
    #[error("component {number} is not one line of hexadecimal digits")]
    NotHex {
        /// Which component, from 1.
        number: usize,
    },
    /// Not 16, 24 or 32 bytes, or not as long as the first.
    #[error("component {number} has {length} bytes; all components must have 16, 24 or 32 bytes, and the same")]
    Length {
        /// Which component, from 1.
        number: usize,
        /// Its length in bytes.
        length: usize,
    },
    /// Check values were given, but not one for each component.
    #[error("it has {components} components but {kcvs} component check values; give one for each, or none")]
    KcvCount {
        /// How many components there are.
        components: usize,
        /// How many check values.
        kcvs: usize,
    },
    /// The check value of a component is another.
    #[error("component {number} does not have the check value given for it")]
    ComponentKcv {
        /// Which component, from 1.
        number: usize,
    },
    /// The check value of the whole key is another.
    #[error("the joined key does not have the check value given; are all components there, each once?")]
    Kcv,
    /// The components cancel out.
    #[error("the joined key is all zeros; the same component may have been given twice")]
    Zero,
    /// Whoever keeps this component has the key: the others cancel out, or are zeros.
    #[error("component {number} is the whole key, because the others are zeros or equal; it needs to be made anew")]
    Whole {
        /// Its place, counted from 1.
        number: usize,
    },
}

impl fmt::Debug for Kbpk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kbpk({} bytes)", self.bytes.len())
    }
}

impl Kbpk {
    /// Joins hexadecimal components. `component_kcvs` is empty or has one check value for each component; check
    /// values are the 6 digits that are shown, or the 10 of an AES key.
    ///
    /// # Errors
    /// [`KbpkError`], the first that is found.
    pub fn join<C: AsRef<str>>(
        components: &[C],
        component_kcvs: &[String],
        kcv: Option<&str>,
    ) -> Result<Self, KbpkError> {
        if components.len() < 2 {
            return Err(KbpkError::TooFew { count: components.len() });
        }
        if !component_kcvs.is_empty() && component_kcvs.len() != components.len() {
            return Err(KbpkError::KcvCount { components: components.len(), kcvs: component_kcvs.len() });
        }
        let parts = decoded(components)?;
        let mut reading = Reading::of_length(parts[0].len());
        for (index, (part, kcv)) in parts.iter().zip(component_kcvs).enumerate() {
            reading = reading.narrowed(part, kcv).ok_or(KbpkError::ComponentKcv { number: index + 1 })?;
        }
        let mut bytes = Zeroizing::new(vec![0; parts[0].len()]);
        for part in &parts {
            exclusive_or(&mut bytes, part);
        }
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(KbpkError::Zero);
        }
        if let Some(index) = parts.iter().position(|part| *part == bytes) {
            return Err(KbpkError::Whole { number: index + 1 });
        }
        if let Some(kcv) = kcv {
            reading = reading.narrowed(&bytes, kcv).ok_or(KbpkError::Kcv)?;
        }
        Ok(Self { bytes, reading })
    }

    /// A whole key, for making key blocks; `None` unless it has 16, 24 or 32 bytes.
    pub fn whole(bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        let reading = Reading::of_length(bytes.len());
        (reading.tdes || reading.aes).then_some(Self { bytes, reading })
    }

    /// The key as a TDES key, where it may be one.
    pub(super) fn tdes(&self) -> Option<&[u8]> {
        self.reading.tdes.then_some(&self.bytes)
    }

    /// The key as an AES key, where it may be one.
    pub(super) fn aes(&self) -> Option<&[u8]> {
        self.reading.aes.then_some(&self.bytes)
    }

    /// Its check values: one, or where the algorithm is open that as TDES and that as AES.
    pub(super) fn kcvs(&self) -> Vec<String> {
        [self.tdes().and_then(tdes_kcv), self.aes().and_then(aes_kcv)].into_iter().flatten().collect()
    }
}

impl Reading {
    fn of_length(length: usize) -> Self {
        Self { tdes: matches!(length, 16 | 24), aes: matches!(length, 16 | 24 | 32) }
    }

    /// What is left of it when `key` must have this check value; `None` when nothing is.
    fn narrowed(self, key: &[u8], kcv: &str) -> Option<Self> {
        let tdes = self.tdes && tdes_kcv(key).is_some_and(|own| same_kcv(&own, kcv));
        let aes = self.aes && aes_kcv(key).is_some_and(|own| same_kcv(&own, kcv));
        (tdes || aes).then_some(Self { tdes, aes })
    }
}

/// Whether a given check value is this key's: the 6 digits that are shown, or all of them, in either case.
pub(super) fn same_kcv(own: &str, given: &str) -> bool {
    given.eq_ignore_ascii_case(own) || own.get(..6).is_some_and(|shown| given.eq_ignore_ascii_case(shown))
}

fn decoded<C: AsRef<str>>(components: &[C]) -> Result<Vec<Zeroizing<Vec<u8>>>, KbpkError> {
    let mut parts: Vec<Zeroizing<Vec<u8>>> = Vec::new();
    for (index, component) in components.iter().enumerate() {
        let number = index + 1;
        let part = hex::decode(component.as_ref().trim()).map_err(|_| KbpkError::NotHex { number })?;
        let part = Zeroizing::new(part);
        let first = parts.first().map_or(part.len(), |first| first.len());
        if !matches!(part.len(), 16 | 24 | 32) || part.len() != first {
            return Err(KbpkError::Length { number, length: part.len() });
        }
        parts.push(part);
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::vectors;

    fn split(key: &[u8]) -> [String; 2] {
        let first: Vec<u8> = (0..key.len()).map(|place| (place * 7 + 3) as u8).collect();
        let mut second = key.to_vec();
        exclusive_or(&mut second, &first);
        [hex::encode_upper(first), hex::encode(second)]
    }

    fn refused(components: &[&str], kcvs: &[&str], kcv: Option<&str>) -> KbpkError {
        let kcvs: Vec<String> = kcvs.iter().map(|kcv| (*kcv).to_owned()).collect();
        Kbpk::join(components, &kcvs, kcv).unwrap_err()
    }

    #[test]
    fn joins_an_aes_key_and_checks_it() {
        let key = vectors::key("KBPK_AES_256");
        for kcv in ["0A5ECF", "0a5ecf", "0A5ECFD8AF"] {
            let kbpk = Kbpk::join(&split(&key), &[], Some(kcv)).unwrap();
            assert_eq!(kbpk.aes(), Some(key.as_slice()));
            assert_eq!(kbpk.tdes(), None);
        }
    }

    #[test]
    fn a_check_value_tells_tdes_from_aes() {
        let tdes = vectors::key("KBPK_TDES_3KEY");
        let kbpk = Kbpk::join(&split(&tdes), &[], Some("2DDCA9")).unwrap();
        assert_eq!((kbpk.tdes(), kbpk.aes()), (Some(tdes.as_slice()), None));
        let aes = vectors::key("ZPK_AES_128");
        let kbpk = Kbpk::join(&split(&aes), &[], Some("808B85")).unwrap();
        assert_eq!((kbpk.tdes(), kbpk.aes()), (None, Some(aes.as_slice())));
        let open = Kbpk::join(&split(&aes), &[], None).unwrap();
        assert!(open.tdes().is_some() && open.aes().is_some());
    }

    #[test]
    fn joins_three_components() {
        let [a, b] = split(&vectors::key("KBPK_AES_256"));
        let zero = "00".repeat(32);
        assert!(Kbpk::join(&[a, zero, b], &[], Some("0A5ECF")).is_ok());
    }

    #[test]
    fn every_component_is_checked() {
        let [a, b] = split(&vectors::key("KBPK_AES_256"));
        let kcvs: Vec<String> =
            [&a, &b].iter().map(|part| aes_kcv(&hex::decode(part).unwrap()).unwrap()[..6].to_owned()).collect();
        assert!(Kbpk::join(&[&a, &b], &kcvs, Some("0A5ECF")).is_ok());
        assert_eq!(Kbpk::join(&[&b, &a], &kcvs, None).unwrap_err(), KbpkError::ComponentKcv { number: 1 });
        let second_wrong = [kcvs[0].clone(), "000000".to_owned()];
        assert_eq!(Kbpk::join(&[&a, &b], &second_wrong, None).unwrap_err(), KbpkError::ComponentKcv { number: 2 });
    }

    #[test]
    fn refuses_what_is_not_a_key() {
        let (a, b) = ("11".repeat(16), "22".repeat(16));
        let (a, b) = (a.as_str(), b.as_str());
        assert_eq!(refused(&[], &[], None), KbpkError::TooFew { count: 0 });
        assert_eq!(refused(&[a], &[], None), KbpkError::TooFew { count: 1 });
        assert_eq!(refused(&[a, "xyz"], &[], None), KbpkError::NotHex { number: 2 });
        assert_eq!(refused(&[a, &b[2..]], &[], None), KbpkError::Length { number: 2, length: 15 });
        assert_eq!(refused(&["11", "22"], &[], None), KbpkError::Length { number: 1, length: 1 });
        let longer = "22".repeat(24);
        assert_eq!(refused(&[a, &longer], &[], None), KbpkError::Length { number: 2, length: 24 });
        assert_eq!(refused(&[a, b], &["123456"], None), KbpkError::KcvCount { components: 2, kcvs: 1 });
        assert_eq!(refused(&[a, b], &[], Some("123456")), KbpkError::Kcv);
        assert_eq!(refused(&[a, b], &[], Some("")), KbpkError::Kcv);
        assert_eq!(refused(&[a, a], &[], None), KbpkError::Zero);
        let zeros = "00".repeat(16);
        assert_eq!(refused(&[a, &zeros], &[], None), KbpkError::Whole { number: 1 });
        assert_eq!(refused(&[&zeros, a], &[], None), KbpkError::Whole { number: 2 });
        assert_eq!(refused(&[a, a, b], &[], None), KbpkError::Whole { number: 3 });
    }
}
