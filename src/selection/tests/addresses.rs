//! R80-R88: where things go.

use super::*;
use crate::card::{CardDeliveryType, LetterSet, TemporaryAddress};

type Set = fn(&mut Dossier);
type Remove = fn(&mut Address);
type Put = fn(&mut Address, String);

/// The four levels of a card's address, strongest first.
const CARD_LEVELS: [(AddressSource, Set); 4] = [
    (AddressSource::Temporary, |dossier| {
        let day = cut_off().date_naive();
        let address = address("TEMPORARY");
        let temporary = TemporaryAddress { address, valid_from: Some(day), valid_to: Some(day) };
        dossier.customer.temporary_address = Some(temporary);
    }),
    (AddressSource::Card, |dossier| dossier.card.card_address = Some(address("CARD"))),
    (AddressSource::Account, |dossier| dossier.account.address = Some(address("ACCOUNT"))),
    (AddressSource::Customer, |dossier| dossier.customer.address = address("CUSTOMER")),
];

#[test]
fn r80_r85_the_card_goes_to_the_first_level_that_exists() {
    for strongest in 0..CARD_LEVELS.len() {
        let mut dossier = dossier();
        CARD_LEVELS[strongest..].iter().for_each(|(_, set)| set(&mut dossier));
        let delivery = produced(&dossier, &terms()).card_delivery.unwrap();
        let source = CARD_LEVELS[strongest].0;
        assert_eq!((delivery.source, delivery.address.city.as_deref()), (source, Some(source.as_str())));
    }
}

#[test]
fn r81_r85_the_pin_goes_to_the_first_level_that_exists_and_skips_the_card_address() {
    let mut levels = CARD_LEVELS;
    levels[1].1 = |dossier| dossier.card.pin_address = Some(address("CARD"));
    for strongest in 0..levels.len() {
        let mut dossier = dossier();
        dossier.card.card_address = Some(address("Elsewhere"));
        levels[strongest..].iter().for_each(|(_, set)| set(&mut dossier));
        let mailer = produced(&dossier, &terms()).pin_mailer.unwrap();
        let source = levels[strongest].0;
        assert_eq!((mailer.source, mailer.address.city.as_deref()), (source, Some(source.as_str())));
    }
}

#[test]
fn r81_a10_the_pin_follows_the_card_address_only_where_configured() {
    let mut dossier = dossier();
    dossier.card.card_address = Some(address("Card"));
    let mut terms = terms();
    terms.institution.pin_address_falls_back_to_card = true;
    let city = |dossier: &Dossier| produced(dossier, &terms).pin_mailer.unwrap().address.city;
    assert_eq!(city(&dossier).as_deref(), Some("Card"));
    dossier.card.pin_address = Some(address("Pin"));
    assert_eq!(city(&dossier).as_deref(), Some("Pin"));
}

#[test]
fn r82_an_address_is_taken_whole_and_never_merged() {
    let mut dossier = dossier();
    dossier.customer.address.address2 = Some("B 4".into());
    dossier.customer.address.region = Some("Åland".into());
    dossier.card.card_address = Some(address("Card"));
    assert_eq!(produced(&dossier, &terms()).card_delivery.unwrap().address, address("Card"));
}

#[test]
fn r83_the_account_holders_own_address_is_not_known_to_the_card() {
    // The account is a company's; the card goes to its holder, whose dossier this is.
    let mut dossier = dossier();
    dossier.account.customer_id = CustomerId::new(9999).unwrap();
    let delivery = produced(&dossier, &terms()).card_delivery.unwrap();
    assert_eq!((delivery.source, delivery.address), (AddressSource::Customer, address("Customer")));
    assert_eq!(recipient(&dossier.customer), dossier.customer.name);
}

#[test]
fn r84_a_temporary_address_is_in_force_on_its_first_and_last_day() {
    let day = |text: &str| text.parse::<chrono::NaiveDate>().unwrap();
    for (from, to, in_force) in [
        (Some("2026-11-21"), Some("2026-11-21"), true),
        (Some("2026-11-22"), Some("2026-12-01"), false),
        (Some("2026-11-01"), Some("2026-11-20"), false),
        (None, Some("2026-11-21"), true),
        (None, Some("2026-11-20"), false),
        (Some("2026-11-21"), None, true),
        (Some("2026-11-22"), None, false),
        (None, None, true),
    ] {
        let mut dossier = dossier();
        dossier.customer.temporary_address =
            Some(TemporaryAddress { address: address("Temporary"), valid_from: from.map(day), valid_to: to.map(day) });
        let production = produced(&dossier, &terms());
        let source = production.card_delivery.as_ref().unwrap().source;
        assert_eq!(source == AddressSource::Temporary, in_force, "{from:?} {to:?}");
        let open_ended = in_force && to.is_none();
        assert_eq!(warned(&production) == [WarningCode::TempAddressOpenEnded], open_ended, "{from:?} {to:?}");
    }
}

#[test]
fn r86_no_address_at_any_level_is_missing() {
    let mut dossier = dossier();
    dossier.customer.address = Address::default();
    assert_eq!(told_of(&dossier), "HOLD ADDRESS_MISSING");
}

#[test]
fn r86_an_incomplete_address_is_held_and_does_not_fall_through() {
    let empty: [(&str, Remove); 4] = [
        ("address1", |address| address.address1 = None),
        ("city", |address| address.city = Some(String::new())),
        ("zipCode", |address| address.zip_code = None),
        ("country", |address| address.country = None),
    ];
    for (field, remove) in empty {
        let mut dossier = dossier();
        let mut incomplete = address("Card");
        remove(&mut incomplete);
        dossier.card.card_address = Some(incomplete);
        let verdict = verdict(&dossier, &terms());
        assert_eq!(told(&verdict), "HOLD ADDRESS_INCOMPLETE", "{field}");
        assert_eq!(detail(&verdict), format!("{field}: missing, address of CARD"));
    }
}

#[test]
fn r87_the_agreements_card_delivery_type_stands_in_for_an_absent_one() {
    let mut terms = terms();
    let mut dossier = dossier();
    let kind = |dossier: &Dossier, terms: &Terms| produced(dossier, terms).card_delivery.unwrap().kind;
    assert_eq!(kind(&dossier, &terms), CardDeliveryType::Mail);
    terms.agreement.card_delivery_type = CardDeliveryType::Courier;
    assert_eq!(kind(&dossier, &terms), CardDeliveryType::Courier);
    dossier.card.card_delivery_type = Some(CardDeliveryType::Custom2);
    assert_eq!(kind(&dossier, &terms), CardDeliveryType::Custom2);
}

#[test]
fn r88_address_letters_are_the_houses_not_the_embossing_set() {
    let mut terms = terms();
    let mut dossier = dossier();
    dossier.customer.address.city = Some("Łódź—Ж".into());
    assert_eq!(told(&verdict(&dossier, &terms)), "PRODUCE");
    for (set, position) in [
        (LetterSet::Latin, "city: position 5, U+2014, address of CUSTOMER"),
        (LetterSet::Latin1, "city: position 1, U+0141, address of CUSTOMER"),
        (LetterSet::Ascii, "city: position 1, U+0141, address of CUSTOMER"),
    ] {
        terms.manufacturer.address_characters = set;
        let verdict = verdict(&dossier, &terms);
        assert_eq!((told(&verdict).as_str(), detail(&verdict)), ("HOLD ADDRESS_CHARSET", position), "{set}");
    }
}

#[test]
fn r88_the_recipient_is_printed_by_the_same_printers() {
    let mut terms = terms();
    terms.manufacturer.address_characters = LetterSet::Latin1;
    let mut dossier = dossier();
    dossier.customer.name.last_name = "Wałęsa".into();
    let verdict = verdict(&dossier, &terms);
    assert_eq!(detail(&verdict), "recipient.lastName: position 3, U+0142");
    assert_eq!(told(&verdict), "HOLD ADDRESS_CHARSET");
}

#[test]
fn r88_control_characters_are_in_no_letter_set() {
    for wrong in ["A\u{0}", "A\n", "A\u{85}", "A\u{FFFE}"] {
        let mut dossier = dossier();
        dossier.customer.address.address2 = Some(wrong.into());
        assert_eq!(told_of(&dossier), "HOLD ADDRESS_CHARSET", "{wrong:?}");
    }
}

#[test]
fn a_line_at_the_houses_cap_goes_and_one_longer_is_held() {
    let mut terms = terms();
    terms.manufacturer.address_line_max = Some(30);
    let mut dossier = dossier();
    dossier.customer.address.address3 = Some("Å".repeat(30));
    assert_eq!(told(&verdict(&dossier, &terms)), "PRODUCE");
    dossier.customer.address.address3 = Some("Å".repeat(31));
    let verdict = verdict(&dossier, &terms);
    assert_eq!(told(&verdict), "HOLD ADDRESS_TOO_LONG");
    assert_eq!(detail(&verdict), "address3: 31 characters, at most 30, address of CUSTOMER");
}

#[test]
fn without_a_cap_the_files_own_limits_hold() {
    let limits: [(Put, usize); 4] = [
        (|address, text| address.address1 = Some(text), 255),
        (|address, text| address.city = Some(text), 255),
        (|address, text| address.zip_code = Some(text), 32),
        (|address, text| address.region = Some(text), 32),
    ];
    for (set, most) in limits {
        for (length, expected) in [(most, "PRODUCE"), (most + 1, "HOLD ADDRESS_TOO_LONG")] {
            let mut dossier = dossier();
            set(&mut dossier.customer.address, "1".repeat(length));
            assert_eq!(told_of(&dossier), expected, "{length} of {most}");
        }
    }
}

#[test]
fn addresses_and_recipients_come_out_in_nfc_without_empty_lines() {
    let mut dossier = dossier();
    dossier.customer.address.city = Some("Turku A\u{30A}bo".into());
    dossier.customer.address.address2 = Some(String::new());
    dossier.customer.name.middle_name = Some(String::new());
    dossier.customer.name.last_name = "O\u{308}berg".into();
    let made = produced(&dossier, &terms()).card_delivery.unwrap().address;
    assert_eq!((made.city.as_deref(), made.address2), (Some("Turku \u{C5}bo"), None));
    let recipient = recipient(&dossier.customer);
    assert_eq!((recipient.last_name.as_str(), recipient.middle_name), ("\u{D6}berg", None));
}
