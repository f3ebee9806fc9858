//! Faults of a configuration, each with its sentence.

use std::path::Path;

use super::*;

pub(super) const FULL: &str = include_str!("../../deploy/emboss.full.toml");
const MINIMAL: &str = include_str!("../../deploy/emboss.minimal.toml");

pub(super) fn load(text: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("emboss.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(&path, Some(Path::new("/run/credentials/emboss.service")))
}

/// The full sample with one change; `from` must stand in it.
fn changed(from: &str, to: &str) -> String {
    assert!(FULL.contains(from), "the sample has no {from}");
    FULL.replacen(from, to, 1)
}

pub(super) fn faults(text: &str) -> Vec<String> {
    match load(text) {
        Ok(_) => Vec::new(),
        Err(ConfigError::Invalid { findings, .. }) => findings.iter().map(ToString::to_string).collect(),
        Err(error) => panic!("{error}"),
    }
}

fn syntax(text: &str) -> (usize, usize, String) {
    match load(text) {
        Err(ConfigError::Syntax { line, column, reason, .. }) => (line, column, reason),
        other => panic!("{other:?}"),
    }
}

/// One change, one fault, and the fault says this.
#[track_caller]
fn one_fault(from: &str, to: &str, expected: &str) {
    assert_eq!(faults(&changed(from, to)), [expected], "{from} -> {to}");
}

#[track_caller]
fn accepted(from: &str, to: &str) {
    assert_eq!(faults(&changed(from, to)), [""; 0], "{from} -> {to}");
}

#[test]
fn absent_keys_have_the_values_the_full_sample_calls_default() {
    let minimal = load(MINIMAL).unwrap();
    assert_eq!(minimal.schedule, ScheduleSettings { cron: "0 0 3 * * *".to_owned(), catch_up_hours: 20 });
    assert_eq!(minimal.run.spool_retention_days, 35);
    assert_eq!(minimal.run.clock_skew_max_s, 300);
    assert_eq!((minimal.run.agreements_at_once, minimal.run.uploads_at_once), (4, 2));
    assert_eq!(minimal.log, LogSettings { format: LogFormat::Text, level: LogLevel::Info });
    assert_eq!(minimal.warnings.key_expiry_days, [60, 30, 7]);
    assert_eq!(minimal.warnings.pin_wait_days, [7, 30, 90]);
    assert_eq!(minimal.intake.jwe, []);
    assert_eq!(minimal.institutions[0].renewal_days, 45);
    assert_eq!(minimal.agreements[0].max_bad_share, crate::agreement::Thousandths(200));
    assert_eq!(minimal.destinations[0].environment(), Environment::Test);
}

#[test]
fn paths_lead_from_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("emboss.toml");
    let text = FULL.replace("sqlite:/var/lib/emboss/emboss.db", "sqlite:night/emboss.db");
    let text = text.replace("directory = \"/var/lib/emboss/out\"", "directory = \"out\"");
    std::fs::write(&path, text).unwrap();
    let config = Config::load(&path, Some(Path::new("/run/credentials/x"))).unwrap();
    let here = folder.path().display();
    assert_eq!(config.database.url, format!("sqlite:{here}/night/emboss.db"));
    assert_eq!(config.run.spool, "/var/lib/emboss/spool");
    assert_eq!(config.keys[0].block_file, format!("{here}/keys/data-1.tr31"));
    assert_eq!(config.intake.jwe[0].private_key_file, "/run/credentials/x/intake-2026");
    assert_eq!(config.vault.kbpk["main"].component_files[1], "/run/credentials/x/kbpk-2");
    assert_eq!(config.manufacturers[0].recipients[0].certificate_file, format!("{here}/keys/north-print.asc"));
    let DestinationSettings::Directory(archive) = &config.destinations[1] else { panic!("a folder") };
    assert_eq!(archive.directory, format!("{here}/out"));
    let DestinationSettings::Sftp(sftp) = &config.destinations[0] else { panic!("a server") };
    assert_eq!((&*sftp.key_file, &*sftp.directory), ("/run/credentials/x/sftp", "/incoming"));
}

#[test]
fn a_credential_nobody_provides_stays_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("emboss.toml");
    std::fs::write(&path, FULL).unwrap();
    assert_eq!(Config::load(&path, None).unwrap().signer.key_file, "credential:signer");
}

#[test]
fn an_absent_file_says_what_to_do() {
    let error = Config::load(Path::new("/nowhere/emboss.toml"), None).unwrap_err();
    let expected = "the configuration /nowhere/emboss.toml cannot be read: \
                    name an existing file with --config, or make one with `emboss init`";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_fault_of_the_text_is_named_by_line_and_column() {
    let text = MINIMAL.replace("[database]\n", "[database]\npasswort = \"hunter2\"\n");
    let line = text.lines().position(|line| line.starts_with("passwort")).unwrap() + 1;
    let (found, column, reason) = syntax(&text);
    assert_eq!((found, column), (line, 1));
    assert!(reason.starts_with("unknown field `passwort`, expected one of `url`"), "{reason}");
    // The line itself is not shown: it may hold a secret.
    assert!(!load(&text).unwrap_err().to_string().contains("hunter2"));
    assert_eq!(syntax("environment = \"test\"\nü = = 1\n").0, 2);
}

#[test]
fn an_environment_is_live_or_test() {
    let (line, _, reason) = syntax(&MINIMAL.replace("environment = \"test\"\n\n", "environment = \"LIVE\"\n\n"));
    assert_eq!(line, 3);
    assert_eq!(reason, "environment must be live or test");
}

#[test]
fn every_fault_is_told_at_once() {
    let text = changed("id = \"data-1\"", "id = \"data-2\"")
        .replace("kbpk = \"main\"\nkcv", "kbpk = \"mine\"\nkcv")
        .replace("destination = \"north-print\"\n", "destination = \"south-print\"\n")
        .replace("months = 36 ", "months = 0 ");
    assert_eq!(
        faults(&text),
        [
            "[vault] data_key names data-1, which no [[key]] has: add that [[key]], or correct the name",
            "[[key]] data-2 kbpk names mine, which no [vault.kbpk] has: add that [vault.kbpk], or correct the name",
            "[[product]] 100001/VISA_DEBIT months is 0: write 1 to 240",
            "[[manufacturer]] NORTH_PRINT destination names south-print, which no [[destination]] has: \
             add that [[destination]], or correct the name",
        ]
    );
    let error = load(&text).unwrap_err().to_string();
    assert!(error.contains("emboss.toml has 4 faults:\n- [vault] data_key names"), "{error}");
}

#[test]
fn references_lead_somewhere() {
    for (from, to, subject) in [
        ("pan_index_key = \"index-1\"", "pan_index_key = \"none\"", "[vault] pan_index_key"),
        ("pin_storage_key = \"pin-1\"", "pin_storage_key = \"none\"", "[vault] pin_storage_key"),
        ("default_product = \"VISA_DEBIT\"", "default_product = \"NONE\"", "[[institution]] 100001 default_product"),
        (
            "default_manufacturer = \"NORTH_PRINT\"",
            "default_manufacturer = \"NONE\"",
            "[[institution]] 100001 default_manufacturer",
        ),
        ("set_pin_keys = [\"zone-issuer-1\"]", "set_pin_keys = [\"none\"]", "[[institution]] 100001 set_pin_keys"),
        ("cvv_key = \"cvv-1\"", "cvv_key = \"none\"", "[[product]] 100001/VISA_DEBIT cvv_key"),
        ("cvv2_key = \"cvv2-1\"", "cvv2_key = \"none\"", "[[product]] 100001/VISA_DEBIT cvv2_key"),
        ("pvv_key = \"pvv-1\"", "pvv_key = \"none\"", "[[product]] 100001/VISA_DEBIT pin.pvv_key"),
        ("pin_keys = [\"zone-north-1\"]", "pin_keys = [\"none\"]", "[[manufacturer]] NORTH_PRINT pin_keys"),
        (
            "destination = \"north-print\"             #",
            "destination = \"none\" #",
            "[[agreement]] 100001/NORTH_PRINT destination",
        ),
    ] {
        let found = faults(&changed(from, to));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("{subject} names ")), "{} does not begin with {subject}", found[0]);
    }
}

#[test]
fn agreements_and_products_belong_to_somebody() {
    let text = FULL.replace(
        "institution = \"100001\"\nmanufacturer = \"NORTH_PRINT\"",
        "institution = \"9\"\nmanufacturer = \"SOUTH\"",
    );
    assert_eq!(
        faults(&text),
        [
            "[[agreement]] 9/SOUTH institution names 9, which no [[institution]] has: add that [[institution]], or correct the name",
            "[[agreement]] 9/SOUTH manufacturer names SOUTH, which no [[manufacturer]] has: add that [[manufacturer]], or correct the name",
        ]
    );
    let text =
        FULL.replace("institution = \"100001\"\ncode = \"VISA_ONLINE\"", "institution = \"9\"\ncode = \"VISA_ONLINE\"");
    assert_eq!(
        faults(&text),
        [
            "[[product]] 9/VISA_ONLINE institution names 9, which no [[institution]] has: add that [[institution]], or correct the name"
        ]
    );
}

/// The sample with one of its tables of arrays written twice.
fn doubled(table: &str) -> String {
    let start = FULL.find(table).unwrap();
    let end = FULL[start + 1..].find("\n[").map_or(FULL.len(), |end| start + 1 + end);
    format!("{FULL}\n{}", &FULL[start..end])
}

#[test]
fn nothing_stands_twice() {
    for (table, expected) in [
        ("[[key]]", "[[key]] id data-1 is used twice: give each key its own id"),
        ("[[institution]]", "[[institution]] id 100001 is used twice: merge the two"),
        (
            "[[product]]",
            "[[product]] 100001/VISA_DEBIT code is used twice: give each product of an institution its own code",
        ),
        ("[[manufacturer]]", "[[manufacturer]] code NORTH_PRINT is used twice: merge the two"),
        (
            "[[agreement]]",
            "[[agreement]] 100001/NORTH_PRINT stands twice: keep one agreement per institution and manufacturer",
        ),
        ("[[destination]]", "[[destination]] name north-print is used twice: give each destination its own name"),
        (
            "[[intake.jwe]]",
            "[[intake.jwe]] certificate_file names HERE/keys/intake-2026.crt twice: name each certificate once",
        ),
    ] {
        let found = faults(&doubled(table));
        assert_eq!(found.len(), 1, "{table}: {found:?}");
        let tail = expected.rsplit("HERE").next().unwrap();
        assert!(found[0].ends_with(tail), "{table}: {found:?}");
    }
}

#[test]
fn layouts_recipients_and_lists_name_nothing_twice() {
    one_fault(
        "carrier = { type = \"A4-FOLD\", logo = \"BLUE\" }       # default none\n",
        "[[agreement.layout]]\ncode = \"BLUE-2026\"\n",
        "[[agreement]] 100001/NORTH_PRINT layout.code BLUE-2026 is listed twice: list each layout once",
    );
    let recipient = "  { certificate_file = \"keys/north-print.asc\", fingerprint = \"1111111111111111111111111111111111111111\" },\n";
    one_fault(
        recipient,
        &recipient.repeat(2),
        "[[manufacturer]] NORTH_PRINT recipients.fingerprint 1111111111111111111111111111111111111111 is named twice: \
         name each recipient once",
    );
    one_fault(
        "pin_keys = [\"zone-north-1\"]",
        "pin_keys = [\"zone-north-1\", \"zone-north-1\"]",
        "[[manufacturer]] NORTH_PRINT pin_keys names zone-north-1 twice: name each key once",
    );
    one_fault(
        "key_expiry_days = [60, 30, 7]",
        "key_expiry_days = [60, 60]",
        "[warnings] key_expiry_days names 60 twice: name each number of days once",
    );
}

#[test]
fn lengths_end_where_the_file_says() {
    for (from, before, max, after) in [
        ("name = \"Bank of the Examples\"", "name = \"", 64, "\""),
        ("code = \"BLUE-2026\"", "code = \"", 32, "\""),
        ("type = \"A4-FOLD\"", "type = \"", 30, "\""),
        ("logo = \"BLUE\"", "logo = \"", 20, "\""),
        ("CUSTOM_1 = \"BRANCH-1\"", "CUSTOM_1 = \"", 36, "\""),
        ("host = \"sftp.north-print.example\"", "host = \"", 253, "\""),
    ] {
        // Characters count, not bytes (R100).
        accepted(from, &format!("{before}{}{after}", "ü".repeat(max)));
        for length in [0, max + 1] {
            let found = faults(&changed(from, &format!("{before}{}{after}", "ü".repeat(length))));
            let expected = format!("has {length} characters: write 1 to {max} characters");
            assert!(found.len() == 1 && found[0].ends_with(&expected), "{found:?}");
        }
    }
}

#[test]
fn numbers_end_where_the_contract_says() {
    for (key, value, from, to) in [
        ("busy_timeout_s", "30", 1, 3600),
        ("spool_retention_days", "35", 1, 3650),
        ("clock_skew_max_s", "300", 1, 300),
        ("agreements_at_once", "4", 1, 64),
        ("uploads_at_once", "2", 1, 16),
        ("catch_up_hours", "20", 1, 24),
        ("closing_soon_days", "7", 0, 3650),
        ("renewal_days", "45", 1, 365),
        ("months", "36", 1, 240),
        ("address_line_max", "50", 1, 255),
        ("deadline_minutes", "30", 1, 120),
        ("field_max", "26", 1, 32),
        ("connect_timeout_s", "20", 1, 600),
        ("inactivity_timeout_s", "60", 1, 3600),
        ("attempts", "8", 1, 20),
        ("port", "22", 1, 65_535),
    ] {
        let written = format!("{key} = {value} ");
        for number in [from, to] {
            accepted(&written, &format!("{key} = {number} "));
        }
        for number in [from - 1, to + 1].into_iter().filter(|number| (0..=65_535).contains(number)) {
            let found = faults(&changed(&written, &format!("{key} = {number} ")));
            let expected = format!("{key} is {number}: write {from} to {to}");
            assert!(found.len() == 1 && found[0].ends_with(&expected), "{key} = {number}: {found:?}");
        }
    }
}

/// Else a plastic would be due for renewal on the day it is made.
#[test]
fn r110_a_product_outlasts_the_renewal_days() {
    for (months, days, sound) in [(2, 45, true), (2, 55, true), (2, 56, false), (1, 27, true), (1, 28, false)] {
        let text = changed("renewal = false", "renewal = true");
        let text = text.replace("renewal_days = 45", &format!("renewal_days = {days}"));
        let text = text.replace("months = 36", &format!("months = {months}"));
        let found = faults(&text);
        assert_eq!(found.is_empty(), sound, "{months} months, {days} days: {found:?}");
        let names = |fault: &String| fault.contains("renewal_days") && fault.contains("VISA_DEBIT");
        assert!(sound || found.iter().any(names), "{found:?}");
        let off = text.replace("renewal = true", "renewal = false");
        assert_eq!(faults(&off), [""; 0], "nothing is renewed");
    }
}

#[test]
fn prefixes_are_six_to_ten_digits() {
    for (prefix, sound) in
        [("40000", false), ("400000", true), ("4000000000", true), ("40000000000", false), ("40000O", false)]
    {
        let found = faults(&changed("[\"40000012\"]", &format!("[\"{prefix}\"]")));
        assert_eq!(found.is_empty(), sound, "{prefix}: {found:?}");
    }
    one_fault(
        "pan_prefixes = [\"40000012\"]",
        "pan_prefixes = []",
        "[[product]] 100001/VISA_DEBIT pan_prefixes is empty: name at least one range",
    );
}

#[test]
fn institutions_do_not_share_card_numbers() {
    let other = |prefix: &str| {
        format!(
            "{FULL}\n[[institution]]\nid = \"2\"\n[[product]]\ninstitution = \"2\"\ncode = \"OTHER\"\nscheme = \"VISA\"\n\
             form = \"virtual\"\npan_prefixes = [\"{prefix}\"]\nmonths = 12\ncvv2_key = \"cvv2-1\"\n"
        )
    };
    assert_eq!(faults(&other("40000013")), [""; 0]);
    for prefix in ["40000012", "4000001", "4000001234"] {
        assert_eq!(
            faults(&other(prefix)),
            ["[[product]] 2/OTHER pan_prefixes shares 40000012 with 100001/VISA_DEBIT: \
              give two institutions separate ranges: they would make the same card numbers"],
            "{prefix}"
        );
    }
    // Products of one institution may share a range.
    accepted("[\"40000099\"]", "[\"40000012\"]");
}

#[test]
fn product_codes_have_their_pattern() {
    let longest = format!("V{}", "_".repeat(64));
    for (code, sound) in [
        ("VI", true),
        ("V_9", true),
        (&*longest, true),
        (&*format!("{longest}9"), false),
        ("V", false),
        ("9VISA", false),
        ("_VISA", false),
        ("Visa", false),
        ("VISA-X", false),
        ("", false),
    ] {
        let found = faults(&changed("code = \"VISA_ONLINE\"", &format!("code = \"{code}\"")));
        assert_eq!(found.is_empty(), sound, "{code}: {found:?}");
    }
}

#[test]
fn templates_hold_digits_and_marks() {
    let track2 = |template: &str| {
        let chip = format!("chip = {{ track1 = \"\", track2 = \"{template}\", offline_pin = true }}");
        faults(&changed(
            "chip = { track1 = \"{pvki}{pvv}{cvv}\", track2 = \"{pvki}{pvv}{cvv}\", offline_pin = true }",
            &chip,
        ))
    };
    // 13 digits fit on track 2: 8 of the marks and 5 more.
    for (template, sound) in [
        ("", true),
        ("00000{cvv}", true),
        ("{pvki}{pvv}{cvv}00000", true),
        ("{pvki}{pvv}{cvv}000000", false),
        ("{cvv2}", false),
        ("{PVV}", false),
        ("12 34", false),
        ("{cvv", false),
    ] {
        let found = track2(template);
        assert_eq!(found.is_empty(), sound, "{template}: {found:?}");
    }
    // 24 on track 1.
    for (digits, sound) in [(24, true), (25, false)] {
        let stripe = format!("stripe = {{ track1 = \"{}\",", "0".repeat(digits));
        assert_eq!(
            faults(&changed("stripe = { track1 = \"{pvki}{pvv}{cvv}\",", &stripe)).is_empty(),
            sound,
            "{digits}"
        );
    }
}

#[test]
fn tracks_need_a_service_code_and_a_key() {
    one_fault(
        "service_code = \"201\"",
        "",
        "[[product]] 100001/VISA_DEBIT service_code is absent, but the product is physical: \
         add it: every card record carries one",
    );
    one_fault(
        "cvv_key = \"cvv-1\"",
        "",
        "[[product]] 100001/VISA_DEBIT cvv_key is absent, but the product has a stripe or chip: \
         add it: tracks cannot be written without",
    );
    for (code, sound) in [("201", true), ("20", false), ("2011", false), ("2O1", false)] {
        assert_eq!(faults(&changed("\"201\"", &format!("\"{code}\""))).is_empty(), sound, "{code}");
    }
}

#[test]
fn a_product_without_a_pin_has_nothing_of_it() {
    let found = faults(&changed("pin = { pvv_key = \"pvv-1\", pvki = \"1\" }", ""));
    assert_eq!(found.len(), 5, "{found:?}");
    assert!(found[0].contains("chip.offline_pin is true, but the product has no PIN"), "{found:?}");
    assert!(found[1].contains("stripe.track1 asks for {pvki} or {pvv}"), "{found:?}");
    for (pvki, sound) in [("0", true), ("9", true), ("", false), ("10", false), ("A", false)] {
        assert_eq!(faults(&changed("pvki = \"1\"", &format!("pvki = \"{pvki}\""))).is_empty(), sound, "{pvki}");
    }
}

#[test]
fn a_virtual_product_is_card_data_only() {
    let virtual_with = |line: &str| {
        faults(&changed("pan_prefixes = [\"40000099\"]", &format!("pan_prefixes = [\"40000099\"]\n{line}")))
    };
    for (line, key) in [
        ("instant_issuing = true", "instant_issuing"),
        ("pin = { pvv_key = \"pvv-1\", pvki = \"1\" }", "pin"),
        ("service_code = \"201\"\ncvv_key = \"cvv-1\"\nstripe = { track1 = \"{cvv}\", track2 = \"{cvv}\" }", "stripe"),
        ("service_code = \"201\"\ncvv_key = \"cvv-1\"\nchip = { track1 = \"{cvv}\", track2 = \"{cvv}\" }", "chip"),
    ] {
        let expected = format!(
            "[[product]] 100001/VISA_ONLINE {key} is set, but the product is virtual: \
             remove it, or make the product physical"
        );
        assert_eq!(virtual_with(line), [expected]);
    }
}

#[test]
fn iso_4_needs_version_2() {
    accepted("pin_block_format = \"ISO_0\"", "pin_block_format = \"ISO_4\"");
    let text = changed("pin_block_format = \"ISO_0\"", "pin_block_format = \"ISO_4\"");
    assert_eq!(
        faults(&text.replace("version = 2 ", "version = 1 ")),
        [
            "[[manufacturer]] NORTH_PRINT pin_block_format is ISO_4, but its agreement with institution 100001 has version 1: \
          set version = 2 there, or ISO_0 or ISO_3 here"
        ]
    );
    accepted("version = 2 ", "version = 1 ");
}

#[test]
fn destinations_in_use_are_of_the_same_environment() {
    let text = FULL.replacen("environment = \"test\" ", "environment = \"live\" ", 1);
    let text = text.replace("allow_software_pin = false", "allow_software_pin = true");
    assert_eq!(
        faults(&text),
        ["[[agreement]] 100001/NORTH_PRINT destination north-print is TEST, but the configuration is LIVE: \
          send to a destination of the same environment"]
    );
    // The archive is not in use.
    let (used, archive) = text.split_once("name = \"archive\"").unwrap();
    let text = format!(
        "{}name = \"archive\"{archive}",
        used.replace("environment = \"test\"\nhost", "environment = \"live\"\nhost")
    );
    assert_eq!(faults(&text), [""; 0]);
    assert_eq!(
        faults(&text.replace("allow_software_pin = true", "allow_software_pin = false")),
        ["[vault] allow_software_pin is false, the environment is live and there are products with a PIN: \
          set it to true if PINs in the memory of this host are acceptable, else remove the pin tables"]
    );
}

#[test]
fn r135_fingerprints_are_whole() {
    for (digits, sound) in [(39, false), (40, true), (41, false), (63, false), (64, true), (65, false), (16, false)] {
        let found = faults(&FULL.replace(&"1".repeat(40), &"a".repeat(digits)));
        assert_eq!(found.is_empty(), sound, "{digits}: {found:?}");
    }
    one_fault(
        "fingerprint = \"0000000000000000000000000000000000000000\"",
        "fingerprint = \"0000 0000000000000000000000000000000000\"",
        "[signer] fingerprint is not a whole OpenPGP fingerprint: \
         write all 40 (version 4) or 64 (version 6) hexadecimal digits without spaces",
    );
}

#[test]
fn keys_have_components_check_values_and_an_order_of_dates() {
    let components =
        "component_files = [\"credential:kbpk-1\", \"credential:kbpk-2\"]\ncomponent_kcvs = [\"8D3F01\", \"51A0C7\"]";
    one_fault(
        components,
        "component_files = [\"credential:kbpk-1\"]",
        "[vault.kbpk.main] component_files names 1: name two or more components, each kept by another person",
    );
    one_fault(
        components,
        "component_files = [\"credential:kbpk-1\", \"credential:kbpk-2\"]\ncomponent_kcvs = [\"8D3F01\"]",
        "[vault.kbpk.main] component_kcvs has 1 check values for 2 components: write one per component, in their order, or none",
    );
    one_fault(
        components,
        "component_files = [\"k\", \"/run/credentials/emboss.service/kbpk\", \"credential:kbpk\"]",
        "[vault.kbpk.main] component_files names /run/credentials/emboss.service/kbpk twice: name each component once",
    );
    for (kcv, sound) in [
        ("597f10", true),
        ("597F1", false),
        ("597F100", false),
        ("597F1G", false),
        ("597F10FDC", false),
        ("597F10FDC5", true),
        ("597F10FDC50", false),
    ] {
        assert_eq!(faults(&changed("597F10", kcv)).is_empty(), sound, "{kcv}");
    }
    one_fault(
        "not_after = 2029-01-01T00:00:00Z",
        "not_after = 2026-01-01T00:00:00Z",
        "[[key]] cvv-1 not_after is not after not_before: correct one of the two",
    );
    one_fault(
        "retire_at = 2033-01-01T00:00:00Z",
        "retire_at = 2028-01-01T00:00:00Z",
        "[[key]] cvv-1 retire_at is not after not_after: correct one of the two",
    );
    one_fault(
        "pin_storage_key = \"pin-1\"",
        "pin_storage_key = \"data-1\"",
        "[vault] uses data-1 for two purposes: give each purpose a key of its own",
    );
}

#[test]
fn credentials_have_names() {
    for name in ["", "..", "a/b", "a b"] {
        one_fault(
            "key_file = \"credential:signer\"",
            &format!("key_file = \"credential:{name}\""),
            "[signer] key_file names a credential that cannot exist: \
             write credential:NAME, NAME being letters, digits, dots, hyphens and underscores",
        );
    }
}

#[test]
fn destinations_are_pinned_and_sane() {
    let pin = "[\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"]";
    let digest = |length: usize| format!("\"SHA256:{}\"", "A".repeat(length));
    for (pins, sound) in [
        (format!("[{}, \"SHA256:{}\"]", digest(43), "B".repeat(43)), true),
        ("[]".to_owned(), false),
        (format!("[{}]", digest(42)), false),
        (format!("[{}]", digest(44)), false),
        (format!("[{}, {}]", digest(43), digest(43)), false),
        ("[\"MD5:00\"]".to_owned(), false),
    ] {
        assert_eq!(faults(&changed(pin, &pins)).is_empty(), sound, "{pins}");
    }
    for (mode, sound) in [
        ("0640", true),
        ("600", true),
        ("0644", true),
        ("0660", true),
        ("0666", false),
        ("0755", false),
        ("0440", false),
        ("4640", false),
        ("640x", false),
        ("0689", false),
        ("64", false),
        ("", false),
    ] {
        assert_eq!(
            faults(&changed("file_mode = \"0640\"", &format!("file_mode = \"{mode}\""))).is_empty(),
            sound,
            "{mode}"
        );
    }
    one_fault(
        "first = 5, max = 300",
        "first = 5, max = 4",
        "[[destination]] north-print backoff_s.max is 4: write 5 to 7200",
    );
    one_fault(
        "directory = \"/var/lib/emboss/out\"",
        "directory = \"/var/lib/emboss/spool\"",
        "[[destination]] archive directory is the spool: deliver to another folder: the spool is ours alone",
    );
}

#[test]
fn r136_the_tries_of_a_night_fit_into_two_hours() {
    // Seven pauses from 2000 s on, none over 2000 s, each with up to half of it again: 21,000 s.
    one_fault(
        "first = 5, max = 300",
        "first = 2000, max = 2000",
        "[[destination]] north-print attempts is 8, and the pauses of backoff_s between them take up to 350 minutes: \
         keep them within 120 minutes, in which a file is tried in one night, by fewer attempts or shorter pauses",
    );
    // 685 s seven times is 4795 s, and 7192.5 s with the jitter: the last that fits; 686 s would be 7203 s.
    accepted("first = 5, max = 300", "first = 685, max = 685");
    let found = faults(&changed("first = 5, max = 300", "first = 686, max = 686"));
    assert!(found.len() == 1 && found[0].contains("take up to 121 minutes"), "{found:?}");
}

#[test]
fn a_database_is_one_we_open() {
    let sqlite = "sqlite:/var/lib/emboss/emboss.db";
    for url in ["emboss.db", "mysql://emboss@db/emboss", ""] {
        let fault = "is not a database this version opens: write sqlite:PATH or postgres://USER@HOST:PORT/NAME";
        one_fault(sqlite, url, &format!("[database] url {fault}"));
    }
    one_fault(sqlite, "sqlite:", "[database] url names no file: write sqlite:PATH");
    accepted(sqlite, "postgres://emboss@db.bank.example/emboss");
    one_fault(
        sqlite,
        "postgres://emboss:hunter2@db/emboss",
        "[database] url holds a password, and whoever reads the configuration knows it now: change that password, put \
         the new one into a file and name that in password_file",
    );
    one_fault(
        sqlite,
        "postgres://emboss@db/emboss?sslmode=disable",
        "[database] url has options behind a ? or a #: leave them out: what can be set has a key of its own in [database]",
    );
}

#[test]
fn what_belongs_to_a_database_server_is_set_for_one_only() {
    let sqlite = "url = \"sqlite:/var/lib/emboss/emboss.db\"";
    for (key, value, fault) in [
        ("password_file", "credential:database", "is set for SQLite, which knows no password: remove it"),
        ("tls", "verify", "is set for SQLite, which is a file of this host: remove it"),
        ("root_certificate_file", "ca.pem", "is set for SQLite, which shows no certificate: remove it"),
    ] {
        let more = format!("\n{key} = \"{value}\"");
        one_fault(sqlite, &format!("{sqlite}{more}"), &format!("[database] {key} {fault}"));
        accepted(sqlite, &format!("url = \"postgres://emboss@db/emboss\"{more}"));
    }
}

#[test]
fn tls_says_what_is_checked() {
    let sqlite = "url = \"sqlite:/var/lib/emboss/emboss.db\"";
    let near = "url = \"postgres://emboss@127.0.0.1/emboss\"";
    let socket = "url = \"postgres://emboss@%2Frun%2Fpostgresql/emboss\"";
    for tls in ["encrypt", "off"] {
        let set = format!("{near}\ntls = \"{tls}\"\nroot_certificate_file = \"ca.pem\"");
        let fault = "is set, and no certificate is checked: write tls = \"verify\", or remove it";
        one_fault(sqlite, &set, &format!("[database] root_certificate_file {fault}"));
    }
    accepted(sqlite, &format!("{near}\ntls = \"verify\"\nroot_certificate_file = \"ca.pem\""));
    accepted(sqlite, socket);
    let fault = "[database] tls is set for a Unix socket, which knows no TLS: remove it";
    one_fault(sqlite, &format!("{socket}\ntls = \"verify\""), fault);
    let (_, _, reason) = syntax(&changed(sqlite, &format!("{near}\ntls = \"require\"")));
    assert!(reason.starts_with("unknown variant `require`, expected one of `verify`, `encrypt`, `off`"), "{reason}");
}

#[test]
fn a_server_elsewhere_without_a_verified_certificate_is_warned_of() {
    let warned = |host: &str, tls: &str| {
        let url = format!("url = \"postgres://emboss@{host}/emboss\"\n{tls}");
        let config = load(&changed("url = \"sqlite:/var/lib/emboss/emboss.db\"", &url)).unwrap();
        database::warnings(&config.database).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(warned("db", ""), [""; 0]);
    assert_eq!(warned("db", "tls = \"verify\""), [""; 0]);
    assert_eq!(warned("localhost", "tls = \"encrypt\""), [""; 0]);
    let encrypt = "[database] tls lets any host that answers pass for the database server: write tls = \"verify\"";
    assert_eq!(warned("db", "tls = \"encrypt\""), [encrypt]);
    let off = "[database] tls lets the network read names, addresses and card data: write tls = \"verify\"";
    assert_eq!(warned("db", "tls = \"off\""), [off]);
}

#[test]
fn a_schedule_is_understood() {
    one_fault(
        "cron = \"0 3 * * *\"",
        "cron = \"0 3 1 * 1\"",
        "[schedule] cron limits the day of the month and the day of the week, which crons read differently: \
         write for example \"0 0 3 * * *\", which is 03:00 UTC every day",
    );
}

#[test]
fn an_unknown_key_of_a_destination_is_refused() {
    for kind in ["kind = \"sftp\"", "kind = \"directory\""] {
        let (_, _, reason) = syntax(&changed(kind, &format!("{kind}\nhots = \"x\"")));
        assert!(reason.starts_with("unknown field `hots`, expected one of `name`"), "{reason}");
    }
}
