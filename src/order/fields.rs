//! An object read field by field: each is taken once, and what is left over at the end is unknown.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::error::{ErrorCode, Refusal};
use super::json::{Json, Object, shown};
use super::text::TextRule;
use crate::card::product::UnknownWord;

/// The members of one object and the path to it. Its `Debug` shows the path only.
pub struct Fields {
    path: String,
    members: Object,
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fields({})", self.path)
    }
}

impl Fields {
    /// The object at `path`; empty for the line itself.
    pub fn new(path: impl Into<String>, members: Object) -> Self {
        Self { path: path.into(), members }
    }

    /// The path of a field, for example `body.embossing.firstName`.
    pub fn name(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }

    /// Whether nothing is left to read.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// What the source calls required.
    ///
    /// # Errors
    /// FIELD_MISSING.
    pub fn required<T>(&self, field: &str, value: Option<T>) -> Result<T, Refusal> {
        value.ok_or_else(|| ErrorCode::FieldMissing.because(format!("{} is missing", self.name(field))))
    }

    /// Refuses a value with the field's path and `reason`, for example `must be a date`.
    pub fn refuse<T>(&self, field: &str, code: ErrorCode, reason: &str) -> Result<T, Refusal> {
        Err(code.because(format!("{} {reason}", self.name(field))))
    }

    /// A string as it was written, unchecked.
    ///
    /// # Errors
    /// FIELD_TYPE.
    pub fn string(&mut self, field: &str) -> Result<Option<String>, Refusal> {
        match self.members.remove(field) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => self.refuse(field, ErrorCode::FieldType, "must be a string"),
        }
    }

    /// A string within its limits, in NFC.
    ///
    /// # Errors
    /// FIELD_TYPE, and those of [`TextRule::check`].
    pub fn text(&mut self, field: &str, rule: &TextRule) -> Result<Option<String>, Refusal> {
        self.string(field)?.map(|text| rule.check(&self.name(field), &text)).transpose()
    }

    /// A word of a closed list.
    ///
    /// # Errors
    /// FIELD_TYPE, or FIELD_VALUE naming the list.
    pub fn word<T: FromStr<Err = UnknownWord>>(&mut self, field: &str) -> Result<Option<T>, Refusal> {
        let Some(text) = self.string(field)? else { return Ok(None) };
        match text.parse() {
            Ok(word) => Ok(Some(word)),
            Err(unknown) => self.refuse(field, ErrorCode::FieldValue, &format!("must be one of: {}", unknown.allowed)),
        }
    }

    /// A string of a pattern, for example an id.
    ///
    /// # Errors
    /// FIELD_TYPE, or FIELD_PATTERN with `pattern`.
    pub fn parsed<T: FromStr>(&mut self, field: &str, pattern: &str) -> Result<Option<T>, Refusal> {
        let Some(text) = self.string(field)? else { return Ok(None) };
        match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => self.refuse(field, ErrorCode::FieldPattern, &format!("must match {pattern}")),
        }
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// FIELD_TYPE.
    pub fn boolean(&mut self, field: &str) -> Result<Option<bool>, Refusal> {
        match self.members.remove(field) {
            None => Ok(None),
            Some(Json::Bool(value)) => Ok(Some(value)),
            Some(_) => self.refuse(field, ErrorCode::FieldType, "must be true or false"),
        }
    }

    /// A whole number within a range.
    ///
    /// # Errors
    /// FIELD_TYPE or FIELD_VALUE.
    pub fn whole(&mut self, field: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, Refusal> {
        let number = match self.members.remove(field) {
            None => return Ok(None),
            Some(Json::Number(number)) => number.as_i64(),
            Some(_) => None,
        };
        match number {
            None => self.refuse(field, ErrorCode::FieldType, "must be a whole number"),
            Some(number) if range.contains(&number) => Ok(Some(number)),
            Some(_) => {
                let reason = format!("must be {} to {}", range.start(), range.end());
                self.refuse(field, ErrorCode::FieldValue, &reason)
            }
        }
    }

    /// A number that is not negative.
    ///
    /// # Errors
    /// FIELD_TYPE or FIELD_VALUE.
    pub fn amount(&mut self, field: &str) -> Result<Option<f64>, Refusal> {
        match self.members.remove(field) {
            None => Ok(None),
            Some(Json::Number(number)) => match number.as_f64() {
                Some(amount) if amount >= 0.0 => Ok(Some(amount)),
                _ => self.refuse(field, ErrorCode::FieldValue, "must not be negative"),
            },
            Some(_) => self.refuse(field, ErrorCode::FieldType, "must be a number"),
        }
    }

    /// A string, or the whole number that S1 shows in its place.
    ///
    /// # Errors
    /// FIELD_TYPE.
    pub fn string_or_number(&mut self, field: &str) -> Result<Option<String>, Refusal> {
        match self.members.remove(field) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(Json::Number(number)) if number.is_u64() => Ok(Some(number.to_string())),
            Some(_) => self.refuse(field, ErrorCode::FieldType, "must be a string or a whole number"),
        }
    }

    /// An object, to be read the same way.
    ///
    /// # Errors
    /// FIELD_TYPE.
    pub fn object(&mut self, field: &str) -> Result<Option<Fields>, Refusal> {
        match self.members.remove(field) {
            None => Ok(None),
            Some(Json::Object(members)) => Ok(Some(Self::new(self.name(field), members))),
            Some(_) => self.refuse(field, ErrorCode::FieldType, "must be an object"),
        }
    }

    /// A list of at most `max` entries.
    ///
    /// # Errors
    /// FIELD_TYPE or FIELD_TOO_LONG.
    pub fn list(&mut self, field: &str, max: usize) -> Result<Option<Vec<Json>>, Refusal> {
        match self.members.remove(field) {
            None => Ok(None),
            Some(Json::List(values)) if values.len() <= max => Ok(Some(values)),
            Some(Json::List(values)) => {
                let reason = format!("has {} entries, at most {max} are allowed", values.len());
                self.refuse(field, ErrorCode::FieldTooLong, &reason)
            }
            Some(_) => self.refuse(field, ErrorCode::FieldType, "must be a list"),
        }
    }

    /// A list of objects, each to be read the same way; paths count from 1.
    ///
    /// # Errors
    /// FIELD_TYPE or FIELD_TOO_LONG.
    pub fn objects(&mut self, field: &str, max: usize) -> Result<Option<Vec<Fields>>, Refusal> {
        let Some(values) = self.list(field, max)? else { return Ok(None) };
        let name = self.name(field);
        let entry = |(index, value)| match value {
            Json::Object(members) => Ok(Self::new(format!("{name}[{}]", index + 1), members)),
            _ => Err(ErrorCode::FieldType.because(format!("{name}[{}] must be an object", index + 1))),
        };
        values.into_iter().enumerate().map(entry).collect::<Result<_, _>>().map(Some)
    }

    /// Refuses what was not taken.
    ///
    /// # Errors
    /// FIELD_UNKNOWN with the first field left over.
    pub fn end(self) -> Result<(), Refusal> {
        match self.members.keys().next() {
            None => Ok(()),
            Some(key) => Err(ErrorCode::FieldUnknown.because(format!("{} is not known here", self.name(shown(key))))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::parse_object;
    use super::*;
    use crate::card::Scheme;

    fn fields(text: &str) -> Fields {
        Fields::new("body", parse_object(text).unwrap())
    }

    #[test]
    fn null_is_absent() {
        let mut fields = fields(r#"{"a":null}"#);
        assert_eq!(fields.string("a").unwrap(), None);
        fields.end().unwrap();
    }

    #[test]
    fn what_is_left_over_is_unknown() {
        let refusal = fields(r#"{"colour":"red"}"#).end().unwrap_err();
        assert_eq!(refusal, ErrorCode::FieldUnknown.because("body.colour is not known here"));
    }

    #[test]
    fn a_number_where_a_string_belongs_is_refused() {
        let refusal = fields(r#"{"a":1}"#).string("a").unwrap_err();
        assert_eq!(refusal, ErrorCode::FieldType.because("body.a must be a string"));
    }

    #[test]
    fn words_are_of_their_list_in_its_letter_case() {
        assert_eq!(fields(r#"{"a":"VISA"}"#).word::<Scheme>("a").unwrap(), Some(Scheme::Visa));
        let refusal = fields(r#"{"a":"visa"}"#).word::<Scheme>("a").unwrap_err();
        assert_eq!(refusal, ErrorCode::FieldValue.because("body.a must be one of: MASTERCARD VISA"));
    }

    #[test]
    fn whole_numbers_are_whole_and_within_their_range() {
        assert_eq!(fields(r#"{"a":12}"#).whole("a", 1..=12).unwrap(), Some(12));
        assert_eq!(fields(r#"{"a":13}"#).whole("a", 1..=12).unwrap_err().code, ErrorCode::FieldValue);
        for text in [r#"{"a":1.0}"#, r#"{"a":"1"}"#, r#"{"a":99999999999999999999}"#] {
            assert_eq!(fields(text).whole("a", 1..=12).unwrap_err().code, ErrorCode::FieldType, "{text}");
        }
    }

    #[test]
    fn only_whole_numbers_stand_for_a_string_and_only_there() {
        assert_eq!(fields(r#"{"a":22100}"#).string_or_number("a").unwrap().as_deref(), Some("22100"));
        assert_eq!(fields(r#"{"a":"00100"}"#).string_or_number("a").unwrap().as_deref(), Some("00100"));
        for text in [r#"{"a":-1}"#, r#"{"a":1.5}"#, r#"{"a":true}"#] {
            assert_eq!(fields(text).string_or_number("a").unwrap_err().code, ErrorCode::FieldType, "{text}");
        }
    }
}
