//! Access to `tests/vectors.json` for the tests of this room.

use serde_json::Value;
use zeroize::Zeroizing;

/// The whole file.
pub(crate) fn all() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors.json")).expect("vectors.json is JSON")
}

/// The entries of a list, which must not be empty.
pub(crate) fn list(name: &str) -> Vec<Value> {
    let list = all()[name].as_array().expect(name).clone();
    assert!(!list.is_empty(), "{name}");
    list
}

/// The entries of a list of public known answers.
pub(crate) fn known(name: &str) -> Vec<Value> {
    let list = all()["public_known_answers"][name].as_array().expect(name).clone();
    assert!(!list.is_empty(), "{name}");
    list
}

/// A text field.
pub(crate) fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry[field].as_str().expect(field)
}

/// A field of hexadecimal digits.
pub(crate) fn hex(entry: &Value, field: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(hex::decode(text(entry, field)).expect(field))
}

/// The bytes of a named key.
pub(crate) fn key(name: &str) -> Zeroizing<Vec<u8>> {
    hex(&all()["keys"][name], "hex")
}
