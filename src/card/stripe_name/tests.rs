//! R98, letter by letter and limit by limit.

use unicode_normalization::UnicodeNormalization;

use super::*;
use crate::card::CharacterSet;

/// Every character of the printed set, by what stands for it: the list of R98 first, then each base letter with all
/// letters that are it with a mark.
const LETTERS: [(&str, &str); 45] = [
    ("AE", "Ææ"),
    ("OE", "Œœ"),
    ("TH", "Þþ"),
    ("SS", "ßẞ"),
    ("IJ", "Ĳĳ"),
    ("NG", "Ŋŋ"),
    ("D", "DdÐðĎďĐđḐḑ"),
    ("N", "NnŉÑñŃńŅņŇň"),
    ("K", "KkĸĶķ"),
    ("L", "LlĿŀĹĺĻļĽľŁł"),
    ("S", "SsſŚśŜŝŞşŠšȘșṢṣ"),
    ("A", "AaÀÁÂÃÄÅàáâãäåĀāĂăĄą"),
    ("C", "CcÇçĆćĈĉĊċČč"),
    ("E", "EeÈÉÊËèéêëĒēĔĕĖėĘęĚě"),
    ("G", "GgĜĝĞğĠġĢģ"),
    ("H", "HhĤĥĦħ"),
    ("I", "IiÌÍÎÏìíîïĨĩĪīĬĭĮįİı"),
    ("J", "JjĴĵ"),
    ("O", "OoÒÓÔÕÖØòóôõöøŌōŎŏŐőǪǫȪȫȮȯỌọ"),
    ("R", "RrŔŕŖŗŘř"),
    ("T", "TtŢţŤťŦŧȚț"),
    ("U", "UuÙÚÛÜùúûüŨũŪūŬŭŮůŰűŲų"),
    ("W", "WwŴŵ"),
    ("Y", "YyÝýÿŶŷŸȲȳ"),
    ("Z", "ZzŹźŻżŽž"),
    // Kept as they are, or dropped.
    ("B", "Bb"),
    ("F", "Ff"),
    ("M", "Mm"),
    ("P", "Pp"),
    ("Q", "Qq"),
    ("V", "Vv"),
    ("X", "Xx"),
    ("0", "0"),
    ("1", "1"),
    ("2", "2"),
    ("3", "3"),
    ("4", "4"),
    ("5", "5"),
    ("6", "6"),
    ("7", "7"),
    ("8", "8"),
    ("9", "9"),
    ("-", "-"),
    (".", "."),
    ("", "/,&+' "),
];

#[test]
fn r98_every_letter_of_the_printed_set_has_its_transliteration() {
    for (letters, of) in LETTERS {
        for c in of.chars() {
            assert_eq!(plain(Some(&c.to_string())).unwrap_or_default(), letters, "{c}");
        }
    }
}

#[test]
fn r98_the_table_names_every_character_of_the_printed_set_once_and_no_other() {
    let mut listed: Vec<char> = LETTERS.iter().flat_map(|(_, of)| of.chars()).collect();
    listed.sort_unstable();
    let printed: Vec<char> = ('\0'..=char::MAX).filter(|c| CharacterSet::Printed.contains(*c)).collect();
    assert_eq!(listed, printed);
}

#[test]
fn r98_a_letter_and_its_decomposed_form_stand_for_the_same() {
    for (letters, of) in LETTERS {
        for c in of.chars() {
            let decomposed: String = c.to_string().nfd().collect();
            assert_eq!(plain(Some(&decomposed)).unwrap_or_default(), letters, "{c}");
        }
    }
}

fn made(first: &str, last: &str) -> (String, bool) {
    let made = stripe_name(Some(first), Some(last), None, None).unwrap();
    (made.name, made.shortened)
}

#[test]
fn r98_last_name_first_upper_case() {
    assert_eq!(made("Monica", "Liikamaa"), ("LIIKAMAA/MONICA".into(), false));
    assert_eq!(made("Þorbjörg", "Guðmundsdóttir"), ("GUDMUNDSDOTTIR/THORBJORG".into(), false));
    assert_eq!(made("Rene\u{301}", "O'Neill & Sons, A/S"), ("ONEILL SONS AS/RENE".into(), false));
    assert_eq!(made(" Anna-Liisa ", "St. John 3"), ("ST. JOHN 3/ANNA-LIISA".into(), false));
}

#[test]
fn r98_26_characters_stay_27_lose_the_first_name_then_the_last_names_end() {
    // 13 + 1 + 12 = 26, and 27.
    assert_eq!(made("ABCDEFGHIJKL", "ABCDEFGHIJKLM"), ("ABCDEFGHIJKLM/ABCDEFGHIJKL".into(), false));
    assert_eq!(made("ABCDEFGHIJKLM", "ABCDEFGHIJKLM"), ("ABCDEFGHIJKLM/A".into(), true));
    // 24 + 2 = 26, and 27.
    let last = "ABCDEFGHIJKLMNOPQRSTUVWX";
    assert_eq!(made("A", last), (format!("{last}/A"), false));
    assert_eq!(made("Al", last), (format!("{last}/A"), true));
    assert_eq!(made("A", &format!("{last}Y")), (format!("{last}/A"), true));
}

#[test]
fn r98_thorn_grows_and_may_push_a_name_over_the_limit() {
    // 12 + 13 letters embossed; thorn as TH makes 27 with the slash.
    assert_eq!(made("Þabcdefghijk", "Abcdefghijklm"), ("ABCDEFGHIJKLM/T".into(), true));
    assert_eq!(made("Þabcdefghij", "Abcdefghijklm"), ("ABCDEFGHIJKLM/THABCDEFGHIJ".into(), false));
}

#[test]
fn r98_a_cut_leaves_no_space_before_the_slash() {
    assert_eq!(made("Bo", "ABCDEFGHIJKLMNOPQRSTUVW XYZ"), ("ABCDEFGHIJKLMNOPQRSTUVW/B".into(), true));
}

#[test]
fn r98_without_names_company_else_additional_field_1() {
    let made = |company, field| stripe_name(None, Some("'"), company, field).map(|made| (made.name, made.shortened));
    assert_eq!(made(Some("Åkerström Ab"), Some("Vehicle 1")), Ok(("AKERSTROM AB /".into(), false)));
    assert_eq!(made(None, Some("Vehicle 1")), Ok(("VEHICLE 1 /".into(), false)));
    assert_eq!(made(Some("&"), Some("Vehicle 1")), Ok(("VEHICLE 1 /".into(), false)));
    let (at_limit, over) = ("A".repeat(24), "A".repeat(25));
    assert_eq!(made(Some(&at_limit), None), Ok((format!("{at_limit} /"), false)));
    assert_eq!(made(Some(&over), None), Ok((format!("{at_limit} /"), true)));
}

#[test]
fn r98_a_single_name_stands_before_the_slash() {
    let made = |first, last| stripe_name(first, last, Some("ACME"), None).map(|made| (made.name, made.shortened));
    assert_eq!(made(None, Some("Liikamaa")), Ok(("LIIKAMAA/".into(), false)));
    assert_eq!(made(Some("X"), None), Ok(("X/".into(), false)));
    assert_eq!(made(None, Some(&"A".repeat(26))), Ok((format!("{}/", "A".repeat(25)), true)));
}

#[test]
fn r98_nothing_left_is_too_short() {
    assert_eq!(stripe_name(None, None, None, None), Err(TooShort));
    assert_eq!(stripe_name(Some("'"), Some(" , "), Some("&+"), Some("/")), Err(TooShort));
}

#[test]
fn a_stripe_name_does_not_show_itself() {
    assert_eq!(format!("{:?}", stripe_name(Some("A"), Some("B"), None, None)), "Ok(StripeName(***))");
}

proptest::proptest! {
    #[test]
    fn r98_whatever_comes_in_only_the_stripes_characters_come_out(
        first in proptest::option::of("\\PC{0,40}"),
        last in proptest::option::of("[ a-zßÞŉ'-]{0,40}"),
        company in proptest::option::of("\\PC{0,30}"),
    ) {
        if let Ok(made) = stripe_name(first.as_deref(), last.as_deref(), company.as_deref(), None) {
            let name = made.name;
            proptest::prop_assert!((2..=26).contains(&name.len()), "{}", name.len());
            proptest::prop_assert_eq!(name.matches('/').count(), 1);
            proptest::prop_assert!(name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b" -./".contains(&b)));
            proptest::prop_assert!(!name.contains("  ") && !name.starts_with([' ', '/']));
        }
    }
}
