//! Whole nights against a real OpenSSH server, opened by a real GnuPG; and what goes wrong only on a network.

use std::io::BufReader;

use emboss::delivery::settings::SftpSettings;
use emboss::document::{self, Header, Record};
use emboss::report::{Outcome, Report};
use emboss::settlement::FileState;
use serde_json::json;

use crate::site::{DATE, ISSUER, ORDERED, Site, card, of, only, only_file, person, sha256, with};
use crate::support::gpg::Gpg;
use crate::support::proxy::{Break, Proxy};
use crate::support::sshd::{Options, Sshd, WRITE_ONLY};

const FOLDER: &str = "kind = \"directory\"\nenvironment = \"test\"\ndirectory = \"out\"";

/// The `[[destination]]` keys for a server.
fn section(settings: &SftpSettings) -> String {
    format!(
        "kind = \"sftp\"\nenvironment = \"test\"\nhost = \"{}\"\nport = {}\nuser = \"{}\"\nkey_file = \"keys/sftp.key\"\n\
         host_keys = {:?}\ndirectory = \"{}\"\nattempts = 2\nbackoff_s = {{ first = 1, max = 1 }}\n\
         connect_timeout_s = 10\ninactivity_timeout_s = 10",
        settings.host, settings.port, settings.user, settings.host_keys, settings.directory
    )
}

/// Sends FACTORY_X's files to the server, with its own settings changed.
fn send_to(site: &Site, sshd: &Sshd, change: impl FnOnce(&mut SftpSettings)) {
    let mut settings = sshd.settings();
    change(&mut settings);
    site.write_key("keys/sftp.key", sshd.secrets().private_key.as_bytes());
    site.edit(FOLDER, &section(&settings));
}

/// Sends them somewhere else from now on.
fn send_instead(site: &Site, to: &str) {
    let text = site.config_text();
    let start = text.find("kind = \"sftp\"").unwrap();
    let end = start + text[start..].find("inactivity_timeout_s = 10").unwrap() + "inactivity_timeout_s = 10".len();
    site.edit(&text[start..end], to);
}

fn names(sshd: &Sshd) -> Vec<String> {
    let entries = std::fs::read_dir(sshd.incoming()).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Two agreements, the second with a folder of its own that always works.
async fn two_houses() -> Site {
    let mut site = Site::with_cards(&[3001]).await;
    site.add_house("FACTORY_Y");
    site.add_agreement(ISSUER, "FACTORY_Y");
    let to_y = json!({"body": {"embossing": {"manufacturer": "FACTORY_Y"}}});
    site.take(ORDERED, &[with(card(3002, 1001), to_y)]).await;
    site
}

/// Nothing lost at FACTORY_X, everything delivered at FACTORY_Y, exit 1; the reason.
async fn check_one_failed(site: &Site, report: &Report) -> String {
    assert_eq!((report.exit_code(), report.arithmetic().adds_up()), (1, true), "{report}");
    assert_eq!(of(report, ISSUER, "FACTORY_Y").outcome, Outcome::Delivered, "other agreements go on: {report}");
    let failed = of(report, ISSUER, "FACTORY_X");
    assert_eq!(failed.outcome, Outcome::Unfinished);
    assert_eq!((site.status(3001).await, site.status(3002).await), ("INACTIVE".into(), "ACTIVE".into()));
    failed.reason.clone().unwrap()
}

/// After the repair the same date delivers the very bytes that were sealed before.
async fn check_repaired(site: &Site, sshd: &Sshd) {
    let sealed = site.texts("SELECT sha256 FROM file WHERE manufacturer = 'FACTORY_X'").await;
    let report = site.run(DATE).await;
    assert_eq!((report.exit_code(), site.status(3001).await), (0, "ACTIVE".into()), "{report}");
    let names = names(sshd);
    assert_eq!(names.len(), 1, "{names:?}");
    assert_eq!(sha256(&std::fs::read(sshd.incoming().join(&names[0])).unwrap()), sealed[0]);
}

#[tokio::test]
async fn a_night_over_sftp_is_opened_and_verified_by_gnupg() {
    // In the past, because GnuPG compares signatures with the real clock.
    let site = Site::made_at("2024-01-01T00:00:00Z");
    let sshd = Sshd::start();
    send_to(&site, &sshd, |_| {});
    let mut orders = person(1001);
    orders.extend([card(3001, 1001), card(3002, 1001)]);
    site.take("2024-11-20T10:00:00Z", &orders).await;
    let report = site.run("2024-11-21").await;
    assert_eq!((report.exit_code(), only(&report).outcome), (0, Outcome::Delivered), "{report}");
    assert_eq!((site.status(3001).await, site.status(3002).await), ("ACTIVE".into(), "ACTIVE".into()));
    assert_eq!(names(&sshd), ["TST_246001_FACTORY_X_20241121T030000Z_000001_2_V2.xml.pgp"]);

    let sealed = std::fs::read(sshd.incoming().join(&names(&sshd)[0])).unwrap();
    assert_eq!(only_file(&report).sha256.as_deref(), Some(&*sha256(&sealed)));
    let gpg = Gpg::new();
    gpg.import(&std::fs::read(site.path("keys/factory-x.key")).unwrap());
    gpg.import(&std::fs::read(site.path("keys/signer.asc")).unwrap());
    let opened = gpg.decrypt(&sealed);
    assert!(opened.says("GOODSIG") && opened.says("VALIDSIG") && opened.says("DECRYPTION_OKAY"), "{:?}", opened.status);
    let signer = site.config_text().split("fingerprint = \"").nth(1).unwrap()[..40].to_uppercase();
    assert!(opened.says(&format!("VALIDSIG {signer}")), "signed by the configured key: {:?}", opened.status);
    let mut cards = Vec::new();
    let mut keep = |_: &Header, record: Record| cards.push(record.card_id.get());
    let (_, trailer, findings) =
        document::read(BufReader::new(&*opened.content), "xml".parse().unwrap(), &mut keep).unwrap();
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!((cards, trailer.number_of_records), (vec![3001, 3002], 2));
}

#[tokio::test]
async fn fault_18_a_changed_host_key_stops_that_destination_and_shows_both_fingerprints() {
    let site = two_houses().await;
    let (sshd, other) = (Sshd::start(), Sshd::start());
    let (right, wrong) = (sshd.fingerprint("ed25519"), other.fingerprint("ed25519"));
    send_to(&site, &sshd, |settings| settings.host_keys = vec![wrong.clone()]);
    let reason = check_one_failed(&site, &site.run(DATE).await).await;
    assert!(reason.contains(&right) && reason.contains(&wrong), "{reason}");
    assert!(names(&sshd).is_empty() && !sshd.log().contains("Accepted"), "nothing was offered to a stranger");
    assert!(!sshd.log().contains("authenticating user"), "nobody logged in: {}", sshd.log());
    assert_eq!(site.files().await[0].attempt, 0, "no attempt was begun");
    site.edit(&wrong, &right);
    check_repaired(&site, &sshd).await;
}

#[tokio::test]
async fn fault_19_a_refused_user_key_is_tried_once() {
    let site = two_houses().await;
    let sshd = Sshd::start();
    send_to(&site, &sshd, |_| {});
    let stranger = sshd.key("stranger", "ed25519", "");
    site.write_key("keys/sftp.key", stranger.as_bytes());
    let reason = check_one_failed(&site, &site.run(DATE).await).await;
    assert!(reason.contains("refused user"), "{reason}");
    assert_eq!(sshd.log().matches("Failed publickey").count(), 1, "one try only: {}", sshd.log());
    site.write_key("keys/sftp.key", sshd.secrets().private_key.as_bytes());
    check_repaired(&site, &sshd).await;
}

#[tokio::test]
async fn fault_15_a_missing_folder_is_permanent_and_names_path_and_operation() {
    let site = two_houses().await;
    let sshd = Sshd::start();
    let missing = sshd.incoming().join("missing").display().to_string();
    send_to(&site, &sshd, |settings| settings.directory.clone_from(&missing));
    let reason = check_one_failed(&site, &site.run(DATE).await).await;
    assert!(reason.contains(&missing) && reason.contains("no such file or folder"), "{reason}");
    let tries = site
        .number(
            "SELECT COALESCE(MAX(attempt), 0) FROM delivery JOIN file USING (file_id) WHERE manufacturer = 'FACTORY_X'",
        )
        .await;
    assert!(tries <= 1, "no retry");
    site.edit(&missing, &sshd.incoming().display().to_string());
    check_repaired(&site, &sshd).await;
}

#[tokio::test]
async fn fault_15_permission_denied_is_permanent_too() {
    let site = two_houses().await;
    let (sshd, writable) = (Sshd::with(Options { sftp: "-R", ..Options::default() }), Sshd::start());
    send_to(&site, &sshd, |_| {});
    let reason = check_one_failed(&site, &site.run(DATE).await).await;
    assert!(reason.contains("permission denied") && reason.contains("create"), "{reason}");
    site.write_key("keys/sftp.key", writable.secrets().private_key.as_bytes());
    send_instead(&site, &section(&writable.settings()));
    check_repaired(&site, &writable).await;
}

/// Fault 14: the house's disk is full in the middle; our temporary file does not stay to fill it.
#[tokio::test]
async fn fault_14_a_full_disk_is_permanent_for_the_night_and_our_temporary_file_is_removed() {
    let cards: Vec<u32> = (3001..3061).collect();
    let site = Site::with_cards(&cards).await;
    site.edit("include_phone = true", "include_phone = true\ncompression = \"none\"");
    let small = Sshd::with(Options { file_limit_kib: Some(64), ..Options::default() });
    send_to(&site, &small, |_| {});
    let report = site.run(DATE).await;
    assert_eq!((report.exit_code(), only_file(&report).state), (1, FileState::Sending), "{report}");
    assert!(only_file(&report).size_bytes.unwrap() > 64 * 1024, "the file must not fit");
    assert!(only(&report).reason.as_deref().unwrap().contains("disk or our quota is full"), "{report}");
    assert_eq!(names(&small), Vec::<String>::new(), "nothing of ours is left there");
    assert_eq!(site.files().await[0].attempt, 1, "permanent for this night");
    let big = Sshd::start();
    site.write_key("keys/sftp.key", big.secrets().private_key.as_bytes());
    send_instead(&site, &section(&big.settings()));
    check_repaired(&site, &big).await;
}

#[tokio::test]
async fn fault_16_a_write_only_drop_box_gets_its_file() {
    let site = Site::with_cards(&[3001]).await;
    let sshd = Sshd::with(Options { sftp: WRITE_ONLY, ..Options::default() });
    send_to(&site, &sshd, |_| {});
    let report = site.run(DATE).await;
    assert_eq!((report.exit_code(), only_file(&report).state), (0, FileState::Settled), "{report}");
    assert_eq!(names(&sshd).len(), 1);
}

/// Faults 12 and 17: the line breaks in the middle of every upload; the house never sees half a file under its name.
#[tokio::test]
async fn faults_12_and_17_an_upload_that_is_reset_leaves_no_half_file_and_is_resumed() {
    let cards: Vec<u32> = (3001..3061).collect();
    let site = Site::with_cards(&cards).await;
    site.edit("include_phone = true", "include_phone = true\ncompression = \"none\"");
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.port(), 48 * 1024, Break::Reset);
    send_to(&site, &sshd, |settings| settings.port = proxy.port());
    let report = site.run(DATE).await;
    assert_eq!((report.exit_code(), only_file(&report).state), (1, FileState::Sending), "{report}");
    assert_eq!(site.files().await[0].attempt, 2, "as often as the destination allows");
    assert!(names(&sshd).iter().all(|name| name.ends_with(".part")), "{:?}", names(&sshd));
    assert_eq!(site.status(3001).await, "INACTIVE");
    site.edit(&format!("port = {}", proxy.port()), &format!("port = {}", sshd.port()));
    check_repaired(&site, &sshd).await;
}

/// Fault 4 on a server: killed while a complete temporary file stands there.
#[tokio::test]
async fn fault_4_5_killed_around_the_upload_and_resumed_over_sftp() {
    use crate::tripwire::{Tripwire, When};
    for (step, when) in [("complete", When::Before), ("complete", When::After), ("publish", When::Before)] {
        let site = Site::with_cards(&[3001]).await;
        let sshd = Sshd::start();
        send_to(&site, &sshd, |_| {});
        let mut night = site.open_for(DATE).await;
        night.store = Tripwire::at(night.store, step, when);
        site.run_fails(&night, DATE).await;
        drop(night);
        assert_eq!(names(&sshd).len(), 1, "{step} {when:?}");
        check_repaired(&site, &sshd).await;
        assert_eq!(site.events("plastic.moved").await.len(), 1, "{step} {when:?}");
    }
}

/// Persons' orders over a real server: a part removed, an empty file, a wrong answer, the same bytes twice.
#[tokio::test]
async fn persons_orders_over_sftp() {
    use crate::people::{order, refused, settles};
    use crate::tripwire::{Tripwire, When};
    use emboss::night::Action;
    let site = Site::with_cards(&[3001]).await;
    let sshd = Sshd::start();
    send_to(&site, &sshd, |_| {});
    let mut night = site.open_for(DATE).await;
    night.store = Tripwire::at(night.store, "complete", When::After);
    site.run_fails(&night, DATE).await;
    drop(night);
    let ready = site.files().await[0].file_name.clone().unwrap();
    assert_eq!(names(&sshd), [format!("{ready}.1.part")]);
    settles(&site, Action::Abandon, &ready).await;
    let empty = "TST_246001_FACTORY_X_20261121T030000Z_000001_0_V2.xml.pgp";
    assert_eq!(names(&sshd), [empty], "our part is gone");

    let name = "TST_246001_FACTORY_X_20261122T030000Z_000002_1_V2.xml.pgp";
    std::fs::write(sshd.incoming().join(name), b"somebody else's").unwrap();
    let report = site.run(crate::site::NEXT).await;
    assert_eq!((report.exit_code(), only_file(&report).state), (1, FileState::Uncertain), "{report}");
    assert!(refused(&site, Action::ResolveNotDelivered, name).await.contains("is there"));
    assert_eq!(names(&sshd), [empty, name]);
    std::fs::remove_file(sshd.incoming().join(name)).unwrap();
    settles(&site, Action::ResolveNotDelivered, name).await;

    let told = refused(&site, Action::Resend, name).await;
    assert!(told.contains("has not taken it yet"), "{told}");
    let first = std::fs::read(sshd.incoming().join(name)).unwrap();
    std::fs::remove_file(sshd.incoming().join(name)).unwrap();
    settles(&site, Action::Resend, name).await;
    assert_eq!(std::fs::read(sshd.incoming().join(name)).unwrap(), first, "the same bytes");
    settles(&site, Action::Duplicate, name).await;
    let repeated = std::fs::read(sshd.incoming().join(name.replace("000002", "000003"))).unwrap();
    assert_ne!(repeated, first, "another file, encrypted anew");
    assert_eq!(site.events("plastic.moved").await.len(), 1);

    // Nobody there any more: told, and nothing changed.
    drop(sshd);
    let error = order(&site, Action::Resend, name).await.unwrap_err();
    assert!(error.exit_code() == 1 && error.to_string().contains("nothing was changed"), "{error}");
}

/// A drop box that lets nobody look: a person's word is all there is, and nothing is overwritten.
#[tokio::test]
async fn persons_orders_at_a_write_only_house() {
    use crate::people::settles;
    use emboss::night::Action;
    let site = Site::with_cards(&[3001]).await;
    let sshd = Sshd::with(Options { sftp: WRITE_ONLY, ..Options::default() });
    send_to(&site, &sshd, |_| {});
    assert_eq!(site.run(DATE).await.exit_code(), 0);
    let name = names(&sshd)[0].clone();
    let first = std::fs::read(sshd.incoming().join(&name)).unwrap();
    std::fs::remove_file(sshd.incoming().join(&name)).unwrap();
    settles(&site, Action::Resend, &name).await;
    assert_eq!(std::fs::read(sshd.incoming().join(&name)).unwrap(), first);
    // Still there, and not to be seen: the rename is refused, and the house's file stays as it is.
    let report = crate::people::order(&site, Action::Resend, &name).await.unwrap();
    assert_eq!((report.exit_code(), std::fs::read(sshd.incoming().join(&name)).unwrap()), (1, first), "{report}");
    assert_eq!(report.file.state, FileState::Uncertain, "{report}");
    settles(&site, Action::ResolveDelivered, &name).await;
}
