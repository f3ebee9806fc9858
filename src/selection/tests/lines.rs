//! R90-R93, R96, R98-R100 and layouts: what goes onto the plastic.

use proptest::strategy::Strategy as _;

use super::*;
use crate::agreement::{FileVersion, Layout};
use crate::card::{AdditionalValue, CharacterSet};

/// Puts a text into one field.
type Put = fn(&mut crate::card::Embossing, String);

fn named(first: &str, last: &str) -> Dossier {
    let mut dossier = dossier();
    dossier.card.embossing.first_name = Some(first.into());
    dossier.card.embossing.last_name = Some(last.into());
    dossier
}

fn printed() -> Terms {
    let mut terms = terms();
    terms.agreement.character_set = CharacterSet::Printed;
    terms
}

fn layout(code: &str, name: bool) -> Layout {
    Layout { code: code.into(), name, field_max: 26, carrier: None }
}

#[test]
fn r90_26_letters_of_name_go_and_27_are_held() {
    for (first, last, expected) in [
        (1, 25, "PRODUCE"),
        (13, 13, "PRODUCE"),
        (25, 1, "PRODUCE"),
        (13, 14, "HOLD NAME_TOO_LONG"),
        (1, 26, "HOLD NAME_TOO_LONG"),
        (26, 1, "HOLD NAME_TOO_LONG"),
        (27, 1, "HOLD NAME_TOO_LONG"),
        (1, 27, "HOLD NAME_TOO_LONG"),
    ] {
        assert_eq!(told_of(&named(&"A".repeat(first), &"B".repeat(last))), expected, "{first} + {last}");
    }
    let both = verdict(&named(&"A".repeat(13), &"B".repeat(14)), &terms());
    assert_eq!(detail(&both), "firstName and lastName: 27 characters, at most 26");
    let one = verdict(&named(&"A".repeat(27), "B"), &terms());
    assert_eq!(detail(&one), "firstName: 27 characters, at most 26");
}

#[test]
fn r90_a12_the_joined_line_may_be_27_unless_the_house_counts_the_space() {
    let at_limit = named(&"A".repeat(13), &"B".repeat(13));
    assert_eq!(embossing_lines(&at_limit.card, &terms()).name_line().unwrap().len(), 27);
    let mut terms = terms();
    terms.manufacturer.count_name_space = true;
    let verdict_of = |first, last| told(&verdict(&named(&"A".repeat(first), &"B".repeat(last)), &terms));
    assert_eq!(verdict_of(13, 12), "PRODUCE");
    assert_eq!(verdict_of(13, 13), "HOLD NAME_TOO_LONG");
}

#[test]
fn r91_every_line_at_its_limit_goes_and_one_longer_is_held() {
    let limits: [(&str, Put, usize); 8] = [
        ("additionalEmbossingName", |embossing, text| embossing.additional_embossing_name = Some(text), 26),
        ("companyName", |embossing, text| embossing.company_name = Some(text), 26),
        ("additionalField1", |embossing, text| embossing.additional_field1 = Some(text), 32),
        ("additionalField2", |embossing, text| embossing.additional_field2 = Some(text), 32),
        ("additionalField3", |embossing, text| embossing.additional_field3 = Some(text), 32),
        ("additionalField4", |embossing, text| embossing.additional_field4 = Some(text), 32),
        ("additionalField5", |embossing, text| embossing.additional_field5 = Some(text), 32),
        ("externalLayoutCode", |embossing, text| embossing.external_layout_code = Some(text), 32),
    ];
    for (field, set, most) in limits {
        let mut dossier = dossier();
        set(&mut dossier.card.embossing, "A".repeat(most));
        assert_eq!(told_of(&dossier), "PRODUCE", "{field}");
        set(&mut dossier.card.embossing, "A".repeat(most + 1));
        let verdict = verdict(&dossier, &terms());
        assert_eq!(told(&verdict), "HOLD FIELD_TOO_LONG", "{field}");
        assert_eq!(detail(&verdict), format!("{field}: {} characters, at most {most}", most + 1));
    }
}

#[test]
fn r92_both_names_are_required() {
    for (first, last, missing) in [
        (None, Some("Liikamaa"), "firstName: missing"),
        (Some("Monica"), None, "lastName: missing"),
        (Some(""), Some("Liikamaa"), "firstName: missing"),
        (Some("Monica"), Some("  "), "lastName: missing"),
        (None, None, "firstName and lastName: missing"),
    ] {
        let mut dossier = dossier();
        dossier.card.embossing.first_name = first.map(str::to_owned);
        dossier.card.embossing.last_name = last.map(str::to_owned);
        // An additional field does not help on a layout with a name.
        dossier.card.embossing.additional_field1 = Some("Vehicle 1".into());
        let verdict = verdict(&dossier, &terms());
        assert_eq!((told(&verdict).as_str(), detail(&verdict)), ("HOLD NAME_MISSING", missing));
    }
}

#[test]
fn r92_a_layout_without_a_name_needs_an_additional_field_instead() {
    let mut terms = terms();
    terms.agreement.layouts = vec![layout("Fleet", false), layout("BlueCard", true)];
    let mut dossier = dossier();
    dossier.card.embossing = crate::card::Embossing {
        external_layout_code: Some("Fleet".into()),
        additional_field2: Some("Vehicle 1".into()),
        company_name: Some("Fleet Ab".into()),
        ..Default::default()
    };
    assert_eq!(told(&verdict(&dossier, &terms)), "PRODUCE");
    dossier.card.embossing.additional_field2 = None;
    assert_eq!(told(&verdict(&dossier, &terms)), "HOLD NAME_MISSING");
    dossier.card.embossing.additional_field2 = Some("Vehicle 1".into());
    dossier.card.embossing.external_layout_code = Some("BlueCard".into());
    assert_eq!(told(&verdict(&dossier, &terms)), "HOLD NAME_MISSING");
}

#[test]
fn r92_names_are_left_out_of_the_lines_on_a_layout_without_a_name() {
    let mut terms = terms();
    terms.agreement.layouts = vec![layout("Fleet", false)];
    let mut dossier = dossier();
    dossier.card.embossing.external_layout_code = Some("Fleet".into());
    let lines = embossing_lines(&dossier.card, &terms);
    assert_eq!((lines.first_name.as_deref(), lines.last_name.as_deref(), lines.name_line()), (None, None, None));
    assert_eq!(told(&verdict(&dossier, &terms)), "PRODUCE");
}

#[test]
fn r93_a_character_outside_the_agreed_set_is_named_but_the_value_is_not() {
    let set: [(&str, Put); 9] = [
        ("firstName", |embossing, text| embossing.first_name = Some(text)),
        ("lastName", |embossing, text| embossing.last_name = Some(text)),
        ("additionalEmbossingName", |embossing, text| embossing.additional_embossing_name = Some(text)),
        ("companyName", |embossing, text| embossing.company_name = Some(text)),
        ("additionalField1", |embossing, text| embossing.additional_field1 = Some(text)),
        ("additionalField2", |embossing, text| embossing.additional_field2 = Some(text)),
        ("additionalField3", |embossing, text| embossing.additional_field3 = Some(text)),
        ("additionalField4", |embossing, text| embossing.additional_field4 = Some(text)),
        ("additionalField5", |embossing, text| embossing.additional_field5 = Some(text)),
    ];
    for (field, set) in set {
        let mut dossier = dossier();
        set(&mut dossier.card.embossing, "Åkeš".into());
        let verdict = verdict(&dossier, &terms());
        assert_eq!(told(&verdict), "HOLD CHARSET", "{field}");
        assert_eq!(detail(&verdict), format!("{field}: position 4, U+0161"));
        assert_eq!(told(&super::verdict(&dossier, &printed())), "PRODUCE", "{field}");
    }
}

#[test]
fn r94_a_decomposed_letter_is_normalised_and_then_accepted() {
    let dossier = named("Rene\u{301}", "Liikamaa");
    assert_eq!(told_of(&dossier), "PRODUCE");
    assert_eq!(embossing_lines(&dossier.card, &terms()).first_name.as_deref(), Some("Ren\u{E9}"));
    assert_eq!(told_of(&named("Rene\u{2019}", "Liikamaa")), "HOLD CHARSET");
}

#[test]
fn r96_case_is_kept_unless_the_agreement_says_otherwise() {
    let dossier = named("Åke", "Strauß");
    let mut terms = printed();
    let line = |terms: &Terms| embossing_lines(&dossier.card, terms).name_line();
    assert_eq!(line(&terms).as_deref(), Some("Åke Strauß"));
    terms.agreement.upper_case = true;
    assert_eq!(line(&terms).as_deref(), Some("ÅKE STRAUSS"));
}

#[test]
fn r96_what_grows_in_upper_case_is_measured_again_and_what_leaves_the_set_is_held() {
    let mut terms = printed();
    let grows = named("Åke", &format!("{}ß", "s".repeat(22)));
    assert_eq!(told(&verdict(&grows, &terms)), "PRODUCE");
    let leaves = named("\u{149}", "Liikamaa");
    assert_eq!(told(&verdict(&leaves, &terms)), "PRODUCE");
    let dotless = named("Işık", "Liikamaa");
    terms.agreement.upper_case = true;
    assert_eq!(told(&verdict(&grows, &terms)), "HOLD NAME_TOO_LONG");
    let left = verdict(&leaves, &terms);
    assert_eq!((told(&left).as_str(), detail(&left)), ("HOLD CHARSET", "firstName: position 1, U+02BC"));
    assert_eq!(embossing_lines(&dotless.card, &terms).first_name.as_deref(), Some("IŞIK"));
}

#[test]
fn r96_the_layout_code_is_a_code_and_keeps_its_case() {
    let mut terms = terms();
    terms.agreement.upper_case = true;
    let mut dossier = dossier();
    dossier.card.embossing.external_layout_code = Some("BlueCard".into());
    assert_eq!(embossing_lines(&dossier.card, &terms).external_layout_code.as_deref(), Some("BlueCard"));
}

#[test]
fn r98_a_name_the_stripe_cannot_hold_is_held_and_a_shortened_one_warned() {
    let mut dossier = named("'", "&");
    assert_eq!(told_of(&dossier), "HOLD NAME_MISSING");
    dossier.card.product_code = "VISA_PLAIN".into();
    assert_eq!(told_of(&dossier), "PRODUCE", "no stripe and no chip");
    let long = named(&"A".repeat(13), &"B".repeat(13));
    assert_eq!(warned(&produced(&long, &terms())), [WarningCode::Track1NameShortened]);
    let fits = named(&"A".repeat(12), &"B".repeat(13));
    assert_eq!(warned(&produced(&fits, &terms())), []);
}

#[test]
fn r99_pairs_are_held_to_s2_in_version_2_and_dropped_in_version_1() {
    let pair = |key: &str, value: &str| AdditionalValue { key: key.into(), value: value.into() };
    let (long_key, long_value) = ("K".repeat(9), "é".repeat(51));
    let ten: Vec<AdditionalValue> = (0..10).map(|number| pair(&format!("K{number}"), "1")).collect();
    let eleven: Vec<AdditionalValue> = (0..11).map(|number| pair(&format!("K{number}"), "1")).collect();
    for (pairs, expected) in [
        (vec![pair("K", "1")], None),
        (vec![pair(&long_key[1..], &long_value[2..])], None),
        (vec![pair("a-_ 9", "12|3 _+.'")], None),
        (vec![pair("K", "e\u{301}")], None),
        (ten, None),
        (eleven, Some("additionalValues: 11 pairs, at most 10")),
        (vec![pair("", "1")], Some("pair 1, key: 0 characters, 1 to 8")),
        (vec![pair(&long_key, "1")], Some("pair 1, key: 9 characters, 1 to 8")),
        (vec![pair("K", "1"), pair("K.", "1")], Some("pair 2, key: position 2, U+002E")),
        (vec![pair("K", "")], Some("pair 1, value: 0 characters, 1 to 50")),
        (vec![pair("K", &long_value)], Some("pair 1, value: 51 characters, 1 to 50")),
        (vec![pair("K", "a/b")], Some("pair 1, value: position 2, U+002F")),
        (vec![pair("K", "a\nb")], Some("pair 1, value: position 2, U+000A")),
    ] {
        let mut dossier = dossier();
        dossier.card.additional_values = pairs;
        let mut terms = terms();
        let verdict = super::verdict(&dossier, &terms);
        match expected {
            None => assert_eq!(told(&verdict), "PRODUCE"),
            Some(why) => {
                assert_eq!((told(&verdict).as_str(), detail(&verdict)), ("HOLD ADDITIONAL_VALUE_INVALID", why));
            }
        }
        terms.agreement.version = FileVersion::V1;
        assert_eq!(told(&super::verdict(&dossier, &terms)), "PRODUCE");
        assert_eq!(additional_values(&dossier.card, &terms), []);
    }
}

#[test]
fn r99_a_key_given_twice_keeps_its_order_and_is_warned() {
    let mut dossier = dossier();
    for (key, value) in [("B", "1"), ("A", "2"), ("B", "e\u{301}")] {
        dossier.card.additional_values.push(AdditionalValue { key: key.into(), value: value.into() });
    }
    let production = produced(&dossier, &terms());
    assert_eq!(warned(&production), [WarningCode::AdditionalValueDuplicate]);
    let values = additional_values(&dossier.card, &terms());
    let kept: Vec<(&str, &str)> = values.iter().map(|pair| (pair.key.as_str(), pair.value.as_str())).collect();
    assert_eq!(kept, [("B", "1"), ("A", "2"), ("B", "\u{E9}")]);
}

#[test]
fn r100_26_letters_are_26_letters_however_many_bytes() {
    let mut dossier = dossier();
    dossier.card.embossing.company_name = Some("\u{1ECC}".repeat(26));
    assert_eq!(told(&verdict(&dossier, &printed())), "PRODUCE");
    // Decomposed it is 52 scalar values, normalised again 26.
    dossier.card.embossing.company_name = Some("O\u{323}".repeat(26));
    assert_eq!(told(&verdict(&dossier, &printed())), "PRODUCE");
    dossier.card.embossing.company_name = Some("O\u{323}".repeat(27));
    assert_eq!(told(&verdict(&dossier, &printed())), "HOLD FIELD_TOO_LONG");
}

#[test]
fn r144_a_layout_is_unknown_only_where_the_agreement_lists_layouts() {
    let mut terms = terms();
    let mut dossier = dossier();
    dossier.card.embossing.external_layout_code = Some("RedCard".into());
    assert_eq!(told(&verdict(&dossier, &terms)), "PRODUCE");
    terms.agreement.layouts = vec![layout("BlueCard", true)];
    assert_eq!(told(&verdict(&dossier, &terms)), "HOLD LAYOUT_UNKNOWN");
    dossier.card.embossing.external_layout_code = Some("BlueCard".into());
    assert_eq!(told(&verdict(&dossier, &terms)), "PRODUCE");
    dossier.card.embossing.external_layout_code = None;
    assert_eq!(told(&verdict(&dossier, &terms)), "PRODUCE", "not needed with one layout");
}

#[test]
fn a_layout_code_of_another_pattern_only_warns_but_control_characters_hold() {
    let mut dossier = dossier();
    dossier.card.embossing.external_layout_code = Some("Blue Card".into());
    let production = produced(&dossier, &terms());
    assert_eq!(warned(&production), [WarningCode::LayoutCodePattern]);
    assert_eq!(production.warnings[0].detail, "externalLayoutCode: position 5, U+0020");
    dossier.card.embossing.external_layout_code = Some("Blue-Card_1".into());
    assert_eq!(warned(&produced(&dossier, &terms())), []);
    dossier.card.embossing.external_layout_code = Some("Blue\u{1}Card".into());
    assert_eq!(told_of(&dossier), "HOLD CHARSET");
}

#[test]
fn a7_an_additional_field_longer_than_the_layouts_line_only_warns() {
    let mut terms = terms();
    let mut dossier = dossier();
    for (length, warns) in [(26, false), (27, true), (32, true)] {
        dossier.card.embossing.additional_field3 = Some("A".repeat(length));
        assert_eq!(warned(&produced(&dossier, &terms)) == [WarningCode::FieldOverLayout], warns, "{length}");
    }
    terms.agreement.layouts = vec![Layout { field_max: 30, ..layout("BlueCard", true) }];
    dossier.card.embossing.external_layout_code = Some("BlueCard".into());
    for (length, warns) in [(30, false), (31, true)] {
        dossier.card.embossing.additional_field3 = Some("A".repeat(length));
        assert_eq!(warned(&produced(&dossier, &terms)) == [WarningCode::FieldOverLayout], warns, "{length}");
    }
}

#[test]
fn fault_27_control_characters_in_what_else_is_written_are_held() {
    let mut terms = terms();
    terms.agreement.include_phone = true;
    let mut dossier = dossier();
    dossier.customer.mobile_number = Some("+358\t40".into());
    let verdict = verdict(&dossier, &terms);
    assert_eq!((told(&verdict).as_str(), detail(&verdict)), ("HOLD CHARSET", "phone: position 5, U+0009"));
    terms.agreement.include_phone = false;
    assert_eq!(told(&super::verdict(&dossier, &terms)), "PRODUCE");
    dossier.customer.customer_number = "C\u{0}".into();
    assert_eq!(told(&super::verdict(&dossier, &terms)), "HOLD CHARSET");
}

#[test]
fn a21_the_embossed_name_is_the_cards_and_the_letters_is_the_customers() {
    let mut dossier = named("Monica", "Liikamaa");
    dossier.customer.name.first_name = "Maria".into();
    dossier.customer.name.last_name = "V".repeat(255);
    let lines = embossing_lines(&dossier.card, &terms());
    assert_eq!(lines.name_line().as_deref(), Some("Monica Liikamaa"));
    assert_eq!(told_of(&dossier), "PRODUCE");
    assert_eq!(recipient(&dossier.customer).first_name, "Maria");
}

proptest::proptest! {
    #[test]
    fn r90_r91_a_printed_line_is_whole_or_held_and_never_shortened(
        first in line(0..=30), last in line(0..=30), second in line(0..=30), company in line(0..=30), field in line(0..=36),
    ) {
        let mut dossier = named(&first, &last);
        let embossing = &mut dossier.card.embossing;
        embossing.additional_embossing_name = Some(second.clone());
        embossing.company_name = Some(company.clone());
        embossing.additional_field5 = Some(field.clone());
        let lines = embossing_lines(&dossier.card, &printed());
        for (made, given) in [
            (&lines.first_name, &first),
            (&lines.last_name, &last),
            (&lines.additional_embossing_name, &second),
            (&lines.company_name, &company),
            (&lines.additional_fields[4], &field),
        ] {
            proptest::prop_assert_eq!(made.as_deref().unwrap_or_default(), given.as_str());
        }
        let count = |text: &str| text.chars().count();
        let fits = count(&first) + count(&last) <= 26 && count(&second) <= 26 && count(&company) <= 26 && count(&field) <= 32;
        let named = !first.trim().is_empty() && !last.trim().is_empty();
        // R98: of a name like ' there is nothing a stripe could carry.
        let for_the_stripe = [&first, &last, &company].iter().any(|text| text.contains(char::is_alphanumeric));
        let verdict = verdict(&dossier, &printed());
        match told(&verdict).as_str() {
            "PRODUCE" => proptest::prop_assert!(fits && named),
            "HOLD NAME_TOO_LONG" | "HOLD FIELD_TOO_LONG" => proptest::prop_assert!(!fits),
            "HOLD NAME_MISSING" => proptest::prop_assert!(!named || !for_the_stripe),
            other => proptest::prop_assert!(false, "{}", other),
        }
    }
}

/// Characters of the printed set, of all kinds, so many.
fn line(length: std::ops::RangeInclusive<usize>) -> impl proptest::strategy::Strategy<Value = String> {
    let letters: Vec<char> = ('\0'..='\u{FFFF}').filter(|c| CharacterSet::Printed.contains(*c)).collect();
    proptest::collection::vec(proptest::sample::select(letters), length).prop_map(String::from_iter)
}

#[test]
fn lines_do_not_show_themselves() {
    assert_eq!(format!("{:?}", embossing_lines(&dossier().card, &terms())), "Lines(***)");
}
