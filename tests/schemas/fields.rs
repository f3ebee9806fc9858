//! Which fields there are: optional, unknown, missing, misplaced, and of which version.

use crate::{BOTH, XSD_ONLY, good, judge};

#[test]
fn optional_fields_may_be_absent_and_others_present() {
    for (xml, json) in [
        (("<Segment>SEGMENT_A</Segment>", ""), (",\"segment\":\"SEGMENT_A\"", "")),
        (("<Logo>BLUE</Logo>", ""), (",\"logo\":\"BLUE\"", "")),
        (("<Type>A4-2UP</Type>", ""), ("\"type\":\"A4-2UP\",", "")),
        (("<Salutation>Ms</Salutation>", ""), ("\"salutation\":\"Ms\",", "")),
        (("<Name>Example Bank</Name>", ""), (",\"name\":\"Example Bank\"", "")),
        (
            ("<ServiceCode>", "<ValidFrom>2026-11</ValidFrom><ServiceCode>"),
            ("\"serviceCode\"", "\"validFrom\":\"2026-11\",\"serviceCode\""),
        ),
        (
            ("<PanMasked>400000******7899", "<PanMasked>40000012****7899"),
            ("\"panMasked\":\"400000******7899", "\"panMasked\":\"40000012****7899"),
        ),
    ] {
        good(2, xml, json);
    }
}

#[test]
fn r92_a_layout_without_a_name_has_none_of_the_three_lines() {
    let xml = (
        "<FirstName>Monica</FirstName><LastName>Liikamaa</LastName><NameLine>Monica Liikamaa</NameLine>\
         <CompanyName>O&apos;Neill &amp; Åkerström Ab</CompanyName>",
        "<AdditionalField1>Vehicle 1</AdditionalField1>",
    );
    let json = (
        "\"firstName\":\"Monica\",\"lastName\":\"Liikamaa\",\"nameLine\":\"Monica Liikamaa\",\
         \"companyName\":\"O'Neill & Åkerström Ab\"",
        "\"additionalField1\":\"Vehicle 1\"",
    );
    good(2, xml, json);
    good(1, xml, json);
}

#[test]
fn unknown_missing_and_misplaced_fields() {
    for (xml, json, seen, says) in [
        (
            ("<CardRole>", "<UsageLimit>1</UsageLimit><CardRole>"),
            ("\"cardRole\"", "\"usageLimit\":\"1\",\"cardRole\""),
            BOTH,
            "record 1: usageLimit is not a field",
        ),
        (
            ("<Phone>", "<Email>x</Email><Phone>"),
            ("\"phone\"", "\"email\":\"x\",\"phone\""),
            BOTH,
            "record 1: cardDelivery.email is not a field",
        ),
        (("<Scheme>VISA</Scheme>", ""), ("\"scheme\":\"VISA\",", ""), BOTH, "record 1: scheme is missing"),
        (
            ("<ProductionReason>NEW_CARD</ProductionReason>", ""),
            ("\"productionReason\":\"NEW_CARD\",", ""),
            BOTH,
            "record 1: productionReason is missing",
        ),
        (
            ("<City>Mariehamn</City>", ""),
            ("\"city\":\"Mariehamn\",", ""),
            BOTH,
            "record 1: cardDelivery.address.city is missing",
        ),
        (
            ("<AddressSource>CARD</AddressSource>", ""),
            (",\"addressSource\":\"CARD\"", ""),
            BOTH,
            "record 1: cardDelivery.addressSource is missing",
        ),
        (("<FileType>NORMAL</FileType>", ""), ("\"fileType\":\"NORMAL\",", ""), BOTH, "header: fileType"),
    ] {
        judge(2, xml, json, seen, says);
    }
}

#[test]
fn misplaced_repeated_and_empty_fields() {
    for (xml, json, seen, says) in [
        (
            ("<CardId>3001</CardId><PlasticId>5001</PlasticId>", "<PlasticId>5001</PlasticId><CardId>3001</CardId>"),
            ("\"cardId\":\"3001\",\"plasticId\":\"5001\"", "\"plasticId\":\"5001\",\"cardId\":\"3001\""),
            XSD_ONLY,
            "record 1: cardId stands out of order",
        ),
        (
            ("<CardId>3001</CardId>", "<CardId>3001</CardId><CardId>3001</CardId>"),
            ("\"cardId\":\"3001\"", "\"cardId\":\"3001\",\"cardId\":\"3001\""),
            XSD_ONLY,
            "record 1: cardId stands twice",
        ),
        (
            ("<CompanyName>O&apos;Neill &amp; Åkerström Ab</CompanyName>", "<CompanyName></CompanyName>"),
            ("\"companyName\":\"O'Neill & Åkerström Ab\"", "\"companyName\":\"\""),
            BOTH,
            "record 1: embossing.companyName is empty",
        ),
        (
            ("<NameLine>Monica Liikamaa</NameLine>", ""),
            ("\"nameLine\":\"Monica Liikamaa\",", ""),
            BOTH,
            "record 1: embossing.nameLine is not",
        ),
        (
            ("<Track2>4000001234567899=291220118484633</Track2>", ""),
            ("\"track2\":\"4000001234567899=291220118484633\",", ""),
            BOTH,
            "record 1: track2 must stand where track1 stands",
        ),
        (
            ("<Carrier><Type>A4-2UP</Type><Logo>BLUE</Logo></Carrier>", "<Carrier></Carrier>"),
            ("\"carrier\":{\"type\":\"A4-2UP\",\"logo\":\"BLUE\"}", "\"carrier\":{}"),
            BOTH,
            "record 1: carrier is",
        ),
    ] {
        judge(2, xml, json, seen, says);
    }
}

#[test]
fn r99_version_1_refuses_every_field_of_version_2() {
    for (xml, json, seen, says) in [
        (
            ("<Reproduction>", "<ProductionReason>NEW_CARD</ProductionReason><Reproduction>"),
            ("\"reproduction\"", "\"productionReason\":\"NEW_CARD\",\"reproduction\""),
            BOTH,
            "record 1: productionReason is a field of version 2",
        ),
        (
            ("<CardRole>", "<CustomerNumber>C1001</CustomerNumber><CardRole>"),
            ("\"cardRole\"", "\"customerNumber\":\"C1001\",\"cardRole\""),
            BOTH,
            "record 1: customerNumber is a field of version 2",
        ),
        (
            (
                "<CardDelivery>",
                "<AdditionalValues><AdditionalValue><Key>A</Key><Value>B</Value></AdditionalValue></AdditionalValues><CardDelivery>",
            ),
            ("\"cardDelivery\"", "\"additionalValues\":[{\"key\":\"A\",\"value\":\"B\"}],\"cardDelivery\""),
            BOTH,
            "record 1: additionalValues is a field of version 2",
        ),
        (
            ("</CardDelivery>", "<AddressSource>CARD</AddressSource></CardDelivery>"),
            ("},\"locale\":\"fi_FI\"", ",\"addressSource\":\"CARD\"},\"locale\":\"fi_FI\""),
            BOTH,
            "record 1: cardDelivery.addressSource is a field of version 2",
        ),
        (
            ("</CardDelivery>", "<Phone>+3584</Phone></CardDelivery>"),
            ("},\"locale\":\"fi_FI\"", ",\"phone\":\"+3584\"},\"locale\":\"fi_FI\""),
            BOTH,
            "record 1: cardDelivery.phone is a field of version 2",
        ),
        (
            ("<ChipPin>", "<Bulk><Code>B7</Code></Bulk><ChipPin>"),
            ("\"chipPin\"", "\"bulk\":{\"code\":\"B7\"},\"chipPin\""),
            BOTH,
            "record 1: bulk is a field of version 2",
        ),
        (
            ("<ChipPin>", "<Carrier><Type>A4</Type></Carrier><ChipPin>"),
            ("\"chipPin\"", "\"carrier\":{\"type\":\"A4\"},\"chipPin\""),
            BOTH,
            "record 1: carrier is a field of version 2",
        ),
        (
            (
                "<Format>ISO_0</Format><KeyId>zpk-x-1</KeyId><Value>52843BDD26A501AE",
                "<Format>ISO_4</Format><KeyId>zpk-x-1</KeyId><Value>52843BDD26A501AE52843BDD26A501AE",
            ),
            (
                "\"ISO_0\",\"keyId\":\"zpk-x-1\",\"value\":\"52843BDD26A501AE",
                "\"ISO_4\",\"keyId\":\"zpk-x-1\",\"value\":\"52843BDD26A501AE52843BDD26A501AE",
            ),
            BOTH,
            "record 2: pinMailer.pinBlock is of format ISO_4",
        ),
    ] {
        judge(1, xml, json, seen, says);
    }
}
