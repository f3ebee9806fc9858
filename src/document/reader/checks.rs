//! Holds one part of a file against its table: unknown, missing, repeated, misplaced and malformed fields.

use unicode_normalization::is_nfc;

use super::table::{Field, Form, Kind};
use super::{Findings, Part};
use crate::agreement::FileVersion;
use crate::card::characters::{code_point, length};
use crate::document::legal::first_illegal;
use crate::document::tree::{Fields, Node};

/// A check of one part; findings name fields by their path.
pub(super) struct Check<'a> {
    pub(super) part: Part,
    pub(super) version: FileVersion,
    pub(super) findings: &'a mut Findings,
}

impl Check<'_> {
    fn say(&mut self, path: &str, name: &str, fault: impl Into<String>) {
        self.findings.add(self.part, join(path, name), fault);
    }

    /// One object and everything below it.
    pub(super) fn object(&mut self, path: &str, fields: &Fields, table: &'static [Field]) {
        let mut seen = vec![false; table.len()];
        let mut furthest = 0;
        for (name, value) in fields {
            let Some(place) = table.iter().position(|field| field.name == name) else {
                self.say(path, &shown(name), "is not a field of this file");
                continue;
            };
            if table[place].since > self.version.number() {
                self.say(path, name, "is a field of version 2 only");
            }
            if std::mem::replace(&mut seen[place], true) {
                self.say(path, name, "stands twice");
            } else if place < furthest {
                self.say(path, name, "stands out of order");
            }
            furthest = furthest.max(place);
            self.value(path, name, value, &table[place].kind);
        }
        for (field, seen) in table.iter().zip(seen) {
            if field.must && !seen && field.since <= self.version.number() {
                self.say(path, field.name, "is missing");
            }
        }
    }

    fn value(&mut self, path: &str, name: &str, value: &Node, kind: &'static Kind) {
        match (kind, value) {
            (Kind::Text(form), Node::Text(text) | Node::Raw(text)) => self.text(path, name, text, form),
            (Kind::Number(least), node) => match number(node) {
                None => self.say(path, name, "must be a whole number"),
                Some(number) if number < *least => self.say(path, name, format!("must be at least {least}")),
                Some(_) => {}
            },
            (Kind::Flag, node) if flag(node).is_some() => {}
            (Kind::Flag, _) => self.say(path, name, "must be true or false"),
            (Kind::Object(_) | Kind::Counts(_), Node::Object(fields)) if fields.is_empty() => {
                self.say(path, name, "is empty; what is absent is left out");
            }
            (Kind::Object(table), Node::Object(fields)) => self.object(&join(path, name), fields, table),
            (Kind::List(most, table), Node::List(items)) => self.list(&join(path, name), items, *most, table),
            (Kind::Counts(form), Node::Object(fields)) => self.counts(&join(path, name), fields, form),
            _ => self.say(path, name, "is not of the kind the table gives it"),
        }
    }

    fn text(&mut self, path: &str, name: &str, text: &str, form: &Form) {
        if text.is_empty() {
            return self.say(path, name, "is empty; what is absent is left out");
        }
        if let Some(character) = first_illegal(text) {
            let fault = format!("holds {}, which no embossing file can carry", code_point(character));
            self.say(path, name, fault);
        }
        if !is_nfc(text) {
            self.say(path, name, "is not in normalisation form C");
        }
        let fault = match form {
            Form::Chars(most) => (length(text) > *most).then(|| format!("is longer than {most} characters")),
            Form::Like(test, form) => (!test(text)).then(|| format!("must be {form}")),
            Form::Word(test) => test(text).err().map(|unknown| format!("must be one of: {}", unknown.allowed)),
        };
        if let Some(fault) = fault {
            self.say(path, name, fault);
        }
    }

    fn list(&mut self, path: &str, items: &[Node], most: usize, table: &'static [Field]) {
        if items.is_empty() {
            self.findings.add(self.part, path.to_owned(), "is empty; what is absent is left out");
        }
        if items.len() > most {
            self.findings.add(self.part, path.to_owned(), format!("has more than {most} entries"));
        }
        for (place, item) in items.iter().enumerate() {
            let path = format!("{path}[{}]", place + 1);
            match item {
                Node::Object(fields) => self.object(&path, fields, table),
                _ => self.findings.add(self.part, path, "is not of the kind the table gives it"),
            }
        }
    }

    fn counts(&mut self, path: &str, fields: &Fields, form: &Form) {
        for (place, (key, count)) in fields.iter().enumerate() {
            let path = format!("{path}[{}]", place + 1);
            self.text(&path, "", key, form);
            if number(count).is_none_or(|count| count == 0) {
                self.say(&path, "", "must be a whole number of at least 1");
            }
        }
        if !fields.is_sorted_by(|one, next| one.0 < next.0) {
            self.findings.add(self.part, path.to_owned(), "has a key twice or out of order");
        }
    }
}

/// A number as JSON or XML writes it, without sign and leading zeros.
pub(super) fn number(node: &Node) -> Option<u64> {
    match node {
        Node::Number(number) => Some(*number),
        Node::Raw(text)
            if text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0')) =>
        {
            text.parse().ok()
        }
        _ => None,
    }
}

/// A flag as JSON or XML writes it.
pub(super) fn flag(node: &Node) -> Option<bool> {
    match node {
        Node::Flag(flag) => Some(*flag),
        Node::Raw(text) => text.parse().ok(),
        _ => None,
    }
}

fn join(path: &str, name: &str) -> String {
    let dot = if path.is_empty() || name.is_empty() { "" } else { "." };
    format!("{path}{dot}{name}")
}

/// An unknown field's name, unless it could be a value in the wrong place: a number, a name with spaces.
fn shown(name: &str) -> String {
    let plain = name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let few_digits = name.bytes().filter(u8::is_ascii_digit).count() <= 2;
    if plain && few_digits && !name.is_empty() { name.to_owned() } else { "(a name not shown)".to_owned() }
}
