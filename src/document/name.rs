//! The file's name (3.1): built from what the header says, parsed right to left.
//!
//! `EMB_<institution>_<manufacturer>_<YYYYMMDD>T<HHMMSS>Z_<sequence>_<count>_V<1|2>.<xml|json>`, sealed with `.pgp`
//! behind it. Right to left, because a manufacturer's code may itself contain underscores. A name has one spelling
//! only: what parses is written back as it was.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::model::{Environment, Header};
use crate::agreement::{FileFormat, FileVersion};
use crate::card::{InstitutionId, ManufacturerCode};

const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// An embossing file's name. `Display` writes it without `.pgp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    /// `EMB_` for LIVE, `TST_` for TEST.
    pub environment: Environment,
    /// The issuer.
    pub institution: InstitutionId,
    /// The house.
    pub manufacturer: ManufacturerCode,
    /// T0, whole seconds.
    pub stamp: DateTime<Utc>,
    /// At least six digits.
    pub sequence_number: u64,
    /// Number of records, unpadded.
    pub count: u64,
    /// 1 or 2.
    pub version: FileVersion,
    /// The ending.
    pub format: FileFormat,
}

/// A name that is not an embossing file's. The name itself is not repeated: it may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an embossing file is named EMB_<institution>_<manufacturer>_<YYYYMMDD>T<HHMMSS>Z_<sequence>_<count>_V<1|2>.\
     <xml|json>, perhaps with .pgp behind it; the {part} does not fit"
)]
pub struct FileNameError {
    /// The part that does not fit.
    pub part: &'static str,
}

impl FileName {
    /// The name that a header's fields ask for.
    pub fn of(header: &Header) -> Self {
        Self {
            environment: header.environment,
            institution: header.institution.id.clone(),
            manufacturer: header.manufacturer.clone(),
            stamp: header.cut_off,
            sequence_number: header.sequence_number,
            count: header.number_of_records,
            version: header.version,
            format: header.format,
        }
    }

    /// The name after encryption.
    pub fn sealed(&self) -> String {
        format!("{self}.pgp")
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.environment {
            Environment::Live => "EMB",
            Environment::Test => "TST",
        };
        write!(
            f,
            "{prefix}_{}_{}_{}_{:06}_{}_V{}.{}",
            self.institution,
            self.manufacturer,
            self.stamp.format(STAMP),
            self.sequence_number,
            self.count,
            self.version.number(),
            self.format
        )
    }
}

impl FromStr for FileName {
    type Err = FileNameError;

    fn from_str(name: &str) -> Result<Self, FileNameError> {
        let wrong = |part| FileNameError { part };
        let plain = name.strip_suffix(".pgp").unwrap_or(name);
        let (stem, ending) = plain.rsplit_once('.').ok_or(wrong("ending"))?;
        let mut parts = stem.rsplitn(5, '_');
        let mut next = |part| parts.next().ok_or(wrong(part));
        let version = match next("version")? {
            "V1" => FileVersion::V1,
            "V2" => FileVersion::V2,
            _ => return Err(wrong("version")),
        };
        let count = number(next("count")?).ok_or(wrong("count"))?;
        let sequence_number = number(next("sequence")?).ok_or(wrong("sequence"))?;
        let stamp = NaiveDateTime::parse_from_str(next("stamp")?, STAMP).map_err(|_| wrong("stamp"))?.and_utc();
        let owner = next("prefix")?;
        let (prefix, owner) = owner.split_once('_').ok_or(wrong("prefix"))?;
        let (institution, manufacturer) = owner.split_once('_').ok_or(wrong("institution"))?;
        let name = Self {
            environment: match prefix {
                "EMB" => Environment::Live,
                "TST" => Environment::Test,
                _ => return Err(wrong("prefix")),
            },
            institution: institution.parse().map_err(|_| wrong("institution"))?,
            manufacturer: manufacturer.parse().map_err(|_| wrong("manufacturer"))?,
            stamp,
            sequence_number,
            count,
            version,
            format: ending.parse().map_err(|_| wrong("ending"))?,
        };
        // Leading zeros, short stamps and the like: one file has one name.
        if name.to_string() == plain { Ok(name) } else { Err(wrong("spelling")) }
    }
}

fn number(digits: &str) -> Option<u64> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> FileName {
        FileName {
            environment: Environment::Live,
            institution: "246001".parse().unwrap(),
            manufacturer: "FACTORY_X".parse().unwrap(),
            stamp: "2026-11-21T03:00:00Z".parse().unwrap(),
            sequence_number: 42,
            count: 2,
            version: FileVersion::V2,
            format: FileFormat::Xml,
        }
    }

    #[test]
    fn r131_sequence_has_at_least_six_digits_and_count_is_unpadded() {
        assert_eq!(name().to_string(), "EMB_246001_FACTORY_X_20261121T030000Z_000042_2_V2.xml");
        assert_eq!(name().sealed(), "EMB_246001_FACTORY_X_20261121T030000Z_000042_2_V2.xml.pgp");
        let test = FileName {
            environment: Environment::Test,
            sequence_number: 1_000_000,
            count: 100_000,
            version: FileVersion::V1,
            format: FileFormat::Json,
            ..name()
        };
        assert_eq!(test.to_string(), "TST_246001_FACTORY_X_20261121T030000Z_1000000_100000_V1.json");
        assert_eq!(test.to_string().parse(), Ok(test));
    }

    #[test]
    fn a_manufacturer_may_contain_underscores_and_look_like_other_parts() {
        for code in ["X", "FACTORY_X", "_", "A__B", "_A_", "1_2_3", "20261121T030000Z_000042_2", "V2", "A-B_C"] {
            let name = FileName { manufacturer: code.parse().unwrap(), ..name() };
            assert_eq!(name.to_string().parse().as_ref(), Ok(&name), "{code}");
            assert_eq!(name.sealed().parse().as_ref(), Ok(&name), "{code}");
        }
    }

    #[test]
    fn a_name_has_one_spelling() {
        for (wrong, part) in [
            ("EMB_246001_FACTORY_X_20261121T030000Z_000042_2_V3.xml", "version"),
            ("EMB_246001_FACTORY_X_20261121T030000Z_000042_2_V2.txt", "ending"),
            ("EMB_246001_FACTORY_X_20261121T030000Z_000042_2_V2", "ending"),
            ("EMB_246001_FACTORY_X_20261121T030000Z_000042_2_V2.xml.pgp.pgp", "version"),
            ("EMB_246001_FACTORY_X_20261121T030000Z_000042_+2_V2.xml", "count"),
            ("EMB_246001_FACTORY_X_20261121T030000Z_000042_02_V2.xml", "spelling"),
            ("EMB_246001_FACTORY_X_20261121T030000Z_00042_2_V2.xml", "spelling"),
            ("EMB_246001_FACTORY_X_20261121T030000Z_0000042_2_V2.xml", "spelling"),
            ("EMB_246001_FACTORY_X_20261121T250000Z_000042_2_V2.xml", "stamp"),
            ("EMB_2460010_FACTORY_X_20261121T030000Z_000042_2_V2.xml", "institution"),
            ("EMB_246001_factory_20261121T030000Z_000042_2_V2.xml", "manufacturer"),
            ("EMB_246001_20261121T030000Z_000042_2_V2.xml", "institution"),
            ("EMX_246001_FACTORY_X_20261121T030000Z_000042_2_V2.xml", "prefix"),
            ("20261121T030000Z_000042_2_V2.xml", "prefix"),
            ("", "ending"),
        ] {
            assert_eq!(wrong.parse::<FileName>(), Err(FileNameError { part }), "{wrong}");
        }
    }
}
