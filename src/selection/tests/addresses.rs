//! R80-R88: where things go.

use super::*;
use crate::card::{CardDeliveryType, LetterSet, Recipient, TemporaryAddress};

type Set = fn(&mut Dossier);
type SetName = fn(&mut Recipient);
type Put = fn(&mut Address, Option<String>);

/// Every line of an address.
const LINES: [(&str, Put); 8] = [
    ("address1", |address, text| address.address1 = text),
    ("address2", |address, text| address.address2 = text),
    ("address3", |address, text| address.address3 = text),
    ("address4", |address, text| address.address4 = text),
    ("city", |address, text| address.city = text),
    ("zipCode", |address, text| address.zip_code = text),
    ("country", |address, text| address.country = text),
    ("region", |address, text| address.region = text),
];

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
fn r81_a10_where_configured_the_card_address_comes_behind_the_pin_address_and_before_the_account() {
    let levels: [(&str, Set); 5] = [
        ("TEMPORARY", CARD_LEVELS[0].1),
        ("Pin", |dossier| dossier.card.pin_address = Some(address("Pin"))),
        ("CARD", CARD_LEVELS[1].1),
        ("ACCOUNT", CARD_LEVELS[2].1),
        ("CUSTOMER", CARD_LEVELS[3].1),
    ];
    let mut terms = terms();
    terms.institution.pin_address_falls_back_to_card = true;
    for strongest in 0..levels.len() {
        let mut dossier = dossier();
        levels[strongest..].iter().for_each(|(_, set)| set(&mut dossier));
        let mailer = produced(&dossier, &terms).pin_mailer.unwrap();
        assert_eq!(mailer.address.city.as_deref(), Some(levels[strongest].0));
    }
}

/// The address of one level, bare, over weaker ones that have every line.
fn bare_over_full(level: usize, bare: &Address) -> Dossier {
    let mut dossier = dossier();
    let mut full = address("Weaker");
    LINES.iter().for_each(|(name, put)| put(&mut full, Some(format!("weak {name}").chars().take(3).collect())));
    dossier.customer.address = full.clone();
    dossier.account.address = (level < 3).then(|| full.clone());
    dossier.card.card_address = (level < 2).then(|| full.clone());
    dossier.card.pin_address = (level < 2).then(|| full.clone());
    match level {
        0 => {
            let temporary = TemporaryAddress { address: bare.clone(), valid_from: None, valid_to: None };
            dossier.customer.temporary_address = Some(temporary);
        }
        1 => {
            dossier.card.card_address = Some(bare.clone());
            dossier.card.pin_address = Some(bare.clone());
        }
        2 => dossier.account.address = Some(bare.clone()),
        _ => dossier.customer.address = bare.clone(),
    }
    dossier
}

#[test]
fn r82_no_level_is_completed_from_a_weaker_one_for_card_or_pin() {
    for (level, (source, _)) in CARD_LEVELS.into_iter().enumerate() {
        let production = produced(&bare_over_full(level, &address("Bare")), &terms());
        let (card, pin) = (production.card_delivery.unwrap(), production.pin_mailer.unwrap());
        assert_eq!((card.source, pin.source), (source, source));
        assert_eq!((card.address, pin.address), (address("Bare"), address("Bare")), "{level}");
    }
}

#[test]
fn r86_an_incomplete_address_is_held_and_does_not_fall_through() {
    for (level, (source, _)) in CARD_LEVELS.iter().enumerate() {
        for (name, put) in LINES {
            for lacking in [None, Some(String::new()), Some("  ".to_owned()), Some("\u{A0}".to_owned())] {
                let mut bare = address("Bare");
                put(&mut bare, lacking.clone());
                let verdict = verdict(&bare_over_full(level, &bare), &terms());
                if ["address1", "city", "zipCode", "country"].contains(&name) {
                    assert_eq!(told(&verdict), "HOLD ADDRESS_INCOMPLETE", "{source} {name} {lacking:?}");
                    assert_eq!(detail(&verdict), format!("{name}: missing, address of {source}"));
                } else {
                    assert_eq!(told(&verdict), "PRODUCE", "{source} {name} {lacking:?}");
                }
            }
        }
    }
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
fn r84_the_day_is_that_of_t0_in_utc_from_its_first_instant_to_its_last() {
    let day = "2026-11-21".parse().ok();
    let mut dossier = dossier();
    dossier.customer.temporary_address =
        Some(TemporaryAddress { address: address("Temporary"), valid_from: day, valid_to: day });
    let (card, customer, account) = (&dossier.card, &dossier.customer, &dossier.account);
    for (at, in_force) in [
        ("2026-11-20T23:59:59.999999Z", false),
        ("2026-11-21T00:00:00Z", true),
        ("2026-11-21T03:00:00Z", true),
        ("2026-11-21T23:59:59.999999Z", true),
        ("2026-11-22T00:00:00Z", false),
        // Still the day before in UTC, and already the day itself.
        ("2026-11-21T01:30:00+02:00", false),
        ("2026-11-20T22:30:00-05:00", true),
    ] {
        let at: DateTime<Utc> = at.parse().unwrap();
        let card_goes = address::card_delivery(card, customer, account, &terms(), at).unwrap();
        let pin_goes = address::pin_delivery(card, customer, account, &terms(), at).unwrap().unwrap();
        for source in [card_goes.source, pin_goes.source] {
            assert_eq!(source == AddressSource::Temporary, in_force, "{at}");
        }
    }
}

#[test]
fn r86_no_address_at_any_level_is_missing() {
    let mut dossier = dossier();
    dossier.customer.address = Address::default();
    assert_eq!(told_of(&dossier), "HOLD ADDRESS_MISSING");
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
fn r88_every_line_and_every_name_of_the_recipient_is_held_to_the_houses_letters() {
    let mut terms = terms();
    terms.manufacturer.address_characters = LetterSet::Ascii;
    for (name, put) in LINES {
        let mut dossier = dossier();
        put(&mut dossier.customer.address, Some("\u{C5}".into()));
        let verdict = verdict(&dossier, &terms);
        assert_eq!(told(&verdict), "HOLD ADDRESS_CHARSET");
        assert_eq!(detail(&verdict), format!("{name}: position 1, U+00C5, address of CUSTOMER"));
    }
    let names: [(&str, SetName); 4] = [
        ("salutation", |name| name.salutation = Some("Fr\u{F6}".into())),
        ("firstName", |name| name.first_name = "Bj\u{F6}".into()),
        ("middleName", |name| name.middle_name = Some("Bj\u{F6}".into())),
        ("lastName", |name| name.last_name = "Bj\u{F6}".into()),
    ];
    for (name, set) in names {
        let mut dossier = dossier();
        set(&mut dossier.customer.name);
        assert_eq!(detail(&verdict(&dossier, &terms)), format!("recipient.{name}: position 3, U+00F6"));
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
fn every_line_at_the_houses_cap_goes_and_one_longer_is_held() {
    let files = |name: &str| match name {
        "zipCode" | "region" => 32,
        "country" => 3,
        _ => 255,
    };
    for cap in [Some(30), Some(50), Some(100), None] {
        let mut terms = terms();
        terms.manufacturer.address_line_max = cap;
        for (name, put) in LINES {
            let most = cap.unwrap_or(255).min(files(name));
            let mut dossier = dossier();
            put(&mut dossier.customer.address, Some("\u{1ECC}".repeat(most)));
            assert_eq!(told(&verdict(&dossier, &terms)), "PRODUCE", "{name} of {most}");
            put(&mut dossier.customer.address, Some("\u{1ECC}".repeat(most + 1)));
            let verdict = verdict(&dossier, &terms);
            assert_eq!(told(&verdict), "HOLD ADDRESS_TOO_LONG", "{name} of {most}");
            let expected = format!("{name}: {} characters, at most {most}, address of CUSTOMER", most + 1);
            assert_eq!(detail(&verdict), expected);
        }
    }
}

#[test]
fn addresses_and_recipients_come_out_in_nfc_without_empty_lines() {
    let mut dossier = dossier();
    dossier.customer.address.city = Some("Turku A\u{30A}bo".into());
    dossier.customer.address.address2 = Some(String::new());
    dossier.customer.address.address3 = Some(" ".into());
    dossier.customer.name.middle_name = Some(String::new());
    dossier.customer.name.salutation = Some(" ".into());
    dossier.customer.name.last_name = "O\u{308}berg".into();
    let made = produced(&dossier, &terms()).card_delivery.unwrap().address;
    assert_eq!((made.city.as_deref(), made.address2, made.address3), (Some("Turku \u{C5}bo"), None, None));
    let recipient = recipient(&dossier.customer);
    assert_eq!(recipient.salutation, None);
    assert_eq!((recipient.last_name.as_str(), recipient.middle_name), ("\u{D6}berg", None));
}
