//! XML 1.0: elements in UpperCamel, the record's number as an attribute, the five predefined entities escaped.
//!
//! Elements are written straight into the record's buffer, because the names are ours and need no checks;
//! `quick-xml` escapes what comes from outside.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Write;

use quick_xml::escape::escape;

use super::legal::{DOUBTFUL, MARKUP, seen};
use super::walk::{Body, Section};
use super::writer::Frame;
use crate::agreement::FileVersion;

/// The lines around header, records and trailer.
pub(crate) fn frame(version: FileVersion) -> Frame {
    let number = version.number();
    Frame {
        before_header: format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <EmbossingFile xmlns=\"urn:emboss:embossing-file:{number}\" formatVersion=\"{number}\">\n"
        ),
        before_records: "\n<Cards>\n",
        between_records: "\n",
        before_trailer: "</Cards>\n",
        after_trailer: "\n</EmbossingFile>\n",
    }
}

/// Writes elements into a buffer.
pub(crate) struct Xml<'a> {
    out: &'a mut Vec<u8>,
    /// A text may hold an illegal character.
    pub(crate) doubtful: bool,
}

impl<'a> Xml<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, doubtful: false }
    }

    fn name(&mut self, before: &[u8], name: &str, after: &[u8]) {
        self.out.extend_from_slice(before);
        if let Some((first, rest)) = name.as_bytes().split_first() {
            self.out.push(first.to_ascii_uppercase());
            self.out.extend_from_slice(rest);
        }
        self.out.extend_from_slice(after);
    }

    fn escaped(&mut self, value: &str) {
        let seen = seen(value);
        self.doubtful |= seen & DOUBTFUL != 0;
        if seen & MARKUP == 0 {
            self.out.extend_from_slice(value.as_bytes());
        } else {
            self.out.extend_from_slice(escape(value).as_bytes());
        }
    }

    fn shown(&mut self, value: impl Display) {
        #[expect(clippy::expect_used, reason = "Safe because: writing into memory cannot fail")]
        write!(self.out, "{value}").expect("memory takes everything");
    }
}

impl Body for Xml<'_> {
    fn begin(&mut self, section: Section) {
        match section {
            Section::Header(_) => self.open("Header"),
            Section::Record(number) => {
                self.out.extend_from_slice(b"<Card recordNumber=\"");
                self.shown(number);
                self.out.extend_from_slice(b"\">");
            }
            Section::Trailer => self.open("Trailer"),
        }
    }

    fn end(&mut self, section: Section) {
        self.close(match section {
            Section::Header(_) => "Header",
            Section::Record(_) => "Card",
            Section::Trailer => "Trailer",
        });
    }

    fn open(&mut self, name: &'static str) {
        self.name(b"<", name, b">");
    }

    fn close(&mut self, name: &'static str) {
        self.name(b"</", name, b">");
    }

    fn open_list(&mut self, name: &'static str) {
        self.open(name);
    }

    fn close_list(&mut self, name: &'static str) {
        self.close(name);
    }

    fn open_item(&mut self, item: &'static str) {
        self.open(item);
    }

    fn close_item(&mut self, item: &'static str) {
        self.close(item);
    }

    fn text(&mut self, name: &'static str, value: &str) {
        self.open(name);
        self.escaped(value);
        self.close(name);
    }

    fn plain(&mut self, name: &'static str, value: impl Display) {
        self.open(name);
        self.shown(value);
        self.close(name);
    }

    fn number(&mut self, name: &'static str, value: u64) {
        self.plain(name, value);
    }

    fn flag(&mut self, name: &'static str, value: bool) {
        self.plain(name, value);
    }

    fn counts(&mut self, name: &'static str, counts: &BTreeMap<String, u64>) {
        self.open(name);
        for (key, count) in counts {
            self.out.extend_from_slice(b"<Count of=\"");
            self.escaped(key);
            self.out.extend_from_slice(b"\">");
            self.shown(count);
            self.out.extend_from_slice(b"</Count>");
        }
        self.close(name);
    }
}
