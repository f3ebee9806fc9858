//! The tables against an own copy of S2's text, over every code point.

use super::*;

/// S2: "Default set of allowed characters", letters typed out.
const S2_DEFAULT: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\
                          ÁáÄäÅåÆæÉéÍíÐðÓóÖöØøÚúÜüÝýÞþ0123456789-/.,&+' ";

/// S2: "For printed cards", the four lines; the default set comes on top.
const S2_PRINTED: &str = "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüý\
                          þÿĀāĂăĄąĆćĈĉĊċČčĎďĐđĒēĔĕĖėĘęĚěĜĝĞğĠġĢģĤĥĦħĨĩĪīĬĭĮįİıĲĳĴĵĶķĸĹ\
                          ĺĻļĽľĿŀŁłŃńŅņŇňŉŊŋŌōŎŏŐőŒœŔŕŖŗŘřŚśŜŝŞşŠšŢţŤťŦŧŨũŪūŬŭŮůŰűŲųŴŵ\
                          ŶŷŸŹźŻżŽžſǪǫȘșȚțȪȫȮȯȲȳḐḑṢṣẞỌọ";

/// S2: the class of `additionalValues.value`, unfolded, letters and digits typed out.
const S2_VALUE: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789|-_ \
                        +.éàèùçâêîôûëïü'ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ\
                        ĀāĂăĄąĆćĈĉĊċČčĎďĐđĒēĔĕĖėĘęĚěĜĝĞğĠġĢģĤĥĦħĨĩĪīĬĭĮįİıĲĳĴĵĶķĸĹĺĻļĽľĿŀŁłŃńŅņŇňŉŊŋ\
                        ŌōŎŏŐőŒœŔŕŖŗŘřŚśŜŝŞşŠšŢţŤťŦŧŨũŪūŬŭŮůŰűŲųŴŵŶŷŸŹźŻżŽžſǪǫȘșȚțȪȫȮȯȲȳḐḑṢṣẞỌọ";

fn every_char() -> impl Iterator<Item = char> {
    (0..=u32::from(char::MAX)).filter_map(char::from_u32)
}

#[test]
fn t2_sizes_are_98_279_and_278() {
    assert_eq!(every_char().filter(|c| CharacterSet::EmbossedDefault.contains(*c)).count(), 98);
    assert_eq!(every_char().filter(|c| CharacterSet::Printed.contains(*c)).count(), 279);
    assert_eq!(every_char().filter(|c| value_allowed(*c)).count(), 278);
}

#[test]
fn r93_r95_every_code_point_is_judged_as_s2_says() {
    for c in every_char() {
        let default = S2_DEFAULT.contains(c);
        assert_eq!(CharacterSet::EmbossedDefault.contains(c), default, "{}", code_point(c));
        assert_eq!(CharacterSet::Printed.contains(c), default || S2_PRINTED.contains(c), "{}", code_point(c));
        assert_eq!(value_allowed(c), S2_VALUE.contains(c), "{}", code_point(c));
    }
}

#[test]
fn t1_the_damage_of_s0_and_s1_is_not_in_the_printed_set() {
    for c in ['\u{3979}', '\u{2BC}'] {
        assert!(!CharacterSet::Printed.contains(c), "{}", code_point(c));
    }
    for c in ['\u{103}', '\u{104}', '\u{105}', '\u{132}', '\u{133}', '\u{149}'] {
        assert!(CharacterSet::Printed.contains(c), "{}", code_point(c));
    }
}

#[test]
fn t2_printed_and_value_set_differ_by_five_characters() {
    for c in ['&', ',', '/'] {
        assert!(CharacterSet::Printed.contains(c) && !value_allowed(c), "{c}");
    }
    for c in ['|', '_'] {
        assert!(!CharacterSet::Printed.contains(c) && value_allowed(c), "{c}");
    }
}

#[test]
fn r94_look_alikes_are_in_neither_set() {
    for set in CharacterSet::ALL {
        assert!(set.contains('\'') && set.contains('-') && set.contains(' '), "{set}");
        for c in ['\u{2019}', '\u{2013}', '\u{A0}', '\t', '\n', '\u{301}', '_', '"', '×', '÷'] {
            assert!(!set.contains(c), "{set} {}", code_point(c));
        }
    }
}

#[test]
fn r94_decomposed_e_acute_is_composed_and_then_accepted() {
    let composed = nfc("Ren\u{65}\u{301}");
    assert_eq!(composed, "Ren\u{E9}");
    assert_eq!(CharacterSet::EmbossedDefault.first_outside(&composed), None);
    assert_eq!(CharacterSet::EmbossedDefault.first_outside("Ren\u{65}\u{301}"), Some((5, '\u{301}')));
}

#[test]
fn r95_named_letters_of_both_sets() {
    for c in ['Å', 'å', 'Ø', 'ø', 'Þ', 'þ', 'Ð', 'ð', 'Æ', 'æ', 'Ü', 'ü'] {
        assert!(CharacterSet::EmbossedDefault.contains(c) && CharacterSet::Printed.contains(c), "{c}");
    }
    for c in ['È', 'è', 'Š', 'š', 'Ñ', 'ñ', 'ß', 'ẞ'] {
        assert!(!CharacterSet::EmbossedDefault.contains(c) && CharacterSet::Printed.contains(c), "{c}");
    }
}

#[test]
fn t2_normalisation_is_c_and_never_kc() {
    for kept in ["\u{132}", "\u{133}", "\u{149}", "\u{17F}", "\u{13F}", "\u{140}"] {
        assert_eq!(nfc(kept), kept);
    }
    assert!(matches!(nfc("Åkerström"), Cow::Borrowed(_)));
    // The Ångström sign is a singleton: form C turns it into the letter.
    assert_eq!(nfc("\u{212B}"), "\u{C5}");
}

#[test]
fn r100_lengths_are_scalar_values_not_bytes() {
    let line = "\u{1ECC}".repeat(26);
    assert_eq!((length(&line), line.len()), (26, 78));
    assert_eq!(length(&nfc(&"e\u{301}".repeat(26))), 26);
    assert_eq!(length("Monica"), 6);
}

#[test]
fn r93_positions_count_from_one_in_scalar_values() {
    assert_eq!(CharacterSet::Printed.first_outside("Åß’"), Some((3, '’')));
    assert_eq!(CharacterSet::Printed.first_outside("\u{3979}"), Some((1, '\u{3979}')));
    assert_eq!(CharacterSet::Printed.first_outside("Åß"), None);
    assert_eq!(code_point('’'), "U+2019");
    assert_eq!(code_point('\u{1F600}'), "U+1F600");
}

#[test]
fn r96_upper_case_is_the_full_table() {
    assert_eq!(upper_case("Straße"), "STRASSE");
    assert_eq!(upper_case("\u{131}"), "I");
    assert_eq!(upper_case("\u{149}"), "\u{2BC}N");
    assert_eq!(upper_case("ÿåøþðæőį"), "ŸÅØÞÐÆŐĮ");
    assert_eq!(upper_case("\u{1C6}\u{17F}"), "\u{1C4}S");
    assert!(matches!(upper_case("ÅKE 1 ẞĸ"), Cow::Borrowed("ÅKE 1 ẞĸ")));
}

#[test]
fn r96_only_u0149_leaves_the_printed_set_when_upper_cased() {
    let leavers: Vec<char> = every_char()
        .filter(|c| CharacterSet::Printed.contains(*c))
        .filter(|c| CharacterSet::Printed.first_outside(&upper_case(&c.to_string())).is_some())
        .collect();
    assert_eq!(leavers, ['\u{149}']);
}

#[test]
fn r94_every_character_of_the_sets_is_composed_and_comes_in_decomposed_too() {
    for c in every_char().filter(|c| CharacterSet::Printed.contains(*c)) {
        let alone = c.to_string();
        let decomposed: String = alone.nfd().collect();
        assert_eq!((nfc(&alone), nfc(&decomposed)), (alone.as_str().into(), alone.as_str().into()), "{c}");
    }
}

#[test]
fn t2_of_all_of_unicode_only_two_signs_become_a_letter_of_the_sets() {
    let others: Vec<char> = every_char()
        .filter(|c| !CharacterSet::Printed.contains(*c))
        .filter(|c| CharacterSet::Printed.first_outside(&nfc(&c.to_string())).is_none())
        .collect();
    assert_eq!(others, ['\u{212A}', '\u{212B}'], "the signs for kelvin and \u{E5}ngstr\u{F6}m");
}

#[test]
fn r88_every_code_point_is_in_the_letter_sets_it_belongs_to() {
    let blocks = |c: char, blocks: &[(u32, u32)]| blocks.iter().any(|(from, to)| (*from..=*to).contains(&u32::from(c)));
    let (ascii, high, wider) = ((0x20, 0x7E), (0xA0, 0xFF), [(0x100, 0x17F), (0x180, 0x24F), (0x1E00, 0x1EFF)]);
    let mut counts = [0; 4];
    for c in every_char() {
        let latin1 = blocks(c, &[ascii, high]);
        let forbidden = blocks(c, &[(0, 0x1F), (0x7F, 0x9F), (0xFFFE, 0xFFFF)]);
        for (count, (set, inside)) in counts.iter_mut().zip([
            (LetterSet::Ascii, blocks(c, &[ascii])),
            (LetterSet::Latin1, latin1),
            (LetterSet::Latin, latin1 || blocks(c, &wider)),
            (LetterSet::Any, !forbidden),
        ]) {
            assert_eq!(set.contains(c), inside, "{set} {}", code_point(c));
            *count += u32::from(inside);
        }
    }
    // All code points but the surrogates, 65 control characters and two that XML excludes.
    assert_eq!(counts, [95, 95 + 96, 95 + 96 + 128 + 208 + 256, 0x11_0000 - 2048 - 65 - 2]);
}

#[test]
fn r88_letter_sets_end_where_their_blocks_end() {
    for (set, inside, outside) in [
        (LetterSet::Ascii, " ~Az", "\u{A0}é\u{7F}\u{80}"),
        (LetterSet::Latin1, " ~\u{A0}\u{FF}×", "\u{100}\u{80}\u{9F}Ł"),
        (LetterSet::Latin, " ~\u{A0}\u{24F}\u{1E00}\u{1EFF}", "\u{250}\u{1DFF}\u{1F00}Ж\u{2019}"),
        (LetterSet::Any, "Ж漢\u{2019}\u{FFFD}\u{10FFFF}", "\u{FFFE}\u{FFFF}"),
    ] {
        assert_eq!(set.first_outside(inside), None, "{set}");
        for c in outside.chars().chain(['\0', '\t', '\n', '\r', '\u{1F}', '\u{7F}', '\u{85}']) {
            assert!(!set.contains(c), "{set} {}", code_point(c));
        }
    }
}

#[test]
fn fault_27_what_xml_cannot_hold_is_not_legal() {
    for c in ['\0', '\u{1}', '\u{8}', '\u{B}', '\u{1F}', '\u{7F}', '\u{9F}', '\u{FFFE}', '\u{FFFF}'] {
        assert!(!xml_legal(c), "{}", code_point(c));
    }
    for c in [' ', '<', '&', '\u{A0}', '\u{D7FF}', '\u{E000}', '\u{FFFD}', '\u{10000}'] {
        assert!(xml_legal(c), "{}", code_point(c));
    }
}

#[test]
fn r99_keys_are_ascii_letters_digits_hyphen_underscore_and_space() {
    for c in every_char() {
        assert_eq!(key_allowed(c), c.is_ascii_alphanumeric() || ['-', '_', ' '].contains(&c), "{}", code_point(c));
    }
}
