//! What a kind of field takes at its limits, and what it refuses past them.

use super::*;

/// Values of one field: taken, and refused with their code.
pub(super) struct Values {
    pub(super) taken: Vec<Value>,
    pub(super) refused: Vec<(Value, ErrorCode)>,
}

impl Values {
    fn new(taken: Vec<Value>, refused: Vec<(Value, ErrorCode)>) -> Self {
        Self { taken, refused }
    }

    fn but_not(mut self, code: ErrorCode, refused: &[&str]) -> Self {
        self.refused.extend(refused.iter().map(|text| (json!(text), code)));
        self
    }

    /// As [`class`], of a whole pattern.
    pub(super) fn patterned(self, taken: &[&str], refused: &[&str]) -> Self {
        self.and(taken).but_not(ErrorCode::FieldPattern, refused)
    }

    fn and(mut self, taken: &[&str]) -> Self {
        self.taken.extend(taken.iter().map(|text| json!(text)));
        self
    }

    /// What is no string.
    fn a_string(mut self) -> Self {
        let others = [json!(1), json!(0.5), json!(true), json!(["a"]), json!({"a": "a"})];
        self.refused.extend(others.map(|other| (other, ErrorCode::FieldType)));
        self
    }
}

/// Characters of some class: `letter` may be repeated `min` to `max` times.
pub(super) fn of(letter: &str, min: usize, max: usize) -> Values {
    let mut values = Values::new(
        vec![json!(letter.repeat(min)), json!(letter.repeat(max))],
        vec![
            (json!(letter.repeat(max + 1)), ErrorCode::FieldTooLong),
            (json!("a\u{0}"), ErrorCode::CharacterIllegal),
            (json!("a\u{FFFF}"), ErrorCode::CharacterIllegal),
        ],
    );
    if min > 0 {
        values.refused.push((json!(letter.repeat(min - 1)), ErrorCode::FieldTooShort));
    }
    values.a_string()
}

/// Any text: composed and decomposed letters count one each (R100).
pub(super) fn free(min: usize, max: usize) -> Values {
    of("a", min, max).and(&["Ọ".repeat(max).as_str(), "e\u{301}".repeat(max).as_str(), "–日本’😀"])
}

/// A line of the card: the printed set (R93).
pub(super) fn embossed(max: usize) -> Values {
    let letters = of("a", 0, max).and(&["ẞ".repeat(max).as_str(), "e\u{301}".repeat(max).as_str(), "-/.,&+' aZ09"]);
    letters
        .but_not(ErrorCode::Charset, &["a\u{2019}", "a\u{A0}", "a\u{2013}", "a_b", "\u{3979}", "\u{2BC}N", "\u{FEFF}"])
}

/// Letters and digits, and what else a class has or has not.
pub(super) fn class(min: usize, max: usize, taken: &[&str], refused: &[&str]) -> Values {
    of("a", min, max).and(taken).but_not(ErrorCode::FieldPattern, refused)
}

/// An id of the card platform: up to 18 digits.
pub(super) fn id() -> Values {
    let long = "1".repeat(60_000);
    let nineteen = format!("1{}", "0".repeat(18));
    Values::new(vec![json!("1"), json!("9".repeat(18))], vec![])
        .but_not(
            ErrorCode::FieldPattern,
            &[&nineteen, &long, "", "0", "01", "-1", "+1", " 1", "1.0", "1e3", "0x1", "١"],
        )
        .a_string()
}

pub(super) fn order_id() -> Values {
    Values::new(vec![json!("x"), json!("x".repeat(64)), json!("A.z_9:-")], vec![])
        .but_not(ErrorCode::FieldPattern, &["", &"x".repeat(65), &"x".repeat(60_000), "a b", "é", "a/b", "a\u{FEFF}"])
        .a_string()
}

pub(super) fn institution_id() -> Values {
    Values::new(vec![json!("1"), json!("000001"), json!("999999")], vec![])
        .but_not(ErrorCode::FieldPattern, &["", "1000000", "24600x", "-1", "١"])
        .a_string()
}

/// Words of a list, in its letter case.
pub(super) fn words(list: &[&str]) -> Values {
    let small = list[0].to_ascii_lowercase();
    let long = list[0].repeat(2000);
    Values::new(vec![], vec![])
        .and(list)
        .but_not(ErrorCode::FieldValue, &["", "NONE", &small, &format!("{}.", list[0]), &long])
        .a_string()
}

/// The operation's own name is taken wherever the line is; no other is.
pub(super) fn operation() -> Values {
    Values::new(vec![], vec![]).but_not(ErrorCode::OperationUnknown, &["", "CreateCard", "erase"]).a_string()
}

/// When an order was made; the clock of these tests says 12:00 on 2026-11-20.
pub(super) fn made_at() -> Values {
    instant(&["2026-11-20T12:05:00Z"]).but_not(
        ErrorCode::OrderInFuture,
        &["2026-11-20T12:05:00.000001Z", "2027-11-20T12:00:00Z", "9999-12-31T23:59:59Z"],
    )
}

pub(super) fn instant(taken: &[&str]) -> Values {
    Values::new(vec![json!("2020-02-29T00:00:00Z"), json!("2026-11-20T12:00:00.123456Z")], vec![])
        .and(taken)
        .but_not(
            ErrorCode::FieldPattern,
            &[
                "",
                "2026-11-20",
                "2026-11-20T12:00:00",
                "2026-11-20T12:00:00+00:00",
                "2026-11-20T12:00:00z",
                "2026-11-20T12:00:00.1234567Z",
                "2021-02-29T00:00:00Z",
                "2026-11-20T23:59:60Z",
            ],
        )
        .a_string()
}

pub(super) fn day(taken: &[&str]) -> Values {
    Values::new(vec![], vec![])
        .and(taken)
        .but_not(
            ErrorCode::FieldPattern,
            &["", "2026-11-1", "2026-02-29", "2026-13-01", "01.11.2026", "2026-11-20T00:00:00Z"],
        )
        .a_string()
}

/// A whole number of a range.
pub(super) fn whole(min: i64, max: i64) -> Values {
    let past = [json!(min - 1), json!(max + 1)].map(|number| (number, ErrorCode::FieldValue));
    let other =
        [json!("1"), json!(1.5), json!(true), json!([1]), json!(u64::MAX)].map(|other| (other, ErrorCode::FieldType));
    Values::new(vec![json!(min), json!(max)], past.into_iter().chain(other).collect())
}

pub(super) fn amount() -> Values {
    let refused = vec![
        (json!(-0.01), ErrorCode::FieldValue),
        (json!(-1), ErrorCode::FieldValue),
        (json!("1"), ErrorCode::FieldType),
        (json!(true), ErrorCode::FieldType),
    ];
    Values::new(vec![json!(0), json!(12.5), json!(1e308)], refused)
}

pub(super) fn switch() -> Values {
    let others = [json!("yes"), json!(1), json!([]), json!({})].map(|other| (other, ErrorCode::FieldType));
    Values::new(vec![json!(true), json!(false)], others.into())
}

/// An object; whether it may be empty depends on what it needs, and is asked field by field.
pub(super) fn object() -> Values {
    let others = [json!("x"), json!(1), json!(true), json!([]), json!([{}])].map(|other| (other, ErrorCode::FieldType));
    Values::new(vec![], others.into())
}

/// A list of up to `max` entries like `entry`.
pub(super) fn list(entry: &Value, max: usize) -> Values {
    let refused = vec![
        (json!(vec![entry; max + 1]), ErrorCode::FieldTooLong),
        (json!("x"), ErrorCode::FieldType),
        (json!({}), ErrorCode::FieldType),
        (json!([null]), ErrorCode::FieldType),
        (json!([1]), ErrorCode::FieldType),
    ];
    Values::new(vec![json!([]), json!([entry]), json!(vec![entry; max])], refused)
}

/// The one field where S1 has a number in the place of a string.
pub(super) fn zip_code() -> Values {
    let mut values = free(1, 32);
    values.refused.retain(|(value, _)| *value != json!(1));
    values.refused.push((json!(-1), ErrorCode::FieldType));
    values.taken.extend([json!(22100), json!(0), json!(u64::MAX), json!("00100")]);
    values
}

pub(super) fn country() -> Values {
    Values::new(vec![], vec![])
        .and(&["FIN", "ALA", "QZZ", "ROM"])
        .but_not(ErrorCode::FieldTooLong, &["FINN"])
        .but_not(ErrorCode::FieldTooShort, &[""])
        .but_not(ErrorCode::FieldValue, &["XXX", "fin", "FI", "F1N"])
        .a_string()
}

pub(super) fn locale() -> Values {
    Values::new(vec![], vec![])
        .and(&["fi_FI", "kok_IN", "syr_SY"])
        .but_not(ErrorCode::FieldTooLong, &["kokk_IN"])
        .but_not(ErrorCode::FieldTooShort, &[""])
        .but_not(ErrorCode::FieldValue, &["fi_fi", "fi-FI", "xx_XX", "fi"])
        .a_string()
}

pub(super) fn phone() -> Values {
    Values::new(vec![], vec![])
        .and(&["+1", "+123456789012345"])
        .but_not(ErrorCode::FieldTooLong, &["+1234567890123456"])
        .but_not(ErrorCode::FieldTooShort, &["", "+"])
        .but_not(ErrorCode::FieldPattern, &["358401234567", "+358 40", "++1", "+1a", "+١"])
        .a_string()
}

pub(super) fn email() -> Values {
    Values::new(vec![], vec![])
        .and(&["a@b", &format!("{}@b", "a".repeat(252))])
        .but_not(ErrorCode::FieldTooLong, &[&format!("{}@b", "a".repeat(253))])
        .but_not(ErrorCode::FieldTooShort, &["", "@b"])
        .but_not(ErrorCode::FieldPattern, &["a.example", "a@b@c", "a b@c", "a@ b", "@bc", "ab@"])
        .a_string()
}

/// 16 hexadecimal digits, as ISO 9564-1 formats 0 and 3 have them.
pub(super) fn short_block() -> Values {
    let digits = "0123456789ABCDEF";
    Values::new(vec![], vec![])
        .and(&[digits, &digits.to_ascii_lowercase()])
        .but_not(
            ErrorCode::FieldPattern,
            &["", &digits[1..], &format!("{digits}0"), &digits.repeat(2), "0123456789ABCDEG"],
        )
        .a_string()
}
