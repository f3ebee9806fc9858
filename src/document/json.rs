//! JSON: keys in lowerCamel, the version inside the header, no white space but the line breaks of the frame.
//!
//! Keys and structure are written straight into the record's buffer, because the names are ours; `serde_json` writes
//! what comes from outside.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Write;

use super::legal::{DOUBTFUL, seen};
use super::walk::{Body, Section};
use super::writer::Frame;

/// The lines around header, records and trailer.
pub(crate) fn frame() -> Frame {
    Frame {
        before_header: "{\"header\":".to_owned(),
        before_records: ",\n\"cards\":[\n",
        between_records: ",\n",
        before_trailer: "],\n\"trailer\":",
        after_trailer: "}\n",
    }
}

/// Writes objects into a buffer.
pub(crate) struct Json<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
    /// A text may hold an illegal character.
    pub(crate) doubtful: bool,
}

impl<'a> Json<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, first: true, doubtful: false }
    }

    fn separate(&mut self) {
        if !std::mem::replace(&mut self.first, false) {
            self.out.push(b',');
        }
    }

    fn key(&mut self, name: &str) {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn quoted(&mut self, value: &str) {
        self.doubtful |= seen(value) & DOUBTFUL != 0;
        #[expect(clippy::expect_used, reason = "Safe because: writing a string into memory cannot fail")]
        serde_json::to_writer(&mut *self.out, value).expect("memory takes everything");
    }

    fn shown(&mut self, value: impl Display) {
        #[expect(clippy::expect_used, reason = "Safe because: writing into memory cannot fail")]
        write!(self.out, "{value}").expect("memory takes everything");
    }

    fn enter(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.first = true;
    }

    fn leave(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.first = false;
    }
}

impl Body for Json<'_> {
    fn begin(&mut self, section: Section) {
        self.enter(b'{');
        match section {
            Section::Header(version) => self.plain("formatVersion", version.number()),
            Section::Record(number) => self.number("recordNumber", number),
            Section::Trailer => {}
        }
    }

    fn end(&mut self, _section: Section) {
        self.leave(b'}');
    }

    fn open(&mut self, name: &'static str) {
        self.key(name);
        self.enter(b'{');
    }

    fn close(&mut self, _name: &'static str) {
        self.leave(b'}');
    }

    fn open_list(&mut self, name: &'static str) {
        self.key(name);
        self.enter(b'[');
    }

    fn close_list(&mut self, _name: &'static str) {
        self.leave(b']');
    }

    fn open_item(&mut self, _item: &'static str) {
        self.separate();
        self.enter(b'{');
    }

    fn close_item(&mut self, _item: &'static str) {
        self.leave(b'}');
    }

    fn text(&mut self, name: &'static str, value: &str) {
        self.key(name);
        self.quoted(value);
    }

    fn plain(&mut self, name: &'static str, value: impl Display) {
        self.key(name);
        self.out.push(b'"');
        self.shown(value);
        self.out.push(b'"');
    }

    fn number(&mut self, name: &'static str, value: u64) {
        self.key(name);
        self.shown(value);
    }

    fn flag(&mut self, name: &'static str, value: bool) {
        self.key(name);
        self.shown(value);
    }

    fn counts(&mut self, name: &'static str, counts: &BTreeMap<String, u64>) {
        self.open(name);
        for (key, count) in counts {
            self.separate();
            self.quoted(key);
            self.out.push(b':');
            self.shown(count);
        }
        self.close(name);
    }
}
