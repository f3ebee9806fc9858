//! What `keys import` adds to the configuration, as text: comments and order of what stands there are not touched.

use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::settlement::Authority;
use crate::vault::KeyWindow;
use crate::vault::settings::{KbpkSettings, LmkKeySettings};

/// A new `[[key]]`.
pub(super) struct NewKey<'a> {
    pub(super) id: &'a str,
    pub(super) block_file: String,
    pub(super) kbpk: Option<&'a str>,
    pub(super) lmk: Option<LmkKeySettings>,
    pub(super) kcv: Option<&'a str>,
    pub(super) window: KeyWindow,
}

impl NewKey<'_> {
    /// The section, under a line that says who added it.
    pub(super) fn section(&self, authority: &Authority, at: DateTime<Utc>) -> String {
        let mut lines = vec![
            format!("# {} {authority}", at.date_naive()),
            "[[key]]".to_owned(),
            setting("id", self.id),
            setting("block_file", &self.block_file),
        ];
        lines.extend(self.kbpk.map(|name| setting("kbpk", name)));
        let lmk =
            |lmk: LmkKeySettings| format!("lmk = {{ usage = \"{}\", algorithm = \"{}\" }}", lmk.usage, lmk.algorithm);
        lines.extend(self.lmk.map(lmk));
        lines.extend(self.kcv.map(|kcv| setting("kcv", kcv)));
        let KeyWindow { not_before, not_after, retire_at } = self.window;
        for (name, limit) in [("not_before", not_before), ("not_after", not_after), ("retire_at", retire_at)] {
            lines.extend(limit.map(|limit| format!("{name} = {}", instant(limit))));
        }
        lines.join("\n") + "\n"
    }
}

/// A new `[vault.kbpk.NAME]`.
pub(super) fn kbpk_section(name: &str, kbpk: &KbpkSettings) -> String {
    let list = |texts: &[String]| texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ");
    let kcv = kbpk.kcv.as_deref().map(|kcv| setting("kcv", kcv) + "\n").unwrap_or_default();
    format!(
        "[vault.kbpk.{name}]\ncomponent_files = [{}]\ncomponent_kcvs = [{}]\n{kcv}\n",
        list(&kbpk.component_files),
        list(&kbpk.component_kcvs)
    )
}

/// A path as it is written into a configuration in `folder`: relative where it lies below.
pub(super) fn path_from(folder: &Path, path: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned()
}

/// An instant as the configuration writes it.
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn setting(name: &str, value: &str) -> String {
    format!("{name} = {}", quoted(value))
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
