//! JSON read strictly: a key that stands twice is refused, null is the same as absent, nothing is lost silently.
//!
//! Why not `serde_json::Value`: it keeps the last of two equal keys, so that two readers of one line could act on
//! different values.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::error::{ErrorCode, Refusal};
use crate::card::characters::{code_point, xml_legal};
use crate::card::secret::masked_debug;

/// A JSON value. Objects are sorted by key; a member that is null is left out.
#[derive(Clone, PartialEq)]
pub enum Json {
    /// `null`, in lists only.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Object(Object),
}

/// The members of an object, by key.
pub type Object = BTreeMap<String, Json>;

masked_debug!(Json);

/// Reads one JSON object and nothing behind it.
///
/// # Errors
/// NOT_JSON, DUPLICATE_KEY or CHARACTER_ILLEGAL.
pub fn parse_object(text: &str) -> Result<Object, Refusal> {
    let duplicate = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict(&duplicate).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    match value {
        Ok(Json::Object(members)) => match first_illegal(&members) {
            None => Ok(members),
            Some((path, character)) => {
                let what = format!("{path} holds {}, which no file can carry", code_point(character));
                Err(ErrorCode::CharacterIllegal.because(what))
            }
        },
        Ok(_) => Err(ErrorCode::NotJson.because("the line is JSON, but not an object")),
        Err(error) => Err(match duplicate.take() {
            Some(key) => ErrorCode::DuplicateKey.because(format!("{} stands twice in one object", shown(&key))),
            None => ErrorCode::NotJson.because(format!("the line is not JSON: see column {}", error.column())),
        }),
    }
}

/// The canonical text: keys sorted by code point, no white space, no nulls. What an order's MAC is made of.
pub fn canonical(members: &Object) -> String {
    let mut text = String::new();
    write_object(members, &mut text);
    text
}

fn write_object(members: &Object, to: &mut String) {
    to.push('{');
    for (place, (key, value)) in members.iter().enumerate() {
        if place > 0 {
            to.push(',');
        }
        write_text(key, to);
        to.push(':');
        write_value(value, to);
    }
    to.push('}');
}

fn write_value(value: &Json, to: &mut String) {
    match value {
        Json::Null => to.push_str("null"),
        Json::Bool(value) => to.push_str(if *value { "true" } else { "false" }),
        Json::Number(number) => to.push_str(&number.to_string()),
        Json::Text(text) => write_text(text, to),
        Json::List(values) => {
            to.push('[');
            for (place, value) in values.iter().enumerate() {
                if place > 0 {
                    to.push(',');
                }
                write_value(value, to);
            }
            to.push(']');
        }
        Json::Object(members) => write_object(members, to),
    }
}

fn write_text(text: &str, to: &mut String) {
    to.push_str(&serde_json::Value::from(text).to_string());
}

/// A key as a refusal may show it: what could be anything else than a field's name is not repeated.
pub fn shown(key: &str) -> &str {
    let letters = key.bytes().all(|b| b.is_ascii_alphanumeric()) && key.starts_with(|c: char| c.is_ascii_lowercase());
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    if letters && digits <= 2 && key.len() <= 40 { key } else { "a field with an unusual name" }
}

/// The first character that neither XML 1.0 nor a line of a letter can carry, with the path to it.
fn first_illegal(members: &Object) -> Option<(String, char)> {
    members.iter().find_map(|(key, value)| {
        let name = shown(key);
        match key.chars().find(|c| is_illegal(*c)) {
            Some(character) => Some((name.to_owned(), character)),
            None => illegal_in(value).map(|(path, character)| (format!("{name}{path}"), character)),
        }
    })
}

fn illegal_in(value: &Json) -> Option<(String, char)> {
    match value {
        Json::Text(text) => text.chars().find(|c| is_illegal(*c)).map(|c| (String::new(), c)),
        Json::List(values) => values.iter().find_map(illegal_in).map(|(path, c)| (format!("[]{path}"), c)),
        Json::Object(members) => first_illegal(members).map(|(path, c)| (format!(".{path}"), c)),
        Json::Null | Json::Bool(_) | Json::Number(_) => None,
    }
}

/// What no file can hold, and the two separators that some readers take for the end of a line.
fn is_illegal(character: char) -> bool {
    !xml_legal(character) || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Builds [`Json`]; remembers the key that stood twice.
#[derive(Clone, Copy)]
struct Strict<'a>(&'a Cell<Option<String>>);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Json, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Number::from_f64(value).map(Json::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = from.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut members = Object::new();
        while let Some(key) = from.next_key::<String>()? {
            if members.contains_key(&key) {
                self.0.set(Some(key));
                return Err(A::Error::custom("a key stands twice"));
            }
            members.insert(key, from.next_value_seed(self)?);
        }
        members.retain(|_, value| *value != Json::Null);
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<ErrorCode> {
        parse_object(text).err().map(|refusal| refusal.code)
    }

    #[test]
    fn canonical_text_is_sorted_without_white_space_and_without_nulls() {
        let members =
            parse_object(r#" {"b" : [1, 2.5,null, true], "a":{"z":null,"y":"é\u0022\/"},"c":null} "#).unwrap();
        assert_eq!(canonical(&members), r#"{"a":{"y":"é\"/"},"b":[1,2.5,null,true]}"#);
    }

    #[test]
    fn equal_content_has_equal_canonical_text_however_it_is_written() {
        let one = parse_object(r#"{"op":"x","body":{"firstName":"J\u00f6rg","n":null}}"#).unwrap();
        let other = parse_object("{\"body\":{\"firstName\":\"Jörg\"},\t\"op\":\"x\"}").unwrap();
        assert_eq!(canonical(&one), canonical(&other));
    }

    #[test]
    fn a_key_twice_is_refused_at_any_depth_and_however_it_is_escaped() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":null,"a":2}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[{"a":1,"a":2}]}"#,
        ] {
            let refusal = parse_object(text).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::DuplicateKey, "{text}");
            assert_eq!(refusal.reason, "a stands twice in one object");
        }
        assert_eq!(code(r#"{"a":{"b":1},"b":{"a":1}}"#), None);
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        for text in
            ["", "[]", "1", "\"x\"", "null", "{", "{}{}", "{}x", "{'a':1}", "{\"a\":1e999}", "{\"a\":\"\\ud800\"}"]
        {
            assert_eq!(code(text), Some(ErrorCode::NotJson), "{text}");
        }
        assert_eq!(code(&format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200))), Some(ErrorCode::NotJson));
    }

    #[test]
    fn control_and_xml_illegal_characters_are_refused_with_field_and_code_point() {
        for (text, reason) in [
            (r#"{"a":"\u0000"}"#, "a holds U+0000, which no file can carry"),
            (r#"{"a":{"b":"x\ty"}}"#, "a.b holds U+0009, which no file can carry"),
            (r#"{"a":["x","y\u0085"]}"#, "a[] holds U+0085, which no file can carry"),
            (r#"{"a":"\uFFFE"}"#, "a holds U+FFFE, which no file can carry"),
            (r#"{"a":"\u2028"}"#, "a holds U+2028, which no file can carry"),
            (r#"{"a\u007f":1}"#, "a field with an unusual name holds U+007F, which no file can carry"),
        ] {
            let refusal = parse_object(text).unwrap_err();
            assert_eq!((refusal.code, refusal.reason.as_str()), (ErrorCode::CharacterIllegal, reason), "{text}");
        }
        assert_eq!(code(r#"{"a":"\u0020\u007e\u00a0\ufffd\ud83d\ude00"}"#), None);
    }

    #[test]
    fn r138_keys_that_may_be_values_are_not_shown() {
        assert_eq!(shown("additionalField6"), "additionalField6");
        for key in ["4000001234567899", "pan4000001234567899", "Matti", "first name", "", "Ä"] {
            assert_eq!(shown(key), "a field with an unusual name", "{key}");
        }
    }
}
