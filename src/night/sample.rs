//! A file for tests that look at nothing but its row.

use crate::agreement::{FileFormat, FileVersion};
use crate::card::{FileId, RunId};
use crate::document::FileType;
use crate::settlement::FileState;
use crate::store::{FileRow, NightKey};

/// The name of [`file`].
pub(super) const NAME: &str = "TST_246001_FACTORY_X_20261121T030000Z_000007_2_V2.xml.pgp";

/// File 7 of an agreement, sealed in epoch 3, its first attempt begun.
pub(super) fn file(state: FileState) -> FileRow {
    let at = |text: &str| text.parse().unwrap();
    FileRow {
        file_id: FileId(uuid::Uuid::from_u128(7)),
        night: NightKey::Date("2026-11-21".parse().unwrap()),
        run_id: RunId(uuid::Uuid::from_u128(1)),
        institution: "246001".parse().unwrap(),
        manufacturer: "FACTORY_X".parse().unwrap(),
        sequence_number: 7,
        previous_file_id: None,
        file_type: FileType::Normal,
        resend_of: None,
        format: FileFormat::Xml,
        version: FileVersion::V2,
        cut_off: at("2026-11-21T03:00:00Z"),
        data_as_of: at("2026-11-21T03:00:04Z"),
        state,
        epoch: 3,
        sealed_epoch: Some(3),
        fill_seed: Vec::new(),
        items_sha256: None,
        file_name: Some(NAME.to_owned()),
        sha256: Some("ab".repeat(32)),
        size_bytes: Some(1),
        records: Some(2),
        cards: Some(2),
        pin_only: Some(0),
        by_production_event: None,
        delivery_number: 1,
        attempt: 1,
        temporary_name: Some(format!("{NAME}.1.part")),
        identity: None,
        rename_attempt: 0,
        trouble: None,
        published_at: None,
        settled_at: None,
        rename_attempted: false,
        abandoned: false,
    }
}

/// The same file, settled and on its way once more.
pub(super) fn sent_again(state: FileState) -> FileRow {
    let settled_at = "2026-11-21T03:00:09Z".parse().ok();
    FileRow { settled_at, rename_attempted: true, delivery_number: 2, attempt: 2, ..file(state) }
}
