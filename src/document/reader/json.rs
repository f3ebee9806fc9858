//! One part of a JSON file as a tree: fields in the file's order, keys that stand twice still twice.

use crate::document::tree::Node;

/// The tree of one object; else what is wrong with the text.
pub(super) fn parse(text: &str) -> Result<Node, &'static str> {
    serde_json::from_str(text).map_err(|_| "is not well-formed JSON")
}
