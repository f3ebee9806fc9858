//! Lengths count Unicode characters after normalisation, at the limit and one more.

use emboss::agreement::FileFormat;

use crate::{SAMPLES, changed, json_schema, reader, xmllint};

/// The samples of version 2 with the wider character set.
fn printed() -> [String; 2] {
    SAMPLES[1].map(|sample| changed(sample, "EMBOSSED_DEFAULT", "PRINTED"))
}

/// A field with a longest length; `{}` stands for its value.
struct Length {
    /// How the reader names it.
    field: &'static str,
    limit: usize,
    xml: (&'static str, &'static str),
    json: (&'static str, &'static str),
}

const fn length(
    field: &'static str,
    limit: usize,
    xml: (&'static str, &'static str),
    json: (&'static str, &'static str),
) -> Length {
    Length { field, limit, xml, json }
}

const LENGTHS: [Length; 19] = [
    length(
        "record 1: embossing.companyName",
        26,
        ("<CompanyName>O&apos;Neill &amp; Åkerström Ab<", "<CompanyName>{}<"),
        ("\"companyName\":\"O'Neill & Åkerström Ab\"", "\"companyName\":\"{}\""),
    ),
    length(
        "record 1: embossing.additionalEmbossingName",
        26,
        ("<CompanyName>", "<AdditionalEmbossingName>{}</AdditionalEmbossingName><CompanyName>"),
        ("\"companyName\":", "\"additionalEmbossingName\":\"{}\",\"companyName\":"),
    ),
    length(
        "record 1: embossing.additionalField1",
        32,
        ("<CharacterSet>", "<AdditionalField1>{}</AdditionalField1><CharacterSet>"),
        ("\"characterSet\":", "\"additionalField1\":\"{}\",\"characterSet\":"),
    ),
    length(
        "record 1: embossing.additionalField2",
        32,
        ("<CharacterSet>", "<AdditionalField2>{}</AdditionalField2><CharacterSet>"),
        ("\"characterSet\":", "\"additionalField2\":\"{}\",\"characterSet\":"),
    ),
    length(
        "record 1: embossing.additionalField3",
        32,
        ("<CharacterSet>", "<AdditionalField3>{}</AdditionalField3><CharacterSet>"),
        ("\"characterSet\":", "\"additionalField3\":\"{}\",\"characterSet\":"),
    ),
    length(
        "record 1: embossing.additionalField4",
        32,
        ("<CharacterSet>", "<AdditionalField4>{}</AdditionalField4><CharacterSet>"),
        ("\"characterSet\":", "\"additionalField4\":\"{}\",\"characterSet\":"),
    ),
    length(
        "record 1: embossing.additionalField5",
        32,
        ("<CharacterSet>", "<AdditionalField5>{}</AdditionalField5><CharacterSet>"),
        ("\"characterSet\":", "\"additionalField5\":\"{}\",\"characterSet\":"),
    ),
    length(
        "record 1: cardDelivery.address.address1",
        255,
        ("<Address1>Kings street 12<", "<Address1>{}<"),
        ("\"address1\":\"Kings street 12\"", "\"address1\":\"{}\""),
    ),
    length(
        "record 1: cardDelivery.address.address2",
        255,
        ("<Address2>B 4<", "<Address2>{}<"),
        ("\"address2\":\"B 4\"", "\"address2\":\"{}\""),
    ),
    length(
        "record 1: cardDelivery.address.address3",
        255,
        ("<City>", "<Address3>{}</Address3><City>"),
        ("\"city\":", "\"address3\":\"{}\",\"city\":"),
    ),
    length(
        "record 1: cardDelivery.address.address4",
        255,
        ("<City>", "<Address4>{}</Address4><City>"),
        ("\"city\":", "\"address4\":\"{}\",\"city\":"),
    ),
    length(
        "record 1: cardDelivery.address.city",
        255,
        ("<City>Mariehamn<", "<City>{}<"),
        ("\"city\":\"Mariehamn\"", "\"city\":\"{}\""),
    ),
    length(
        "record 1: cardDelivery.address.zipCode",
        32,
        ("<ZipCode>22100<", "<ZipCode>{}<"),
        ("\"zipCode\":\"22100\"", "\"zipCode\":\"{}\""),
    ),
    length(
        "record 1: cardDelivery.address.region",
        32,
        ("<Region>Åland Islands<", "<Region>{}<"),
        ("\"region\":\"Åland Islands\"", "\"region\":\"{}\""),
    ),
    length("record 1: carrier.type", 30, ("<Type>A4-2UP<", "<Type>{}<"), ("\"type\":\"A4-2UP\"", "\"type\":\"{}\"")),
    length("record 1: carrier.logo", 20, ("<Logo>BLUE<", "<Logo>{}<"), ("\"logo\":\"BLUE\"", "\"logo\":\"{}\"")),
    length(
        "record 1: bulk.code",
        36,
        ("<Carrier>", "<Bulk><Code>{}</Code></Bulk><Carrier>"),
        ("\"carrier\":{", "\"bulk\":{\"code\":\"{}\"},\"carrier\":{"),
    ),
    length(
        "record 1: additionalValues[1].value",
        50,
        ("<Value>Été 2026<", "<Value>{}<"),
        ("\"value\":\"Été 2026\"", "\"value\":\"{}\""),
    ),
    length(
        "header: institution.name",
        64,
        ("<Name>Example Bank<", "<Name>{}<"),
        ("\"name\":\"Example Bank\"", "\"name\":\"{}\""),
    ),
];

#[test]
fn r91_r100_lengths_count_characters_at_the_limit_and_one_more() {
    let [xml_sample, json_sample] = printed();
    for Length { field, limit, xml, json } in LENGTHS {
        for length in [limit, limit + 1] {
            // Three bytes each in UTF-8, and in the value set of additional values.
            let value = "\u{1ECC}".repeat(length);
            let xml = changed(&xml_sample, xml.0, &xml.1.replace("{}", &value));
            let json = changed(&json_sample, json.0, &json.1.replace("{}", &value));
            let good = length == limit;
            assert_eq!(xmllint(&xml, 2), good, "xmllint: {field} of {length}");
            assert_eq!(json_schema(&json, 2), good, "JSON Schema: {field} of {length}");
            for (file, format) in [(xml, FileFormat::Xml), (json, FileFormat::Json)] {
                let findings = reader(&file, format);
                assert_eq!(findings.is_empty(), good, "{field} of {length}: {findings:?}");
                assert!(findings.iter().all(|finding| finding.starts_with(field)), "{findings:?}");
                assert!(findings.iter().all(|finding| !finding.contains('\u{1ECC}')), "no value is repeated");
            }
        }
    }
}

#[test]
fn r91_layout_code_of_32_characters_and_not_33() {
    let [xml_sample, json_sample] = SAMPLES[1];
    for length in [32, 33] {
        let value = "\u{1ECC}".repeat(length);
        let xml = changed(&xml_sample.replace("BlueCard", &value), &value, &value);
        let json = changed(&json_sample.replace("BlueCard", &value), &value, &value);
        let good = length == 32;
        assert_eq!((xmllint(&xml, 2), json_schema(&json, 2)), (good, good));
        for (file, format) in [(xml, FileFormat::Xml), (json, FileFormat::Json)] {
            let findings = reader(&file, format);
            let longer = ["record 1: externalLayoutCode is longer", "trailer: byLayout[1] is longer"];
            assert_eq!(findings.len(), if good { 0 } else { 2 }, "{findings:?}");
            assert!(findings.iter().zip(longer).all(|(finding, longer)| finding.starts_with(longer)), "{findings:?}");
        }
    }
}

#[test]
fn r90_first_and_last_name_together_have_at_most_26_characters() {
    for (first, last, good) in [(13, 13, true), (13, 14, false), (26, 1, false), (25, 1, true)] {
        let (first, last) = ("\u{1ECC}".repeat(first), "\u{1ECC}".repeat(last));
        let [xml, json] = printed();
        let xml = changed(
            &xml,
            "<FirstName>Monica</FirstName><LastName>Liikamaa</LastName><NameLine>Monica Liikamaa</NameLine>",
            &format!("<FirstName>{first}</FirstName><LastName>{last}</LastName><NameLine>{first} {last}</NameLine>"),
        );
        let json = changed(
            &json,
            "\"firstName\":\"Monica\",\"lastName\":\"Liikamaa\",\"nameLine\":\"Monica Liikamaa\"",
            &format!("\"firstName\":\"{first}\",\"lastName\":\"{last}\",\"nameLine\":\"{first} {last}\""),
        );
        // The joined line makes the schemas see it too: with the space it has 27 characters at most.
        assert_eq!((xmllint(&xml, 2), json_schema(&json, 2)), (good, good));
        for (file, format) in [(xml, FileFormat::Xml), (json, FileFormat::Json)] {
            let findings = reader(&file, format);
            assert_eq!(findings.is_empty(), good, "{findings:?}");
        }
    }
}

#[test]
fn r99_ten_additional_values_and_not_eleven() {
    let [xml, json] = SAMPLES[1];
    for more in [8, 9] {
        let pair = "<AdditionalValue><Key>K</Key><Value>V</Value></AdditionalValue>".repeat(more);
        let xml = changed(xml, "</AdditionalValues>", &format!("{pair}</AdditionalValues>"));
        let pair = ",{\"key\":\"K\",\"value\":\"V\"}".repeat(more);
        let json = changed(json, "}],\"cardDelivery\"", &format!("}}{pair}],\"cardDelivery\""));
        let good = more == 8;
        assert_eq!((xmllint(&xml, 2), json_schema(&json, 2)), (good, good));
        for (file, format) in [(xml, FileFormat::Xml), (json, FileFormat::Json)] {
            let findings = reader(&file, format);
            let expected: &[&str] = if good { &[] } else { &["record 1: additionalValues has more than 10 entries"] };
            assert_eq!(findings, expected);
        }
    }
}
