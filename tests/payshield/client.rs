//! The program's client as these tests hold it, and the cards they make PINs for.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use emboss::ambient::Random;
use emboss::card::Pan;
use emboss::vault::key_set::PVV_KEY;
use emboss::vault::payshield::command::{Class, Command, Reply};
use emboss::vault::payshield::device::Device;
use emboss::vault::payshield::pool::Pool;
use emboss::vault::payshield::tls::TlsFiles;
use emboss::vault::payshield::{asking, reply};
use emboss::vault::settings::LmkDialect;
pub use emboss::vault::settings::PayShieldSettings;

use emboss::vault::{CryptoError, KeyUsage, ProviderKeys, PvvSpec, Vault, VaultKeys};

use crate::hsm::lmk::{Dialect, Use};
use crate::hsm::{Hsm, account_of, vector_key};
use crate::vector_keys::vault_keys_under_lmk;

/// What a configuration says about these devices, where no answer is waited for in vain: a loaded machine is no fault.
pub fn settings(devices: &[&Hsm]) -> PayShieldSettings {
    PayShieldSettings {
        lmk: match devices[0].dialect() {
            Dialect::Variant => LmkDialect::Variant,
            Dialect::KeyBlock => LmkDialect::KeyBlock,
        },
        lmk_check_value: devices[0].check_value(),
        devices: devices.iter().map(|device| device.address()).collect(),
        connections: 2,
        commands_per_s: None,
        timeout_ms: 30_000,
        attempts: 3,
        header_length: 4,
        tls: None,
    }
}

/// The same where an answer stays away.
pub fn impatient(devices: &[&Hsm]) -> PayShieldSettings {
    PayShieldSettings { timeout_ms: 1_500, ..settings(devices) }
}

/// A client with these settings.
pub fn pool(settings: &PayShieldSettings) -> Arc<Pool> {
    Arc::new(Pool::of(settings, None).unwrap())
}

/// A client over TLS.
pub fn tls_pool(settings: &PayShieldSettings, files: &TlsFiles) -> Arc<Pool> {
    Arc::new(Pool::of(settings, Some(files)).unwrap())
}

/// What a vault is opened from whose keys of cards a device has.
pub fn keys_of(device: &Hsm, settings: PayShieldSettings) -> VaultKeys {
    let provider = ProviderKeys::PayShield { settings: Box::new(settings), tls: None };
    vault_keys_under_lmk(provider, |label, usage, algorithm| {
        let what_for = match usage {
            KeyUsage::CardVerification => Use::Cvk,
            KeyUsage::PinVerification => Use::Pvk,
            _ => Use::Zpk,
        };
        let held = device.dialect() == Dialect::KeyBlock || algorithm.is_tdes();
        held.then(|| device.wrapped(&vector_key(label), what_for))
    })
}

/// A vault whose keys of cards a device has.
pub fn vault(device: &Hsm, settings: PayShieldSettings) -> Vault {
    Vault::open(keys_of(device, settings), Arc::new(Random::seeded(2))).unwrap()
}

/// The PVV of these tests.
pub fn pvv_spec() -> PvvSpec {
    PvvSpec { key_id: PVV_KEY.to_owned(), pvki: "1".to_owned() }
}

/// Nothing here may take longer.
pub async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(180), work).await.expect("the client waits without an end")
}

/// Every case beside the others, since most of their time is waiting.
pub async fn each<T, W>(cases: impl IntoIterator<Item = T>, case: impl Fn(T) -> W)
where
    W: Future<Output = ()> + Send + 'static,
{
    let mut under_way: tokio::task::JoinSet<()> = cases.into_iter().map(case).collect();
    while let Some(ended) = within(under_way.join_next()).await {
        ended.unwrap();
    }
}

/// The card of a number.
pub fn card(number: u32) -> Pan {
    Pan::with_check_digit(&format!("400000{number:09}")).unwrap()
}

/// Asks for a random PIN for a card: as it stands under the LMK.
pub async fn issue(pool: &Pool, pan: &Pan) -> Result<Vec<u8>, CryptoError> {
    let reply = ask(pool, asking::random_pin(pan)).await?;
    Ok(reply::random_pin(&reply)?.as_str().as_bytes().to_vec())
}

/// One command, whatever its error code.
pub async fn ask(pool: &Pool, command: Command) -> Result<Reply, CryptoError> {
    within(pool.ask(&command)).await
}

/// One command that must do.
pub async fn done(pool: &Pool, command: Command) {
    let reply = ask(pool, command).await.unwrap();
    assert_eq!(Class::of(&reply.error), Class::Done, "{reply:?}");
}

/// The clear PIN; fails unless it is one that a device made for this very card.
pub fn is_its_own(devices: &[&Hsm], pan: &Pan, sealed: &[u8]) -> String {
    let account = account_of(pan.expose());
    let clear = devices[0].clear_pin(pan.expose(), sealed);
    let clear = clear.unwrap_or_else(|| panic!("what {pan:?} was given is not its PIN"));
    let made: BTreeSet<String> = devices
        .iter()
        .flat_map(|device| device.made())
        .filter(|made| made.account == account)
        .map(|made| made.pin)
        .collect();
    assert!(made.contains(&clear), "{pan:?} was given a PIN that no device made for it");
    clear
}

/// Fails where the client did what it must never do, on any of the devices.
pub fn behaved(devices: &[&Hsm]) {
    for device in devices {
        assert_eq!(device.journal().violations(), Vec::<String>::new());
        let mut begun = BTreeSet::new();
        for entry in device.journal().entries() {
            assert!(
                !begun.insert(entry.connection) || entry.code == "NC",
                "connection {} was used before its device showed its LMK",
                entry.connection
            );
        }
    }
}
