//! A part of a file as a small ordered tree: what the reader checks against the tables, and what `inspect` shows.
//!
//! Invariants: fields keep the order and the repetitions of the file; texts are wiped when dropped. One part (a
//! header, a record, a trailer) is a tree at a time, never the whole file.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use zeroize::Zeroizing;

use super::walk::{Body, Section};

/// A value with its fields by name, in order.
pub(crate) type Fields = Vec<(String, Node)>;

/// One value.
#[derive(Clone)]
pub(crate) enum Node {
    /// A text whose format says it is one (JSON).
    Text(Zeroizing<String>),
    /// A text that may stand for a number or a flag as well (XML).
    Raw(Zeroizing<String>),
    Number(u64),
    Flag(bool),
    Object(Fields),
    List(Vec<Node>),
    /// null, a fraction, a negative number: nothing our files have.
    Foreign,
}

impl Node {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(Zeroizing::new(text.into()))
    }

    pub(crate) fn raw(text: impl Into<String>) -> Self {
        Self::Raw(Zeroizing::new(text.into()))
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyNode)
    }
}

struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::text(text))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Number(number))
    }

    fn visit_i64<E>(self, _number: i64) -> Result<Node, E> {
        Ok(Node::Foreign)
    }

    fn visit_f64<E>(self, _number: f64) -> Result<Node, E> {
        Ok(Node::Foreign)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Foreign)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = entries.next_entry()? {
            fields.push(field);
        }
        Ok(Node::Object(fields))
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) | Self::Raw(text) => to.serialize_str(text),
            Self::Number(number) => to.serialize_u64(*number),
            Self::Flag(flag) => to.serialize_bool(*flag),
            Self::Object(fields) => {
                let mut map = to.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
            Self::List(items) => {
                let mut list = to.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Foreign => to.serialize_unit(),
        }
    }
}

/// Grows a tree as a format writes bytes.
#[derive(Default)]
pub(crate) struct Grow {
    open: Vec<Node>,
    done: Fields,
}

impl Grow {
    pub(crate) fn tree(self) -> Node {
        Node::Object(self.done)
    }

    fn put(&mut self, name: &str, node: Node) {
        match self.open.last_mut() {
            Some(Node::Object(fields)) => fields.push((name.to_owned(), node)),
            Some(Node::List(items)) => items.push(node),
            _ => self.done.push((name.to_owned(), node)),
        }
    }

    fn shut(&mut self, name: &str) {
        if let Some(node) = self.open.pop() {
            self.put(name, node);
        }
    }
}

impl Body for Grow {
    fn begin(&mut self, section: Section) {
        match section {
            Section::Header(version) => self.plain("formatVersion", version.number()),
            Section::Record(number) => self.number("recordNumber", number),
            Section::Trailer => {}
        }
    }

    fn end(&mut self, _section: Section) {}

    fn open(&mut self, _name: &'static str) {
        self.open.push(Node::Object(Vec::new()));
    }

    fn close(&mut self, name: &'static str) {
        self.shut(name);
    }

    fn open_list(&mut self, _name: &'static str) {
        self.open.push(Node::List(Vec::new()));
    }

    fn close_list(&mut self, name: &'static str) {
        self.shut(name);
    }

    fn open_item(&mut self, item: &'static str) {
        self.open(item);
    }

    fn close_item(&mut self, item: &'static str) {
        self.shut(item);
    }

    fn text(&mut self, name: &'static str, value: &str) {
        self.put(name, Node::text(value));
    }

    fn plain(&mut self, name: &'static str, value: impl Display) {
        self.put(name, Node::text(value.to_string()));
    }

    fn number(&mut self, name: &'static str, value: u64) {
        self.put(name, Node::Number(value));
    }

    fn flag(&mut self, name: &'static str, value: bool) {
        self.put(name, Node::Flag(value));
    }

    fn counts(&mut self, name: &'static str, counts: &BTreeMap<String, u64>) {
        let fields = counts.iter().map(|(key, count)| (key.clone(), Node::Number(*count))).collect();
        self.put(name, Node::Object(fields));
    }
}
