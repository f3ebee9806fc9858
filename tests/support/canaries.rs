//! Known secrets, and a search for them in whatever form a program might have left them.

use std::fs;
use std::path::{Path, PathBuf};

/// One secret and the forms it is searched in.
#[derive(Debug, Clone)]
pub struct Canary {
    /// What it is, without telling it.
    pub what: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Canary {
    /// A secret that is text: a PAN, a track, a name.
    pub fn text(what: impl Into<String>, value: &str) -> Self {
        assert!(value.len() >= 7, "shorter values are found everywhere by chance");
        let wide = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut forms = vec![("text", value.as_bytes().to_vec()), ("UTF-16", wide)];
        forms.extend(encoded(value.as_bytes()));
        if value.len().is_multiple_of(2) && value.bytes().all(|b| b.is_ascii_digit()) {
            forms.push(("packed digits", hex::decode(value).expect("digits")));
        }
        Self { what: what.into(), forms }
    }

    /// A secret that is bytes: a key, a PIN block.
    pub fn bytes(what: impl Into<String>, value: &[u8]) -> Self {
        let mut forms = vec![("bytes", value.to_vec())];
        forms.extend(encoded(value));
        Self { what: what.into(), forms }
    }

    /// The forms that occur.
    pub fn found_in(&self, haystack: &Haystack) -> Vec<&'static str> {
        let found = self.forms.iter().filter(|(_, form)| haystack.0.contains(&as_text(form)));
        found.map(|(name, _)| *name).collect()
    }

    /// Every form, for a test of the search itself.
    pub fn forms(&self) -> &[(&'static str, Vec<u8>)] {
        &self.forms
    }
}

/// Hexadecimal in both cases, and base64 as it looks at each of the three places a value can begin.
fn encoded(value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms =
        vec![("hexadecimal", hex::encode(value).into_bytes()), ("HEXADECIMAL", hex::encode_upper(value).into_bytes())];
    for skipped in 0..3 {
        // Only whole groups of three bytes look the same whatever stands around them.
        let start = (3 - skipped) % 3;
        let whole = (value.len() - start) / 3 * 3;
        forms.push(("base64", base64(&value[start..start + whole])));
    }
    forms
}

fn base64(value: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        [18, 12, 6, 0].map(|shift| DIGITS[(bits >> shift & 63) as usize])
    };
    value.chunks_exact(3).flat_map(group).collect()
}

/// Bytes as characters of the same number: the standard library searches texts fast, also in an unoptimised test.
fn as_text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Something to search in.
#[derive(Debug)]
pub struct Haystack(String);

impl Haystack {
    pub fn new(content: &[u8]) -> Self {
        Self(as_text(content))
    }
}

/// Every file below a folder, without those for which `left_out` holds.
pub fn files(folder: &Path, left_out: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if left_out(&path) {
            continue;
        }
        if path.is_dir() { found.extend(files(&path, left_out)) } else { found.push(path) }
    }
    found
}
