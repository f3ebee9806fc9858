//! The audit verified behind somebody's back: every change of a row is found, and told by its number.

use emboss::chain::{ChainFault, ChainKey, ChainKeys, Head};
use emboss::settlement::FileEvent;
use emboss::store::*;
use serde_json::json;
use zeroize::Zeroizing;

use crate::store_contract::audit::{found, keys, night};
use crate::store_contract::files::claimed;
use crate::store_contract::night::sealed;
use crate::store_contract::seed::audit_key;

/// What somebody with rights on the database does behind the program's back, and what a verification finds. `$tamper` is a
/// function of the test file: it runs SQL in what `$opened` gave beside the store, the audit's triggers out of the way.
macro_rules! tampered {
    ($opened:ident, $tamper:ident) => {
        $crate::store_tampered::tampered! { $opened, $tamper:
            any_change_of_an_entry_is_found,
            removed_entries_are_found_in_the_middle_and_at_the_end,
            exchanged_and_inserted_entries_are_found,
            a_changed_item_report_or_state_is_found,
            a_changed_or_removed_file_or_run_is_found,
            what_was_changed_after_the_claim_is_not_sealed,
            a_chain_goes_on_under_another_key,
        }
    };
    ($opened:ident, $tamper:ident: $($promise:ident),+ $(,)?) => {
        mod tampered {
            $(#[tokio::test]
            async fn $promise() {
                let (store, held) = super::$opened().await;
                $crate::store_tampered::$promise(store, async |sql: &str| super::$tamper(&held, sql).await).await;
            })+
        }
    };
}
pub(crate) use tampered;

/// What is done behind the program's back; the table's triggers are out of the way.
pub(crate) async fn any_change_of_an_entry_is_found(store: SqlStore, tamper: impl AsyncFn(&str)) {
    night(&store).await;
    for number in [1, 5, 9] {
        let changes = [
            ("at", "at + 1"),
            ("actor", "'mallory'"),
            ("action", "action || 'x'"),
            ("subject", "subject || 'x'"),
            ("reason", "'because'"),
            ("data", "REPLACE(data, ':', ': ')"),
        ];
        for (column, value) in changes {
            let kept = format!("CREATE TABLE kept AS SELECT {column} AS was FROM audit WHERE number = {number}");
            tamper(&kept).await;
            tamper(&format!("UPDATE audit SET {column} = {value} WHERE number = {number}")).await;
            assert_eq!(found(&store, &[]).await[0], ("CHANGED", number), "{column} of {number}");
            tamper(&format!("UPDATE audit SET {column} = (SELECT was FROM kept) WHERE number = {number}")).await;
            tamper("DROP TABLE kept").await;
        }
    }
    assert_eq!(found(&store, &[]).await, [], "all is as it was");
    tamper("UPDATE audit SET key_id = 'other' WHERE number = 5").await;
    assert_eq!(found(&store, &[]).await, [("UNKNOWN_KEY", 5)]);
    tamper("UPDATE audit SET key_id = 'audit-1' WHERE number = 5").await;
    tamper("UPDATE audit SET mac = (SELECT mac FROM audit WHERE number = 4) WHERE number = 5").await;
    assert_eq!(found(&store, &[]).await[0], ("CHANGED", 5));
}

pub(crate) async fn removed_entries_are_found_in_the_middle_and_at_the_end(
    store: SqlStore,
    tamper: impl AsyncFn(&str),
) {
    let head = night(&store).await;
    tamper("CREATE TABLE kept AS SELECT * FROM audit").await;
    let restore = "INSERT INTO audit SELECT * FROM kept WHERE number NOT IN (SELECT number FROM audit)";
    tamper("DELETE FROM audit WHERE number = 5").await;
    assert_eq!(found(&store, &[]).await, [("REMOVED", 5)]);
    tamper("DELETE FROM audit WHERE number IN (1, 4, 6)").await;
    assert_eq!(found(&store, &[]).await, [("REMOVED", 1), ("REMOVED", 4)]);
    tamper(restore).await;
    // The last one, and the whole end: a sound chain, but not the one of the head that was kept.
    tamper("DELETE FROM audit WHERE number = 9").await;
    assert_eq!(found(&store, &[]).await, [("RUN_NOT_ENTERED", 0)], "its run's row has it");
    assert_eq!(found(&store, &[head]).await, [("CUT_OFF", 9), ("RUN_NOT_ENTERED", 0)]);
    tamper("DELETE FROM audit WHERE number > 4").await;
    assert_eq!(found(&store, &[head]).await, [("CUT_OFF", 5), ("STATE_DIFFERS", 4), ("RUN_NOT_ENTERED", 0)]);
    tamper("DELETE FROM audit").await;
    assert_eq!(found(&store, &[head]).await, [("CUT_OFF", 1), ("FILE_NOT_ENTERED", 0), ("RUN_NOT_ENTERED", 0)]);
    tamper(restore).await;
    assert_eq!(found(&store, &[head]).await, []);
    let other = Head { mac: [7; 32], ..head };
    assert_eq!(found(&store, &[other]).await, [("OTHER_HEAD", 9)]);
}

pub(crate) async fn exchanged_and_inserted_entries_are_found(store: SqlStore, tamper: impl AsyncFn(&str)) {
    night(&store).await;
    let exchange = ["1000 WHERE number = 6", "6 WHERE number = 5", "5 WHERE number = 1000"];
    for step in exchange {
        tamper(&format!("UPDATE audit SET number = {step}")).await;
    }
    assert_eq!(found(&store, &[]).await, [("CHANGED", 5), ("MOVED", 6)]);
    for step in exchange {
        tamper(&format!("UPDATE audit SET number = {step}")).await;
    }
    assert_eq!(found(&store, &[]).await, []);
    // Whoever may write to the database, but has not the key.
    let columns = "at, actor, action, subject, reason, data, key_id, mac";
    tamper(&format!("INSERT INTO audit (number, {columns}) SELECT 10, {columns} FROM audit WHERE number = 9")).await;
    assert_eq!(found(&store, &[]).await, [("CHANGED", 10)]);
    tamper("DELETE FROM audit WHERE number = 10").await;
    let forged = store.with_audit_key(ChainKey::new("audit-1", Zeroizing::new([66; 32])));
    forged.enter("import.ended", "never", &json!({})).await.unwrap();
    assert_eq!(found(&forged, &[]).await, [("CHANGED", 10)]);
    tamper("DELETE FROM audit WHERE number = 10").await;
    let foreign = forged.with_audit_key(ChainKey::new("audit-9", Zeroizing::new([66; 32])));
    foreign.enter("import.ended", "never", &json!({})).await.unwrap();
    assert_eq!(found(&foreign, &[]).await, [("UNKNOWN_KEY", 10)]);
}

pub(crate) async fn a_changed_item_report_or_state_is_found(store: SqlStore, tamper: impl AsyncFn(&str)) {
    night(&store).await;
    let (first, second) = ("record_uid LIKE '%1'", "record_uid LIKE '%2'");
    let changes = [
        ("card_id = 2", "card_id = 1"),
        ("plastic_id = 2", "plastic_id = 1"),
        ("event = 'RPL'", "event = 'NCRD'"),
        ("card_version = 2", "card_version = 1"),
        ("customer_version = 2", "customer_version = 1"),
        ("account_id = 2", "account_id = 1"),
        ("product_code = 'GOLD'", "product_code = 'DEBIT'"),
        ("pin_action = 'NONE'", "pin_action = 'GENERATE'"),
        ("pin_version = 1", "pin_version = NULL"),
        ("prints_pin = 0", "prints_pin = 1"),
        ("settles_to = 'LOCKED'", "settles_to = 'ACTIVE'"),
        ("settles_to = NULL", "settles_to = 'ACTIVE'"),
        ("duplicate = 1", "duplicate = 0"),
        ("live = 0", "live = 1"),
        ("sort_key = '9'", "sort_key = '0000000000000000001'"),
    ];
    for (change, back) in changes {
        tamper(&format!("UPDATE file_item SET {change} WHERE {first}")).await;
        assert_eq!(found(&store, &[]).await, [("ITEMS_CHANGED", 8)], "{change}");
        tamper(&format!("UPDATE file_item SET {back} WHERE {first}")).await;
    }
    assert_eq!(found(&store, &[]).await, []);
    tamper("UPDATE run SET report = '{\"a\":2}'").await;
    assert_eq!(found(&store, &[]).await, [("REPORT_CHANGED", 9)]);
    tamper("UPDATE run SET report = '{\"a\":1}', exit_code = 1").await;
    assert_eq!(found(&store, &[]).await, [("REPORT_CHANGED", 9)]);
    tamper("UPDATE run SET exit_code = 0").await;
    tamper("UPDATE file SET state = 'SEALED'").await;
    assert_eq!(found(&store, &[]).await, [("STATE_DIFFERS", 8)]);
    tamper("UPDATE file SET state = 'SETTLED'").await;
    // An item more, in the place of another one.
    let columns = "institution, card_id, plastic_id, event, reproduction, card_version, product_code, customer_id,
        customer_version, account_id, account_version, pin_action, pin_version, prints_pin, settles_to";
    tamper(&format!(
        "INSERT INTO file_item (file_id, sort_key, epoch, record_uid, {columns})
         SELECT file_id, sort_key, 9, 'another', {columns} FROM file_item WHERE {second}"
    ))
    .await;
    assert_eq!(found(&store, &[]).await, [("ITEMS_CHANGED", 8)]);
}

/// What is left out of the database is told by the entries about it.
pub(crate) async fn a_changed_or_removed_file_or_run_is_found(store: SqlStore, tamper: impl AsyncFn(&str)) {
    night(&store).await;
    for column in ["institution", "manufacturer", "sequence_number", "file_name", "sha256", "records"] {
        let other = if matches!(column, "sequence_number" | "records") { "7 + " } else { "'x' || " };
        tamper(&format!("CREATE TABLE kept AS SELECT {column} AS was FROM file")).await;
        tamper(&format!("UPDATE file SET {column} = {other}{column}")).await;
        assert_eq!(found(&store, &[]).await, [("FILE_CHANGED", 8)], "{column}");
        tamper(&format!("UPDATE file SET {column} = (SELECT was FROM kept)")).await;
        tamper("DROP TABLE kept").await;
    }
    tamper("UPDATE run SET ended_at = NULL").await;
    assert_eq!(found(&store, &[]).await, [("RUN_REMOVED", 9)], "its end");
    for table in ["file_item", "delivery", "production_request", "file", "agreement_night", "run"] {
        tamper(&format!("DELETE FROM {table}")).await;
    }
    assert_eq!(found(&store, &[]).await, [("FILE_REMOVED", 8), ("RUN_REMOVED", 9)]);
}

/// Somebody changes an item between the claim and the sealing.
pub(crate) async fn what_was_changed_after_the_claim_is_not_sealed(store: SqlStore, tamper: impl AsyncFn(&str)) {
    let (run, file) = claimed(&store, 2).await;
    tamper("UPDATE file_item SET card_version = 2 WHERE card_id = 1").await;
    let refused = store.advance(&file, FileEvent::Seal, run.epoch, sealed(2)).await.unwrap_err().to_string();
    assert!(refused.contains("its items are not those that were claimed"), "{refused}");
    tamper("UPDATE file_item SET card_version = 1 WHERE card_id = 1").await;
    store.advance(&file, FileEvent::Seal, run.epoch, sealed(2)).await.unwrap();
}

/// Rollover: the old key stays configured, new entries are under the new one.
pub(crate) async fn a_chain_goes_on_under_another_key(store: SqlStore, tamper: impl AsyncFn(&str)) {
    night(&store).await;
    let next = ChainKey::new("audit-2", Zeroizing::new([8; 32]));
    let both: ChainKeys = [audit_key(), next.clone()].into_iter().collect();
    let store = store.with_audit_key(next);
    store.enter("import.begun", "one", &json!({})).await.unwrap();
    let verdict = store.verify_audit(&both, &[]).await.unwrap();
    assert!(verdict.is_sound(), "{verdict:?}");
    // Nobody is told that the old key is needed no more.
    let uses = store.key_uses().await.unwrap().into_iter().filter(|it| it.used_for == UsedFor::Audit);
    let uses: Vec<_> = uses.map(|it| (it.key_id.unwrap(), it.rows)).collect();
    assert_eq!(uses, [("audit-1".to_owned(), 9), ("audit-2".to_owned(), 1)]);
    let without = store.verify_audit(&keys(), &[]).await.unwrap();
    assert_eq!(without.chain.faults, [ChainFault::UnknownKey { number: 10, key_id: "audit-2".to_owned() }]);
    // Who got hold of the old key.
    tamper("UPDATE audit SET key_id = 'audit-1' WHERE number = 10").await;
    assert!(!store.verify_audit(&both, &[]).await.unwrap().is_sound());
    tamper("UPDATE audit SET key_id = 'audit-2' WHERE number = 10").await;
    let store = store.with_audit_key(audit_key());
    store.enter("import.ended", "one", &json!({})).await.unwrap();
    let faults = store.verify_audit(&both, &[]).await.unwrap().chain.faults;
    assert_eq!(faults, [ChainFault::KeyCameBack { number: 11, key_id: "audit-1".to_owned() }]);
}
