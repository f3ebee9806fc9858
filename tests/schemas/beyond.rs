//! What only one of the schemas, or only the reader, can see.

use crate::{JSON_ONLY, NEITHER, judge};

#[test]
fn what_depends_on_another_field_only_the_json_schema_sees() {
    for (xml, json, seen, says) in [
        (
            ("<ServiceCode>201</ServiceCode>", ""),
            ("\"serviceCode\":\"201\",", ""),
            JSON_ONLY,
            "record 1: serviceCode is missing, which a record of type CARD",
        ),
        (
            ("<Expiry>2028-06</Expiry>", "<Expiry>2028-06</Expiry><Cvv2>137</Cvv2>"),
            ("\"expiry\":\"2028-06\"", "\"expiry\":\"2028-06\",\"cvv2\":\"137\""),
            JSON_ONLY,
            "record 2: cvv2 stands in a record of type PIN_ONLY",
        ),
        (
            ("<ProductionReason>NEW_CARD", "<ProductionReason>RENEW_CARD"),
            ("\"productionReason\":\"NEW_CARD", "\"productionReason\":\"RENEW_CARD"),
            JSON_ONLY,
            "record 1: productionReason is not the reason",
        ),
        (
            ("<FileType>NORMAL</FileType>", "<FileType>DUPLICATE</FileType>"),
            ("\"fileType\":\"NORMAL\"", "\"fileType\":\"DUPLICATE\""),
            JSON_ONLY,
            "header: resendOfFileId must stand",
        ),
        (
            (
                "<Format>ISO_0</Format><KeyId>zpk-x-1</KeyId><Value>52843BDD26A501AE",
                "<Format>ISO_4</Format><KeyId>zpk-x-1</KeyId><Value>52843BDD26A501AE",
            ),
            (
                "\"ISO_0\",\"keyId\":\"zpk-x-1\",\"value\":\"52843BDD26A501AE",
                "\"ISO_4\",\"keyId\":\"zpk-x-1\",\"value\":\"52843BDD26A501AE",
            ),
            JSON_ONLY,
            "record 2: pinMailer.pinBlock has a length",
        ),
    ] {
        judge(2, xml, json, seen, says);
    }
}

#[test]
fn what_a_record_must_agree_with_only_the_reader_sees() {
    for (xml, json, seen, says) in [
        (
            (
                "<NameLine>Monica Liikamaa</NameLine>",
                "<NameLine>Monica Liikamaa</NameLine><AdditionalEmbossingName>\u{160}</AdditionalEmbossingName>",
            ),
            (
                "\"nameLine\":\"Monica Liikamaa\"",
                "\"nameLine\":\"Monica Liikamaa\",\"additionalEmbossingName\":\"\u{160}\"",
            ),
            NEITHER,
            "record 1: embossing.additionalEmbossingName holds a character",
        ),
        (
            ("<Pan>2223001234567894", "<Pan>2223001234567893"),
            ("\"pan\":\"2223001234567894", "\"pan\":\"2223001234567893"),
            NEITHER,
            "record 2: pan has a wrong check digit",
        ),
        (
            ("<Expiry>2029-12", "<Expiry>2029-11"),
            ("\"expiry\":\"2029-12", "\"expiry\":\"2029-11"),
            NEITHER,
            "record 1: ",
        ),
        (
            ("<KeyId>zpk-x-1</KeyId><Value>52843BDD26A501AE", "<KeyId>zpk-x-2</KeyId><Value>52843BDD26A501AE"),
            (
                "\"keyId\":\"zpk-x-1\",\"value\":\"52843BDD26A501AE",
                "\"keyId\":\"zpk-x-2\",\"value\":\"52843BDD26A501AE",
            ),
            NEITHER,
            "record 2: pinMailer.pinBlock is under a key",
        ),
        (
            ("<NameLine>Monica Liikamaa", "<NameLine>Liikamaa Monica"),
            ("\"nameLine\":\"Monica Liikamaa", "\"nameLine\":\"Liikamaa Monica"),
            NEITHER,
            "record 1: embossing.nameLine is not first and last name",
        ),
        (
            ("<City>Mariehamn", "<City>Mariehamn e\u{301}"),
            ("\"city\":\"Mariehamn", "\"city\":\"Mariehamn e\u{301}"),
            NEITHER,
            "record 1: cardDelivery.address.city is not in normalisation form C",
        ),
    ] {
        judge(2, xml, json, seen, says);
    }
}

#[test]
fn r132_header_and_trailer_are_recounted_by_the_reader_only() {
    for (xml, json, seen, says) in [
        (
            ("<NumberOfCards>1", "<NumberOfCards>2"),
            ("\"numberOfCards\":1", "\"numberOfCards\":2"),
            NEITHER,
            "trailer: numberOfCards is not what",
        ),
        (
            ("<PanHashTotal>000246913578", "<PanHashTotal>000246913579"),
            ("\"panHashTotal\":\"000246913578", "\"panHashTotal\":\"000246913579"),
            NEITHER,
            "trailer: panHashTotal is not what",
        ),
        (
            ("<Count of=\"BlueCard\">1", "<Count of=\"RedCard\">1"),
            ("{\"BlueCard\":1}", "{\"RedCard\":1}"),
            NEITHER,
            "trailer: byLayout is not what",
        ),
        (
            ("<Card recordNumber=\"2\"", "<Card recordNumber=\"3\""),
            ("{\"recordNumber\":2,", "{\"recordNumber\":3,"),
            NEITHER,
            "record 2: recordNumber is not",
        ),
        (
            ("<SequenceNumber>42", "<SequenceNumber>43"),
            ("\"sequenceNumber\":42", "\"sequenceNumber\":43"),
            NEITHER,
            "header: fileName is not the name of this content",
        ),
        (
            ("<CreatedAt>2026-11-21T03:00:04Z", "<CreatedAt>2026-11-21T03:00:05Z"),
            ("\"createdAt\":\"2026-11-21T03:00:04Z", "\"createdAt\":\"2026-11-21T03:00:05Z"),
            NEITHER,
            "header: createdAt differs from dataAsOf",
        ),
    ] {
        judge(2, xml, json, seen, says);
    }
}

#[test]
fn another_spelling_of_the_same_content_only_the_reader_sees() {
    for (xml, json, seen, says) in [
        (
            ("<Card recordNumber=\"1\">", "<Card recordNumber=\"1\" >"),
            ("{\"recordNumber\":1,", "{\"recordNumber\": 1,"),
            NEITHER,
            "record 1 is not written as the contract says",
        ),
        (
            ("Kings street", "Kings&#32;street"),
            ("Kings street", "Kings\\u0020street"),
            NEITHER,
            "record 1 is not written as the contract says",
        ),
    ] {
        judge(2, xml, json, seen, says);
    }
}
