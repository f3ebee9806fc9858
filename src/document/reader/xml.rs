//! One line of an XML file as a tree: elements with the one attribute the file has, nothing else XML could hold.

use quick_xml::escape::unescape;
use quick_xml::events::{BytesRef, BytesStart, Event};
use zeroize::Zeroizing;

use crate::document::tree::{Fields, Node};

/// Deeper than any field; keeps a hostile line from growing a tall tree.
const DEPTH: usize = 8;

struct Element {
    name: String,
    fields: Fields,
    text: Zeroizing<String>,
}

/// The tree of a line whose outermost element is `root`; else what is wrong with the line.
pub(super) fn parse(line: &str, root: &str) -> Result<Node, &'static str> {
    const MALFORMED: &str = "is not well-formed XML";
    let mut reader = quick_xml::Reader::from_str(line);
    let mut open: Vec<Element> = Vec::new();
    loop {
        match reader.read_event().map_err(|_| MALFORMED)? {
            Event::Start(start) => {
                if open.len() == DEPTH || (open.is_empty() && start.name().0 != root) {
                    return Err("has elements where none should be");
                }
                open.push(element(&start, open.is_empty())?);
            }
            Event::End(_) => {
                let element = open.pop().ok_or(MALFORMED)?;
                let name = element.name.clone();
                let node = node(element)?;
                match open.last_mut() {
                    Some(parent) => parent.fields.push((name, node)),
                    None if reader.buffer_position() == line.len() as u64 => return Ok(node),
                    None => return Err("goes on after its last element"),
                }
            }
            Event::Text(text) => open.last_mut().ok_or(MALFORMED)?.text.push_str(&text),
            Event::GeneralRef(entity) => {
                let character = resolve(&entity).ok_or("has an entity XML does not define")?;
                open.last_mut().ok_or(MALFORMED)?.text.push(character);
            }
            Event::Eof => return Err("ends before its last element does"),
            _ => return Err("holds markup other than elements and text"),
        }
    }
}

/// The element's name as JSON writes it; a count's key stands for its name.
fn element(start: &BytesStart<'_>, outermost: bool) -> Result<Element, &'static str> {
    let name = start.name().0;
    let mut element = Element { name: lower_first(name)?, fields: Vec::new(), text: Zeroizing::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| "has a malformed attribute")?;
        let value = unescape(&attribute.value).map_err(|_| "has a malformed attribute")?;
        match (name, attribute.key.0) {
            ("Card", "recordNumber") if outermost => {
                element.fields.push(("recordNumber".to_owned(), Node::raw(value)));
            }
            ("Count", "of") if !outermost => element.name = value.into_owned(),
            _ => return Err("has an attribute this file does not know"),
        }
    }
    Ok(element)
}

fn lower_first(name: &str) -> Result<String, &'static str> {
    match name.chars().next() {
        Some(first) if first.is_ascii_uppercase() => Ok(first.to_ascii_lowercase().to_string() + &name[1..]),
        _ => Err("has an element whose name does not begin with a capital letter"),
    }
}

fn node(element: Element) -> Result<Node, &'static str> {
    let Element { name, fields, text } = element;
    if !fields.is_empty() && !text.is_empty() {
        return Err("has text between elements");
    }
    let item = match name.as_str() {
        "pinKeys" => "pinKey",
        "additionalValues" => "additionalValue",
        _ if fields.is_empty() => return Ok(Node::Raw(text)),
        _ => return Ok(Node::Object(fields)),
    };
    if fields.iter().any(|(name, _)| name != item) {
        return Err("has a list with an entry of another name");
    }
    Ok(Node::List(fields.into_iter().map(|(_, node)| node).collect()))
}

fn resolve(entity: &BytesRef<'_>) -> Option<char> {
    match &**entity {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => entity.resolve_char_ref().ok().flatten(),
    }
}
