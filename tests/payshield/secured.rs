//! TLS on the line: only the right device is spoken to, and only by the right client.

use std::sync::Arc;

use emboss::vault::CryptoError;
use emboss::vault::payshield::device::Device;
use emboss::vault::payshield::pool::Pool;
use emboss::vault::payshield::tls::TlsFiles;

use crate::client::{behaved, card, impatient, is_its_own, issue, pool, tls_pool, within};
use crate::hsm::authority::{Authority, Identity};
use crate::hsm::faults::{Act, When};
use crate::hsm::lmk::Dialect;
use crate::hsm::{Hsm, Setup};

fn device(authority: &Authority, name: &str) -> Hsm {
    Hsm::start_tls(&Setup::new(Dialect::KeyBlock), authority.acceptor(&authority.issue(name)))
}

fn client(hsm: &Hsm, believed: &Authority, own: &Identity, server_name: Option<&str>) -> Arc<Pool> {
    let folder = tempfile::tempdir().unwrap();
    let files = own.files(folder.path(), believed);
    let read = |path| std::fs::read(path).unwrap();
    let files = TlsFiles {
        authority: read(&files.ca_file),
        certificate: read(&files.certificate_file),
        private_key: read(&files.key_file).into(),
        server_name: server_name.map(str::to_owned),
    };
    tls_pool(&impatient(&[hsm]), &files)
}

#[tokio::test]
async fn both_sides_show_their_certificates() {
    let authority = Authority::new("devices");
    for act in [None, Some(Act::Split), Some(Act::Reset(6)), Some(Act::Stall), Some(Act::Twice)] {
        let hsm = device(&authority, "hsm1.bank.example");
        if let Some(act) = act {
            hsm.fail(When::command("JA").times(1), act);
        }
        let pool = client(&hsm, &authority, &authority.issue("emboss"), Some("hsm1.bank.example"));
        for number in 0..3 {
            is_its_own(&[&hsm], &card(number), &issue(&pool, &card(number)).await.unwrap());
        }
        behaved(&[&hsm]);
    }
}

#[tokio::test]
async fn the_name_is_the_host_where_none_is_given() {
    let authority = Authority::new("devices");
    let hsm = device(&authority, "127.0.0.1");
    let pool = client(&hsm, &authority, &authority.issue("emboss"), None);
    assert_eq!(within(pool.health()).await, Ok(()));
}

#[tokio::test]
async fn a_device_of_another_authority_or_name_is_not_spoken_to() {
    let (authority, other) = (Authority::new("devices"), Authority::new("devices"));
    let own = authority.issue("emboss");
    for (maker, name) in [(&other, "hsm1.bank.example"), (&authority, "hsm2.bank.example")] {
        let hsm = device(maker, name);
        let pool = client(&hsm, &authority, &own, Some("hsm1.bank.example"));
        let failed = issue(&pool, &card(1)).await.unwrap_err();
        assert!(matches!(failed, CryptoError::Configuration(_)), "{name}: {failed:?}");
        assert!(failed.to_string().contains(&hsm.address()), "{failed}");
        assert_eq!(hsm.journal().count(), 0, "{name}: a command was sent");
    }
}

#[tokio::test]
async fn a_client_of_another_authority_is_turned_away() {
    let (authority, other) = (Authority::new("devices"), Authority::new("others"));
    let hsm = device(&authority, "hsm1.bank.example");
    let pool = client(&hsm, &authority, &other.issue("emboss"), Some("hsm1.bank.example"));
    // The device may be restarting as well, so this is tried again; the sentence tells of both.
    let failed = issue(&pool, &card(1)).await.unwrap_err();
    assert!(failed.to_string().contains("certificate_file"), "{failed:?}");
    assert_eq!(hsm.journal().count(), 0);
    assert!(hsm.journal().refused_clients() > 0);
}

#[tokio::test]
async fn plain_and_tls_do_not_meet() {
    let authority = Authority::new("devices");
    let hsm = device(&authority, "hsm1.bank.example");
    assert!(issue(&pool(&impatient(&[&hsm])), &card(1)).await.is_err());
    assert_eq!(hsm.journal().count(), 0);
    let plain = Hsm::start(&Setup::new(Dialect::KeyBlock));
    let pool = client(&plain, &authority, &authority.issue("emboss"), Some("hsm1.bank.example"));
    assert!(issue(&pool, &card(1)).await.is_err());
    assert_eq!(plain.journal().count(), 0);
}
