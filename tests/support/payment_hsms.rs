//! The full sample configuration with what it says of payment HSMs in comments.

#![allow(
    unreachable_pub,
    clippy::expect_used,
    reason = "a module of the crate's own tests, too; a broken one fails them"
)]

/// Takes the comments off, and puts the keys of cards under the LMK.
pub fn with_payment_hsms(full: &str) -> String {
    const BEGIN: &str = "# [vault.payshield]";
    let (before, rest) = full.split_once(BEGIN).expect("a section of payment HSMs");
    let (section, after) = rest.split_once("\n\n[[key]]").expect("keys behind it");
    let section: String = section.lines().map(|line| format!("{}\n", line.trim_start_matches("# "))).collect();
    let mut text = format!("{before}{}{section}\n[[key]]{after}", BEGIN.trim_start_matches("# "));
    let mut change = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    };
    change("provider = \"software\"", "provider = \"payshield\"");
    change("# check_cvv = ", "check_cvv = ");
    for (id, usage, kcv) in [
        ("cvv-1", "C0", "E5063D"),
        ("cvv2-1", "C0", "D8F71C"),
        ("pvv-1", "V2", "17FB96"),
        ("zone-north-1", "P0", "D4574E"),
        ("zone-issuer-1", "P0", "99A4C8"),
    ] {
        let file = format!("block_file = \"keys/{id}.tr31\"\n");
        let lmk = format!("lmk = {{ usage = \"{usage}\", algorithm = \"TDES_2KEY\" }}\nkcv = \"{kcv}\"\n");
        change(&format!("{file}kbpk = \"main\"\n"), &format!("{file}{lmk}"));
    }
    text
}
