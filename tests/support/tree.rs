//! The delivered document read by nobody's reader but this one: XML and JSON into the same tree.
//!
//! Names are those of the JSON; every value is text. Why not the library's reader: what it cannot see, it cannot miss.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// One value of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    Text(String),
    Object(Vec<(String, Tree)>),
    List(Vec<Tree>),
}

/// A document, and its records as they stand in it.
#[derive(Debug)]
pub struct Document {
    pub header: Tree,
    pub cards: Vec<Tree>,
    pub trailer: Tree,
    pub raw_records: Vec<String>,
}

impl Tree {
    /// The value at a path; `None` where there is nothing. An object or list is given as `{}`.
    pub fn get(&self, path: &str) -> Option<&str> {
        match self.find(path)? {
            Self::Text(text) => Some(text),
            Self::Object(_) | Self::List(_) => Some("{}"),
        }
    }

    /// The node at a path.
    pub fn find(&self, path: &str) -> Option<&Tree> {
        path.split('.').try_fold(self, |tree, step| match tree {
            Self::Text(_) => None,
            Self::Object(fields) => fields.iter().find(|(name, _)| name == step).map(|(_, value)| value),
            Self::List(entries) => entries.get(step.parse::<usize>().ok()?),
        })
    }

    /// The entries of a map of counts.
    pub fn entries(&self, path: &str) -> Vec<(String, String)> {
        match self.find(path) {
            Some(Self::Object(fields)) => {
                fields.iter().map(|(name, value)| (name.clone(), value.get_text().to_owned())).collect()
            }
            _ => Vec::new(),
        }
    }

    fn get_text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    /// The tree without the fields at these paths.
    pub fn without(&self, paths: &[&str]) -> Tree {
        let mut tree = self.clone();
        for path in paths {
            tree.remove(path);
        }
        tree
    }

    fn remove(&mut self, path: &str) {
        let Self::Object(fields) = self else { return };
        match path.split_once('.') {
            None => fields.retain(|(name, _)| name != path),
            Some((first, rest)) => {
                fields.iter_mut().filter(|(name, _)| name == first).for_each(|(_, value)| value.remove(rest));
            }
        }
    }
}

/// Keeps the order of fields, which a file's bytes depend on.
impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, a list, a text, a whole number or a truth value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element()? {
            list.push(entry);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut fields: Vec<(String, Tree)> = Vec::new();
        while let Some((name, value)) = entries.next_entry::<String, Tree>()? {
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format!("{name} stands there twice")));
            }
            fields.push((name, value));
        }
        Ok(Tree::Object(fields))
    }
}

impl Document {
    pub fn read(text: &str, name: &str) -> Document {
        if name.contains(".xml") { Self::of_xml(text) } else { Self::of_json(text) }
    }

    fn of_json(text: &str) -> Document {
        let Tree::Object(members) = serde_json::from_str(text).expect("JSON") else { panic!("not an object") };
        let [(header_name, header), (cards_name, cards), (trailer_name, trailer)] =
            <[(String, Tree); 3]>::try_from(members).expect("three members");
        assert_eq!([header_name, cards_name, trailer_name], ["header", "cards", "trailer"]);
        let Tree::List(cards) = cards else { panic!("cards is not a list") };
        let raw_records = text
            .lines()
            .filter(|line| line.starts_with("{\"recordNumber\""))
            .map(|line| line.strip_suffix(',').unwrap_or(line).to_owned())
            .collect();
        Document { header, cards, trailer, raw_records }
    }

    fn of_xml(text: &str) -> Document {
        let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
        let mut parser = Xml { rest: text.strip_prefix(declaration).expect("the declaration") };
        let root = parser.element();
        assert_eq!(parser.rest, "\n", "nothing follows the root but a line break");
        let version = root.attribute("formatVersion");
        assert_eq!(root.name, "EmbossingFile");
        assert_eq!(root.attribute("xmlns"), format!("urn:emboss:embossing-file:{version}"));
        let [header, cards, trailer] = <[Element; 3]>::try_from(root.children).expect("Header, Cards, Trailer");
        let mut header = header.tree();
        if let Tree::Object(fields) = &mut header {
            fields.insert(0, ("formatVersion".to_owned(), Tree::Text(version)));
        }
        let raw_records = text.lines().filter(|line| line.starts_with("<Card ")).map(str::to_owned).collect();
        let cards = cards.children.into_iter().map(Element::tree).collect();
        Document { header, cards, trailer: trailer.tree(), raw_records }
    }
}

/// As much XML as our documents have: elements, attributes, text, the five entities.
struct Xml<'a> {
    rest: &'a str,
}

#[derive(Debug)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
    text: String,
}

impl Xml<'_> {
    fn element(&mut self) -> Element {
        let (tag, rest) = self.rest.strip_prefix('<').and_then(|rest| rest.split_once('>')).expect("an element");
        self.rest = rest;
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut element = Element {
            name: name.to_owned(),
            attributes: read_attributes(attributes),
            children: vec![],
            text: String::new(),
        };
        if empty {
            return element;
        }
        let end = format!("</{name}>");
        loop {
            let (text, rest) = self.rest.split_at(self.rest.find('<').expect("an end tag"));
            element.text.push_str(&unescaped(text));
            self.rest = rest;
            if let Some(rest) = rest.strip_prefix(&end) {
                self.rest = rest;
                return element;
            }
            element.children.push(self.element());
        }
    }
}

fn read_attributes(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once("=\"") {
        let (value, next) = after.split_once('"').expect("a quoted value");
        found.push((name.trim().to_owned(), unescaped(value)));
        rest = next;
    }
    found
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    assert!(!text.replace("&amp;", "").contains('&'), "an entity we do not write: {text}");
    text.replace("&amp;", "&")
}

impl Element {
    fn attribute(&self, name: &str) -> String {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).expect("an attribute")
    }

    fn tree(self) -> Tree {
        if matches!(self.name.as_str(), "PinKeys" | "AdditionalValues") {
            return Tree::List(self.children.into_iter().map(Element::tree).collect());
        }
        if self.children.is_empty() && self.attributes.is_empty() && !self.name.starts_with("By") {
            return Tree::Text(self.text);
        }
        let attributes = self.attributes.into_iter().map(|(name, value)| (name, Tree::Text(value)));
        let children = self.children.into_iter().map(|child| match child.name.as_str() {
            "Count" => (child.attribute("of"), Tree::Text(child.text)),
            name => (lower_first(name), child.tree()),
        });
        Tree::Object(attributes.chain(children).collect())
    }
}

fn lower_first(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_ascii_lowercase() + rest
}
