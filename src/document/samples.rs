//! The two records of `tests/samples/` as values of the model, for tests.

use std::collections::BTreeMap;

use super::model::{
    ChipData, DeliveryBlock, EmbossingLines, Environment, FileType, Header, InstitutionRef, PinKeyRef, PinMailerBlock,
    Record, RecordType, Trailer,
};
use super::name::FileName;
use crate::agreement::{Carrier, FileFormat, FileVersion};
use crate::card::{
    AdditionalValue, Address, AddressSource, CardDeliveryType, CardRole, CharacterSet, Cvv, Pan, PinBlock,
    PinBlockFormat, PinDeliveryType, ProductionEvent, Recipient, Scheme, SecretHex, Segment, Track,
};

pub(super) fn header(format: FileFormat, version: FileVersion) -> Header {
    let mut header = Header {
        format,
        version,
        environment: Environment::Live,
        file_id: "0c0f6a3e-52c1-4f0b-8c64-0f3ef0b55a10".parse().unwrap(),
        file_name: String::new(),
        sequence_number: 42,
        previous_file_id: Some("b7c2c0de-7a7e-4a35-9a0f-6d0f1b2a9e41".parse().unwrap()),
        file_type: FileType::Normal,
        resend_of_file_id: None,
        run_id: "5a7e2b18-2f9b-4c7b-b1f4-2f3c2c3a8d77".parse().unwrap(),
        data_as_of: "2026-11-21T03:00:04Z".parse().unwrap(),
        cut_off: "2026-11-21T03:00:00Z".parse().unwrap(),
        institution: InstitutionRef { id: "246001".parse().unwrap(), name: Some("Example Bank".into()) },
        manufacturer: "FACTORY_X".parse().unwrap(),
        pin_keys: vec![PinKeyRef { key_id: "zpk-x-1".into(), algorithm: "TDES_2KEY".into(), kcv: "D4574E".into() }],
        number_of_records: 2,
    };
    header.file_name = FileName::of(&header).to_string();
    header
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn pin_block(value: &str) -> PinBlock {
    PinBlock { format: PinBlockFormat::Iso0, key_id: "zpk-x-1".into(), value: SecretHex::new(value) }
}

pub(super) fn card_record() -> Record {
    Record {
        record_number: 1,
        record_uid: "7d0e7f3a-3f0a-4c43-9a54-1d9f6c0f2b11".parse().unwrap(),
        record_type: RecordType::Card,
        production_event: ProductionEvent::Ncrd,
        reproduction: false,
        card_id: "3001".parse().unwrap(),
        plastic_id: "5001".parse().unwrap(),
        customer_id: Some("1001".parse().unwrap()),
        account_id: Some("2001".parse().unwrap()),
        customer_number: text("C1001"),
        card_role: CardRole::Main,
        product_code: text("VISA_CARD"),
        scheme: Scheme::Visa,
        pan: Pan::parse("4000001234567899").unwrap(),
        pan_masked: "400000******7899".into(),
        sequence_number: 1,
        expiry: "2029-12".parse().unwrap(),
        valid_from: None,
        service_code: text("201"),
        cvv2: Some(Cvv::new("137")),
        track1: Some(Track::new("B4000001234567899^LIIKAMAA/MONICA^291220118484633")),
        track2: Some(Track::new("4000001234567899=291220118484633")),
        chip: Some(ChipData {
            track1: Track::new("B4000001234567899^LIIKAMAA/MONICA^291220118484278"),
            track2: Track::new("4000001234567899D291220118484278"),
            name: "LIIKAMAA/MONICA".into(),
        }),
        embossing: Some(EmbossingLines {
            first_name: text("Monica"),
            last_name: text("Liikamaa"),
            name_line: text("Monica Liikamaa"),
            additional_embossing_name: None,
            company_name: text("O'Neill & Åkerström Ab"),
            additional_fields: [const { None }; 5],
            character_set: CharacterSet::EmbossedDefault,
        }),
        external_layout_code: text("BlueCard"),
        segment: Some(Segment::A),
        additional_values: vec![
            AdditionalValue { key: "PROMO".into(), value: "Été 2026".into() },
            AdditionalValue { key: "BRANCH".into(), value: "12|3".into() },
        ],
        card_delivery: Some(card_delivery()),
        locale: "fi_FI".into(),
        bulk_code: None,
        carrier: Some(Carrier { kind: text("A4-2UP"), logo: text("BLUE") }),
        chip_pin: Some(pin_block("311D385594D0906A")),
        pin_mailer: Some(PinMailerBlock {
            delivery_type: PinDeliveryType::Mail,
            recipient: Some(monica()),
            address: Address {
                address1: text("Strandgatan 1"),
                city: text("Mariehamn"),
                zip_code: text("22100"),
                country: text("FIN"),
                ..Address::default()
            },
            address_source: Some(AddressSource::Customer),
            pin_block: pin_block("311D385594D0906A"),
        }),
    }
}

fn monica() -> Recipient {
    Recipient { salutation: text("Ms"), first_name: "Monica".into(), middle_name: None, last_name: "Liikamaa".into() }
}

fn card_delivery() -> DeliveryBlock {
    DeliveryBlock {
        kind: CardDeliveryType::Mail,
        recipient: Some(monica()),
        address: Address {
            address1: text("Kings street 12"),
            address2: text("B 4"),
            city: text("Mariehamn"),
            zip_code: text("22100"),
            country: text("FIN"),
            region: text("Åland Islands"),
            ..Address::default()
        },
        address_source: Some(AddressSource::Card),
        phone: text("+358401234567"),
    }
}

pub(super) fn pin_record() -> Record {
    Record {
        record_number: 2,
        record_uid: "e1b6a1c9-58a8-4b51-8c7e-6f2a1f3d9c02".parse().unwrap(),
        record_type: RecordType::PinOnly,
        production_event: ProductionEvent::Ropin,
        reproduction: false,
        card_id: "3002".parse().unwrap(),
        plastic_id: "5002".parse().unwrap(),
        customer_id: Some("1002".parse().unwrap()),
        account_id: Some("2002".parse().unwrap()),
        customer_number: text("C1002"),
        card_role: CardRole::Main,
        product_code: text("MC_CARD"),
        scheme: Scheme::Mastercard,
        pan: Pan::parse("2223001234567894").unwrap(),
        pan_masked: "222300******7894".into(),
        sequence_number: 2,
        expiry: "2028-06".parse().unwrap(),
        valid_from: None,
        service_code: None,
        cvv2: None,
        track1: None,
        track2: None,
        chip: None,
        embossing: None,
        external_layout_code: None,
        segment: None,
        additional_values: Vec::new(),
        card_delivery: None,
        locale: "sv_FI".into(),
        bulk_code: None,
        carrier: None,
        chip_pin: None,
        pin_mailer: Some(PinMailerBlock {
            delivery_type: PinDeliveryType::Courier,
            recipient: Some(Recipient {
                salutation: None,
                first_name: "Åke".into(),
                middle_name: None,
                last_name: "Öberg".into(),
            }),
            address: Address {
                address1: text("Torggatan 5"),
                city: text("Mariehamn"),
                zip_code: text("22100"),
                country: text("FIN"),
                ..Address::default()
            },
            address_source: Some(AddressSource::Temporary),
            pin_block: pin_block("52843BDD26A501AE"),
        }),
    }
}

/// Recounted by hand: the digits 7 to 15 of both PANs are 123456789, twice that is 246913578.
pub(super) fn trailer(records_sha256: &str) -> Trailer {
    Trailer {
        number_of_records: 2,
        number_of_cards: 1,
        number_of_pin_only: 1,
        number_of_pin_mailers: 2,
        number_of_carriers: 1,
        number_of_layouts: 1,
        by_production_event: BTreeMap::from([("NCRD".into(), 1), ("ROPIN".into(), 1)]),
        by_layout: BTreeMap::from([("BlueCard".into(), 1)]),
        by_card_delivery_type: BTreeMap::from([("MAIL".into(), 1)]),
        pan_hash_total: "000246913578".into(),
        records_sha256: records_sha256.to_owned(),
    }
}
