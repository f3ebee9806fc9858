//! Houses that refuse, lose answers, or have the name already: R60, R130-R138, faults 5 to 19 seen through the night.

use emboss::delivery::{Refusal, Step};
use emboss::report::Outcome;
use emboss::settlement::FileState;
use serde_json::json;

use crate::rigged::{Rigged, Trick};
use crate::site::{
    DATE, ISSUER, NEXT, ORDERED, Site, card, night_of, of, only, only_file, person, sha256, update_card, with,
};
use crate::tripwire::{Tripwire, When};

const NAME: &str = "TST_246001_FACTORY_X_20261121T030000Z_000001_2_V2.xml.pgp";

/// One night with a trick; gives its report and what was asked of the house.
async fn tricked(site: &Site, trick: Trick) -> (emboss::report::Report, Vec<String>) {
    let mut night = site.open_for(DATE).await;
    let rigged = Rigged::into(&mut night, trick, None, &site.path("out"));
    let report = night.run(&night_of(DATE)).await.unwrap();
    (report, rigged.calls())
}

fn count(calls: &[String], what: &str) -> usize {
    calls.iter().filter(|call| call.starts_with(what)).count()
}

#[tokio::test]
async fn fault_12_a_lost_upload_is_tried_again_with_the_same_bytes_under_a_new_temporary_name() {
    for step in [Step::Connect, Step::Create, Step::Write, Step::Close] {
        let site = Site::with_cards(&[3001, 3002]).await;
        let (report, calls) = tricked(&site, Trick::Lose(step, 2)).await;
        assert_eq!((report.exit_code(), only(&report).outcome), (0, Outcome::Delivered), "{step}: {report}");
        assert_eq!(count(&calls, "connect"), 3, "a new session each time");
        assert_eq!(site.names_in("out"), [NAME], "{step}: no temporary file stays");
        let sealed = &site.delivered()[0].sealed;
        assert_eq!(only_file(&report).sha256.as_deref(), Some(&*sha256(sealed)));
        let attempts = site.files().await[0].attempt;
        // A lost connection is no attempt: nothing was announced before it.
        assert_eq!(attempts, if step == Step::Connect { 1 } else { 3 }, "{step}");
    }
}

#[tokio::test]
async fn r136_after_the_last_attempt_the_file_keeps_its_state_and_the_next_run_sends_the_same_bytes() {
    let site = Site::with_cards(&[3001, 3002]).await;
    let (report, calls) = tricked(&site, Trick::Lose(Step::Write, 99)).await;
    assert_eq!((report.exit_code(), only_file(&report).state), (1, FileState::Sending), "{report}");
    assert_eq!(report.to_json()["undelivered"], json!({"byState": {"SENDING": 2}}));
    assert_eq!(count(&calls, "create"), 3, "as often as the destination allows");
    assert_eq!(site.status(3001).await, "INACTIVE");
    let sealed = site.files().await[0].sha256.clone();

    let report = site.run(DATE).await;
    assert_eq!((report.exit_code(), report.arithmetic().delivered), (0, 2), "{report}");
    assert_eq!(site.names_in("out"), [NAME], "the older temporary files are unlinked");
    assert_eq!(Some(sha256(&site.delivered()[0].sealed)), sealed);
    assert_eq!(site.files().await[0].attempt, 4, "attempts are counted on");
}

/// R136: the older file goes first, and while it cannot go, nothing newer of its agreement is published.
#[tokio::test]
async fn r136_a_newer_file_waits_for_the_unfinished_one() {
    let site = Site::with_cards(&[3001]).await;
    let refuse = Trick::Refuse(Step::Create, Refusal::PermissionDenied);
    let (first, _) = tricked(&site, refuse).await;
    assert_eq!(only_file(&first).state, FileState::Sending);
    site.take("2026-11-21T10:00:00Z", &[card(3002, 1001)]).await;

    let mut night = site.open_for(NEXT).await;
    Rigged::into(&mut night, refuse, None, &site.path("out"));
    let second = night.run(&night_of(NEXT)).await.unwrap();
    drop(night);
    assert_eq!((second.exit_code(), only(&second).outcome), (1, Outcome::Unfinished), "{second}");
    assert_eq!(second.resumed.len(), 1, "the file of the earlier date is told apart");
    let sum = second.arithmetic();
    assert_eq!((sum.selected, sum.delivered, sum.adds_up()), (1, 0, true), "the new card is accounted for: {second}");
    assert_eq!(second.total().held.get("WAITING_FOR_EARLIER_FILE"), Some(&1));

    let third = site.run(NEXT).await;
    assert_eq!((third.exit_code(), third.arithmetic().delivered), (0, 1), "{third}");
    assert_eq!(third.resumed[0].state, FileState::Settled);
    let files = site.delivered();
    assert_eq!((files[0].cards(), files[1].cards()), (vec![3001], vec![3002]));
    let published = site.texts("SELECT file_id FROM file ORDER BY published_at, sequence_number").await;
    assert_eq!(published[0], files[0].header.file_id.to_string());
    let order: Vec<_> =
        site.events("file.published").await.iter().map(|event| event["sequenceNumber"].clone()).collect();
    assert_eq!(order, [json!(1), json!(2)]);
}

#[tokio::test]
async fn r137_a_final_name_that_is_there_already_is_uncertain_and_never_overwritten() {
    let site = Site::with_cards(&[3001, 3002]).await;
    std::fs::write(site.path("out").join(NAME), b"somebody else's").unwrap();
    let (report, calls) = tricked(&site, Trick::None).await;
    assert_eq!((report.exit_code(), only_file(&report).state), (1, FileState::Uncertain), "{report}");
    assert_eq!(std::fs::read(site.path("out").join(NAME)).unwrap(), b"somebody else's");
    assert_eq!(count(&calls, "rename"), 0, "no RENAME at all");
    assert_eq!((site.status(3001).await, report.arithmetic().adds_up()), ("INACTIVE".into(), true));
    assert!(only(&report).reason.as_deref().unwrap().contains(NAME), "a person is told where to look: {report}");

    let again = site.run(DATE).await;
    assert_eq!((again.exit_code(), only_file(&again).state), (1, FileState::Uncertain), "left to a person: {again}");
    assert_eq!(std::fs::read(site.path("out").join(NAME)).unwrap(), b"somebody else's");
    // An uncertain file does not hold up the ones behind it.
    site.take("2026-11-21T10:00:00Z", &[card(3003, 1001)]).await;
    let next = site.run(NEXT).await;
    assert_eq!(next.arithmetic().delivered, 1, "{next}");
    assert_eq!(site.states().await, ["UNCERTAIN", "SETTLED"]);
}

/// Fault 6: the rename happened, its answer was lost. The probe finds the final file.
#[tokio::test]
async fn fault_6_a_rename_whose_answer_is_lost_is_found_and_not_sent_again() {
    let site = Site::with_cards(&[3001, 3002]).await;
    let (report, calls) = tricked(&site, Trick::LoseRenameAnswer).await;
    assert_eq!((report.exit_code(), only(&report).outcome), (0, Outcome::Delivered), "{report}");
    assert_eq!((count(&calls, "create"), site.names_in("out").len()), (1, 1), "uploaded once");
    assert_eq!(site.events("plastic.moved").await.len(), 2);
}

/// Fault 7: and the house has taken the file already. Only a person's word makes that a proof.
#[tokio::test]
async fn fault_7_a_taken_file_is_uncertain_unless_a_rename_proves_publication() {
    for proves in [false, true] {
        let site = Site::with_cards(&[3001, 3002]).await;
        if proves {
            site.edit("directory = \"out\"", "directory = \"out\"\nrename_proves_publication = true");
        }
        let (report, calls) = tricked(&site, Trick::GreedyAndLost).await;
        let (state, status, exit) =
            if proves { (FileState::Settled, "ACTIVE", 0) } else { (FileState::Uncertain, "INACTIVE", 1) };
        assert_eq!((only_file(&report).state, report.exit_code()), (state, exit), "{report}");
        assert_eq!(site.status(3001).await, status);
        assert_eq!((count(&calls, "create"), site.names_in("out").len()), (1, 0), "never a second upload by itself");
        site.run(DATE).await;
        assert!(site.names_in("out").is_empty());
    }
}

/// Takes the journal's last line away: the process died before it could be written.
fn unwrite_published(site: &Site) {
    let journal = site.path("spool/journal");
    let text = std::fs::read_to_string(&journal).unwrap();
    let (kept, last) = text.trim_end().rsplit_once('\n').unwrap();
    assert!(last.contains(" PUBLISHED "), "{last}");
    std::fs::write(journal, format!("{kept}\n")).unwrap();
}

/// Faults 6 and 7 after a crash: killed between the rename and PUBLISHED.
#[tokio::test]
async fn faults_6_and_7_killed_between_rename_and_published() {
    for (taken, proves, expected) in
        [(false, false, FileState::Settled), (true, false, FileState::Uncertain), (true, true, FileState::Settled)]
    {
        let site = Site::with_cards(&[3001, 3002]).await;
        if proves {
            site.edit("directory = \"out\"", "directory = \"out\"\nrename_proves_publication = true");
        }
        let mut night = site.open_for(DATE).await;
        night.store = Tripwire::at(night.store, "publish", When::Before);
        site.run_fails(&night, DATE).await;
        drop(night);
        unwrite_published(&site);
        assert_eq!(site.names_in("out"), [NAME]);
        if taken {
            std::fs::remove_file(site.path("out").join(NAME)).unwrap();
        }
        let (report, calls) = tricked(&site, Trick::None).await;
        assert_eq!(only_file(&report).state, expected, "taken {taken}, proves {proves}: {report}");
        assert_eq!(count(&calls, "create"), 0, "never a second upload by itself");
        assert_eq!(site.names_in("out").len(), usize::from(!taken));
        let moved = if expected == FileState::Settled { 2 } else { 0 };
        assert_eq!(site.events("plastic.moved").await.len(), moved);
    }
}

#[tokio::test]
async fn fault_7_a_house_that_takes_files_at_once_has_each_exactly_once() {
    let site = Site::with_cards(&[3001, 3002]).await;
    let (report, calls) = tricked(&site, Trick::Greedy).await;
    assert_eq!((report.exit_code(), only_file(&report).state), (0, FileState::Settled), "{report}");
    assert_eq!(calls.last().unwrap(), &format!("rename {NAME}"), "nothing is touched after the rename");
    let (again, calls) = tricked(&site, Trick::Greedy).await;
    assert_eq!((again.exit_code(), calls.len()), (0, 0), "the house is not even asked: {calls:?}");
}

#[tokio::test]
async fn fault_29_one_house_fails_and_all_others_are_delivered() {
    let mut site = Site::with_cards(&[3001]).await;
    site.add_house("FACTORY_Y");
    site.add_agreement(ISSUER, "FACTORY_Y");
    let to_y = json!({"body": {"embossing": {"manufacturer": "FACTORY_Y"}}});
    site.take(ORDERED, &[with(card(3002, 1001), to_y)]).await;
    std::fs::remove_dir_all(site.path("out")).unwrap();
    let report = site.run(DATE).await;
    assert_eq!(of(&report, ISSUER, "FACTORY_Y").outcome, Outcome::Delivered);
    let failed = of(&report, ISSUER, "FACTORY_X");
    assert_eq!((failed.outcome, report.exit_code()), (Outcome::Unfinished, 1), "{report}");
    assert!(failed.reason.is_some() && report.to_string().contains("FACTORY_X"), "the summary names it");
    assert_eq!((site.status(3001).await, site.status(3002).await), ("INACTIVE".into(), "ACTIVE".into()));

    std::fs::create_dir(site.path("out")).unwrap();
    let report = site.run(DATE).await;
    assert_eq!((report.exit_code(), site.status(3001).await), (0, "ACTIVE".into()), "{report}");
    assert_eq!(site.names_in("out-FACTORY_Y").len(), 1);
}

/// R138: what must never be read is looked for in everything that was written, and in what was told.
#[tokio::test]
async fn r138_neither_spool_nor_inbox_nor_report_nor_database_holds_plaintext() {
    let site = Site::new();
    let mut orders = person(1001);
    let names = json!({"body": {"embossing": {"firstName": "Zephyrine", "lastName": "Quixley"}}});
    orders.push(with(card(3001, 1001), names));
    site.take(ORDERED, &orders).await;
    let (failed, _) = tricked(&site, Trick::Lose(Step::Write, 99)).await;
    let kept = site.path("kept");
    std::fs::create_dir(&kept).unwrap();
    for folder in ["spool", "out"] {
        for name in site.names_in(folder) {
            std::fs::copy(site.path(folder).join(&name), kept.join(format!("{folder}-{name}"))).unwrap();
        }
    }
    let report = site.run(DATE).await;
    let record = site.delivered()[0].records[0].clone();
    let pan = record.pan.expose().to_owned();
    let secrets = [
        "Zephyrine".to_owned(),
        "Quixley".to_owned(),
        "QUIXLEY".to_owned(),
        "Strandgatan".to_owned(),
        pan.clone(),
        record.pin_mailer.as_ref().unwrap().pin_block.value.expose().to_owned(),
    ];
    let mut told =
        vec![failed.to_string(), failed.to_json().to_string(), report.to_string(), report.to_json().to_string()];
    told.extend(site.texts("SELECT data FROM event").await);
    told.extend(site.texts("SELECT COALESCE(report, '') || COALESCE(holder, '') FROM run").await);
    for text in &told {
        assert!(!secrets.iter().any(|secret| text.contains(secret.as_str())), "{text}");
    }
    for folder in ["spool", "out", "kept"] {
        for name in site.names_in(folder) {
            let bytes = std::fs::read(site.path(folder).join(&name)).unwrap();
            let found = secrets.iter().find(|secret| bytes.windows(secret.len()).any(|part| part == secret.as_bytes()));
            assert_eq!(found.map(|_| &name), None, "{folder}");
        }
    }
    // The card number stands nowhere in the database either; names do, they are its content.
    let database = std::fs::read(site.path("emboss.db")).unwrap();
    let log = std::fs::read(site.path("emboss.db-wal")).unwrap_or_default();
    for bytes in [database, log] {
        assert!(!bytes.windows(pan.len()).any(|part| part == pan.as_bytes()));
    }
}

#[tokio::test]
async fn r132_trailer_totals_equal_a_recount_in_both_formats_and_versions() {
    for (format, version) in [("xml", 1), ("xml", 2), ("json", 1), ("json", 2)] {
        let site = Site::with_cards(&[3001, 3002, 3003]).await;
        site.edit("format = \"xml\"\nversion = 2", &format!("format = \"{format}\"\nversion = {version}"));
        site.take(ORDERED, &[update_card(3002, json!({"pinDeliveryType": "EPIN"}))]).await;
        site.run(DATE).await;
        // The reader recounts every total and digest; the counts by hand:
        let file = &site.delivered()[0];
        let trailer = &file.trailer;
        assert_eq!((file.records.len(), trailer.number_of_records, trailer.number_of_cards), (3, 3, 3));
        assert_eq!((trailer.number_of_pin_only, trailer.number_of_pin_mailers, trailer.number_of_carriers), (0, 2, 3));
        assert_eq!(trailer.by_production_event, [("NCRD".to_owned(), 3)].into());
        assert!(file.name.ends_with(&format!("_000001_3_V{version}.{format}.pgp")), "{}", file.name);
    }
}

/// Fault 4: killed while the house is being talked to.
#[tokio::test]
async fn fault_4_killed_in_the_middle_of_the_upload() {
    for (step, state) in [
        (Step::Connect, "SEALED"),
        (Step::Create, "SENDING"),
        (Step::Write, "SENDING"),
        (Step::Close, "SENDING"),
        (Step::Rename, "RENAMING"),
    ] {
        let site = Site::with_cards(&[3001, 3002]).await;
        let mut night = site.open_for(DATE).await;
        Rigged::into(&mut night, Trick::Die(step), None, &site.path("out"));
        let error = site.run_fails(&night, DATE).await;
        drop(night);
        assert_eq!((error.exit_code(), site.states().await), (3, vec![state.to_owned()]), "{step}");
        let sealed = site.files().await[0].sha256.clone();
        let report = site.run(DATE).await;
        assert_eq!((report.exit_code(), report.arithmetic().delivered), (0, 2), "{step}: {report}");
        assert_eq!(site.names_in("out"), [NAME], "{step}: the older temporary file is unlinked");
        assert_eq!(Some(sha256(&site.delivered()[0].sealed)), sealed, "{step}");
        assert_eq!(site.events("plastic.moved").await.len(), 2, "{step}");
    }
}

/// Several files of one night: they go in order, and none passes one that is stuck.
#[tokio::test]
async fn r136_r131_the_files_of_one_night_keep_their_order() {
    let site = Site::with_cards(&[3001, 3002, 3003, 3004, 3005]).await;
    site.edit("include_phone = true", "include_phone = true\nmax_records_per_file = 2");
    let (report, calls) = tricked(&site, Trick::RefuseFile(2)).await;
    assert_eq!(site.states().await, ["SETTLED", "SENDING", "SENDING"]);
    assert_eq!((count(&calls, "create"), report.exit_code()), (3, 1), "the house refuses every further file");
    let sum = report.arithmetic();
    assert_eq!((sum.selected, sum.delivered, sum.adds_up()), (5, 2, true), "{report}");
    assert_eq!(report.to_json()["undelivered"], json!({"byState": {"SENDING": 3}}));

    let report = site.run(DATE).await;
    let sum = report.arithmetic();
    assert_eq!((report.exit_code(), sum.selected, sum.delivered), (0, 3, 3), "{report}");
    let files: Vec<_> = site.delivered().iter().map(|file| (file.header.sequence_number, file.cards())).collect();
    assert_eq!(files, [(1, vec![3001, 3002]), (2, vec![3003, 3004]), (3, vec![3005])]);
    assert_eq!(only(&site.run(DATE).await).outcome, Outcome::AlreadyDelivered);
}
