//! The spool against a real file system.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::card::ids::FileId;

const ID: &str = "3b1f6c1e-8a52-4f0e-9c6d-0d9a4a5b6c7d";
const OTHER: &str = "5c2f6c1e-8a52-4f0e-9c6d-0d9a4a5b6c7e";
/// SHA-256 of `abc` (FIPS 180-2, appendix B.1).
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn id(text: &str) -> FileId {
    text.parse().unwrap()
}

fn spool() -> (tempfile::TempDir, Spool) {
    let home = tempfile::tempdir().unwrap();
    let spool = Spool::open(home.path().join("spool"), "m-1").unwrap();
    (home, spool)
}

fn sealed(spool: &Spool, file: &str, epoch: i64, bytes: &[u8]) -> SealedFile {
    let mut draft = spool.create(id(file), epoch).unwrap();
    draft.write_all(bytes).unwrap();
    draft.commit().unwrap()
}

fn line(entry: JournalEntry) -> JournalLine {
    JournalLine {
        file_id: id(ID),
        institution: "246001".parse().unwrap(),
        manufacturer: "FACTORY_X".parse().unwrap(),
        sequence_number: 7,
        entry,
    }
}

fn seal(epoch: i64) -> JournalEntry {
    JournalEntry::Sealed { epoch, facts: None }
}

const FACTS: &str = "{\"runId\":\"5c2f6c1e-8a52-4f0e-9c6d-0d9a4a5b6c7e\",\"fileName\":\"TST_A.xml.pgp\",\"sha256\":\"ab\",\
\"sizeBytes\":3,\"records\":2,\"cards\":1,\"pinOnly\":1,\"byProductionEvent\":{\"NCRD\":1,\"ROPIN\":1},\
\"keyFingerprints\":[\"AA\",\"BB\"]}";

fn facts() -> SealedFacts {
    SealedFacts {
        run_id: OTHER.parse().unwrap(),
        file_name: "TST_A.xml.pgp".to_owned(),
        sha256: "ab".to_owned(),
        size_bytes: 3,
        records: 2,
        cards: 1,
        pin_only: 1,
        by_production_event: [("NCRD".to_owned(), 1), ("ROPIN".to_owned(), 1)].into(),
        key_fingerprints: vec!["AA".to_owned(), "BB".to_owned()],
    }
}

fn names(spool: &Spool) -> Vec<String> {
    let mut names = spool.names().unwrap();
    names.sort();
    names
}

#[test]
fn a_new_folder_is_private_and_marked() {
    let (_home, spool) = spool();
    assert_eq!(fs::metadata(spool.folder()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_to_string(spool.folder().join("marker")).unwrap(), "m-1\n");
    Spool::open(spool.folder(), "m-1").unwrap();
}

#[test]
fn another_databases_folder_is_refused() {
    let (_home, spool) = spool();
    let refused = Spool::open(spool.folder(), "m-2").unwrap_err();
    assert!(matches!(refused, SpoolError::Foreign { ref found, .. } if found == "m-1"), "{refused}");
}

#[test]
fn a_folder_with_files_and_no_marker_is_refused() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("something"), "x").unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
    assert!(matches!(Spool::open(home.path(), "m-1").unwrap_err(), SpoolError::Unmarked { .. }));
}

#[test]
fn a_marker_that_a_crash_or_a_full_disk_left_half_written_is_made_again() {
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(home.path().join("marker.part"), "m").unwrap();
    let spool = Spool::open(home.path(), "m-1").unwrap();
    assert_eq!(names(&spool), ["marker"]);
    assert_eq!(fs::read_to_string(spool.folder().join("marker")).unwrap(), "m-1\n");
}

#[test]
fn a_folder_others_can_read_is_refused() {
    let (_home, spool) = spool();
    fs::set_permissions(spool.folder(), fs::Permissions::from_mode(0o750)).unwrap();
    let refused = Spool::open(spool.folder(), "m-1").unwrap_err();
    assert!(refused.to_string().contains("0750"), "{refused}");
}

#[test]
fn a_committed_draft_has_the_hash_and_length_of_its_bytes() {
    let (_home, spool) = spool();
    let file = sealed(&spool, ID, 3, b"abc");
    assert_eq!((file.sha256(), file.size_bytes()), (ABC, 3));
    assert_eq!(file.path(), spool.folder().join(format!("{ID}.3.pgp")));
    assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read(file.path()).unwrap(), b"abc");
}

#[test]
fn large_writes_keep_their_order_around_the_buffer() {
    let (_home, spool) = spool();
    let big: Vec<u8> = (0..600 * 1024_u32).map(|n| (n % 251) as u8).collect();
    let mut draft = spool.create(id(ID), 1).unwrap();
    let mut expected = Vec::new();
    for part in [&b"head"[..], &big, b"middle", &big[..200_000], &big[..200_000], b"tail"] {
        draft.write_all(part).unwrap();
        expected.extend_from_slice(part);
    }
    let file = draft.commit().unwrap();
    assert!(fs::read(file.path()).unwrap() == expected);
    assert_eq!(file.size_bytes(), expected.len() as u64);
    spool.load(id(ID), 1, file.sha256(), file.size_bytes()).unwrap();
}

#[test]
fn a_dropped_draft_leaves_nothing() {
    let (_home, spool) = spool();
    let mut draft = spool.create(id(ID), 1).unwrap();
    draft.write_all(&[0; 300 * 1024]).unwrap();
    assert_eq!(names(&spool), [format!("{ID}.1.part"), "marker".to_owned()]);
    drop(draft);
    assert_eq!(names(&spool), ["marker"]);
}

#[test]
fn a_killed_runs_part_is_removed_by_the_next_draft_of_the_file() {
    let (_home, spool) = spool();
    std::mem::forget(spool.create(id(ID), 1).unwrap());
    let draft = spool.create(id(ID), 2).unwrap();
    assert_eq!(names(&spool), [format!("{ID}.2.part"), "marker".to_owned()]);
    drop(draft);
}

#[test]
fn fault_23_a_stale_draft_leaves_the_part_of_a_later_run() {
    let (_home, spool) = spool();
    let mut later = spool.create(id(ID), 10).unwrap();
    later.write_all(b"later").unwrap();
    let stale = spool.create(id(ID), 9).unwrap();
    assert_eq!(names(&spool), [format!("{ID}.10.part"), format!("{ID}.9.part"), "marker".to_owned()]);
    drop(stale);
    assert_eq!(later.commit().unwrap().size_bytes(), 5);
}

#[test]
fn fault_21_a_full_disk_removes_the_part_and_says_so() {
    let (_home, spool) = spool();
    let part = spool.folder().join(format!("{ID}.1.part"));
    fs::write(&part, "stands for what was written before").unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut draft = Draft::over(full, spool.folder(), part, id(ID), 1);
    let error = draft.write_all(&[0; 300 * 1024]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    let told = error.get_ref().unwrap().downcast_ref::<SpoolError>().unwrap();
    assert!(matches!(told, SpoolError::Full { .. }), "{told}");
    drop(draft);
    assert_eq!(names(&spool), ["marker"]);
}

#[test]
fn fault_21_a_disk_that_fills_at_commit_is_seen() {
    let (_home, spool) = spool();
    let part = spool.folder().join(format!("{ID}.1.part"));
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut draft = Draft::over(full, spool.folder(), part, id(ID), 1);
    draft.write_all(b"short enough for the buffer").unwrap();
    assert!(matches!(draft.commit().unwrap_err(), SpoolError::Full { .. }));
    assert_eq!(names(&spool), ["marker"]);
}

#[test]
fn loading_tells_missing_from_changed() {
    let (_home, spool) = spool();
    let file = sealed(&spool, ID, 3, b"abc");
    assert_eq!(spool.load(id(ID), 3, ABC, 3).unwrap(), file);
    assert!(matches!(spool.load(id(ID), 4, ABC, 3).unwrap_err(), SpoolError::Missing { .. }));
    assert!(matches!(spool.load(id(ID), 3, ABC, 4).unwrap_err(), SpoolError::Changed { .. }));
    fs::write(file.path(), b"abd").unwrap();
    assert!(matches!(spool.load(id(ID), 3, ABC, 3).unwrap_err(), SpoolError::Changed { .. }));
}

#[test]
fn fault_3_bytes_without_a_row_are_found_by_their_digest_whatever_their_epoch() {
    let (_home, spool) = spool();
    sealed(&spool, ID, 3, b"abc");
    sealed(&spool, ID, 4, b"abd");
    sealed(&spool, OTHER, 3, b"abc");
    for (epoch, left) in [(3, [3, 4]), (7, [4, 7]), (7, [4, 7])] {
        let file = spool.take_over(id(ID), epoch, ABC, 3).unwrap();
        assert_eq!((file.sha256(), file.size_bytes()), (ABC, 3));
        assert_eq!(spool.load(id(ID), epoch, ABC, 3).unwrap(), file, "under the name of the epoch that took it");
        let mine: Vec<String> = names(&spool).into_iter().filter(|name| name.starts_with(ID)).collect();
        assert_eq!(mine, left.map(|epoch| format!("{ID}.{epoch}.pgp")));
    }
    spool.discard(id(ID)).unwrap();
    sealed(&spool, ID, 3, b"abd");
    assert!(matches!(spool.take_over(id(ID), 3, ABC, 3).unwrap_err(), SpoolError::Missing { .. }));
}

#[test]
fn discarding_takes_every_epoch_of_one_file_only() {
    let (_home, spool) = spool();
    sealed(&spool, ID, 1, b"a");
    sealed(&spool, ID, 2, b"b");
    sealed(&spool, OTHER, 1, b"c");
    assert_eq!(spool.discard(id(ID)).unwrap(), 2);
    assert_eq!(names(&spool), [format!("{OTHER}.1.pgp"), "marker".to_owned()]);
}

#[test]
fn sealed_files_expire_after_their_days_and_not_before() {
    let (_home, spool) = spool();
    let settled: DateTime<Utc> = "2026-01-01T03:10:00Z".parse().unwrap();
    sealed(&spool, ID, 1, b"a");
    sealed(&spool, OTHER, 1, b"b");
    let listed = [(id(ID), settled)];
    let one_second_early = "2026-02-05T03:09:59Z".parse().unwrap();
    assert_eq!(spool.expire(one_second_early, 35, &listed).unwrap(), []);
    let due = "2026-02-05T03:10:00Z".parse().unwrap();
    assert_eq!(spool.expire(due, 35, &listed).unwrap(), [id(ID)]);
    assert_eq!(spool.expire(due, 35, &listed).unwrap(), []);
    assert_eq!(names(&spool), [format!("{OTHER}.1.pgp"), "marker".to_owned()]);
}

#[test]
fn the_journal_gives_back_what_was_noted() {
    let (_home, spool) = spool();
    assert_eq!(spool.journal().unwrap(), []);
    let lines = [
        seal(12),
        JournalEntry::Sealed { epoch: 13, facts: Some(Box::new(facts())) },
        JournalEntry::Rename { n: 1, attempt: 3 },
        JournalEntry::Published { attempt: 3 },
    ]
    .map(line);
    for line in &lines {
        spool.note(line).unwrap();
    }
    assert_eq!(spool.journal().unwrap(), lines);
    let text = fs::read_to_string(spool.folder().join("journal")).unwrap();
    assert_eq!(
        text,
        format!(
            "{ID} 246001/FACTORY_X 7 SEALED 12\n{ID} 246001/FACTORY_X 7 SEALED 13 {FACTS}\n\
             {ID} 246001/FACTORY_X 7 RENAME 1 3\n{ID} 246001/FACTORY_X 7 PUBLISHED 3\n"
        )
    );
}

#[test]
fn first_starts_at_once_mark_the_folder_once() {
    for _ in 0..50 {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("spool");
        let opened = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| Spool::open(&folder, "m-1"))).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect::<Vec<_>>()
        });
        for spool in opened {
            spool.unwrap();
        }
        assert_eq!(fs::read_to_string(folder.join(MARKER)).unwrap(), "m-1\n");
    }
}

#[test]
fn heads_of_the_audit_stand_between_the_lines_of_files() {
    let (_home, spool) = spool();
    assert_eq!(spool.heads().unwrap(), []);
    let head = |number| Head { number, mac: [0xcd; 32] };
    spool.note_head(&head(9)).unwrap();
    spool.note(&line(seal(1))).unwrap();
    spool.note_head(&head(17)).unwrap();
    spool.note_head(&head(16)).unwrap();
    spool.note(&line(JournalEntry::Published { attempt: 1 })).unwrap();
    assert_eq!(spool.journal().unwrap(), [line(seal(1)), line(JournalEntry::Published { attempt: 1 })]);
    assert_eq!(spool.heads().unwrap(), [head(9), head(17), head(16)]);
    let journal = spool.folder().join("journal");
    let text = fs::read_to_string(&journal).unwrap();
    assert!(text.starts_with(&format!("AUDIT 9:{}\n{ID} ", "cd".repeat(32))), "{text}");
    for torn in ["AUDIT 18:cdcd", "AUDIT 18:cdcd\n"] {
        fs::write(&journal, format!("{text}{torn}")).unwrap();
        let read = spool.heads();
        match torn.ends_with('\n') {
            false => assert_eq!(read.unwrap(), [head(9), head(17), head(16)], "it was never durable"),
            true => assert!(matches!(read, Err(SpoolError::Journal { line: 6, .. })), "{read:?}"),
        }
    }
}

#[test]
fn a_torn_last_line_is_ignored_and_cut_by_the_next() {
    let (_home, spool) = spool();
    let journal = spool.folder().join("journal");
    spool.note(&line(seal(1))).unwrap();
    let mut file = OpenOptions::new().append(true).open(&journal).unwrap();
    file.write_all(format!("{ID} 246001/FACTORY_X 7 REN").as_bytes()).unwrap();
    assert_eq!(spool.journal().unwrap(), [line(seal(1))]);
    spool.note(&line(JournalEntry::Rename { n: 1, attempt: 1 })).unwrap();
    let expected = [seal(1), JournalEntry::Rename { n: 1, attempt: 1 }].map(line);
    assert_eq!(spool.journal().unwrap(), expected);
}

#[test]
fn a_torn_last_line_may_be_no_text_and_longer_than_any_line() {
    for torn in [vec![0xff, 0xfe, 0x00], vec![0; 200_000]] {
        let (_home, spool) = spool();
        let journal = spool.folder().join("journal");
        spool.note(&line(seal(1))).unwrap();
        OpenOptions::new().append(true).open(&journal).unwrap().write_all(&torn).unwrap();
        assert_eq!(spool.journal().unwrap(), [line(seal(1))]);
        spool.note(&line(JournalEntry::Rename { n: 1, attempt: 1 })).unwrap();
        let expected = [seal(1), JournalEntry::Rename { n: 1, attempt: 1 }].map(line);
        assert_eq!(spool.journal().unwrap(), expected);
    }
    // Nothing but a torn line.
    let (_home, spool) = spool();
    fs::write(spool.folder().join("journal"), vec![b'x'; 150_000]).unwrap();
    spool.note(&line(seal(1))).unwrap();
    assert_eq!(spool.journal().unwrap(), [line(seal(1))]);
}

#[test]
fn a_whole_line_that_is_no_text_stops_with_its_number() {
    let (_home, spool) = spool();
    spool.note(&line(seal(1))).unwrap();
    let journal = spool.folder().join("journal");
    OpenOptions::new().append(true).open(&journal).unwrap().write_all(b"\xff\n").unwrap();
    let told = spool.journal().unwrap_err();
    assert!(matches!(told, SpoolError::Journal { line: 2, .. }), "{told}");
}

#[test]
fn a_whole_line_nobody_wrote_stops_with_its_number() {
    let (_home, spool) = spool();
    spool.note(&line(JournalEntry::Published { attempt: 1 })).unwrap();
    let journal = spool.folder().join("journal");
    for bad in ["RENAME 1\n", "SEALED\n", "SEALED 1 {}\n", "PUBLISHED\n", "PUBLISHED 1 2\n", "LOST\n"] {
        let good = format!("{ID} 246001/FACTORY_X 7 PUBLISHED 1\n");
        fs::write(&journal, format!("{good}{ID} 246001/FACTORY_X {bad}")).unwrap();
        let told = spool.journal().unwrap_err();
        assert!(matches!(told, SpoolError::Journal { line: 2, .. }), "{told}");
    }
}
