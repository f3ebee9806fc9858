//! A certificate authority for devices and their clients, made for one test.

use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509Builder, X509Name};

/// An authority.
#[derive(Debug)]
pub struct Authority(Identity);

/// A certificate with its key.
#[derive(Debug, Clone)]
pub struct Identity {
    certificate: X509,
    key: PKey<Private>,
}

/// PEM files of a client.
#[derive(Debug, Clone)]
pub struct Files {
    /// The authority that the client believes.
    pub ca_file: PathBuf,
    /// Its certificate.
    pub certificate_file: PathBuf,
    /// Its key.
    pub key_file: PathBuf,
}

impl Authority {
    /// A new one.
    pub fn new(name: &str) -> Self {
        Self(Identity::issued(name, None))
    }

    /// A certificate for a name; of a device the name is checked.
    pub fn issue(&self, name: &str) -> Identity {
        Identity::issued(name, Some(&self.0))
    }

    /// Its certificate as PEM.
    pub fn pem(&self) -> Vec<u8> {
        self.0.certificate.to_pem().expect("PEM")
    }

    /// The server's side: it shows `device`, and only clients whom this authority knows come in.
    pub fn acceptor(&self, device: &Identity) -> SslAcceptor {
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).expect("OpenSSL");
        acceptor.set_private_key(&device.key).expect("a key");
        acceptor.set_certificate(&device.certificate).expect("a certificate");
        let mut store = X509StoreBuilder::new().expect("OpenSSL");
        store.add_cert(self.0.certificate.clone()).expect("added");
        acceptor.set_cert_store(store.build());
        acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        acceptor.build()
    }
}

impl Identity {
    /// Writes what a client with this identity needs, believing in `authority`.
    pub fn files(&self, folder: &Path, authority: &Authority) -> Files {
        let write = |name: &str, pem: Vec<u8>| {
            let path = folder.join(name);
            std::fs::write(&path, pem).expect("written");
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
            path
        };
        Files {
            ca_file: write("hsm-ca.pem", authority.pem()),
            certificate_file: write("hsm-client.pem", self.certificate.to_pem().expect("PEM")),
            key_file: write("hsm-client.key", self.key.private_key_to_pem_pkcs8().expect("PEM")),
        }
    }

    fn issued(name: &str, by: Option<&Identity>) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a curve");
        let key = PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key");
        let mut subject = X509Name::builder().expect("OpenSSL");
        subject.append_entry_by_nid(Nid::COMMONNAME, name).expect("a name");
        let subject = subject.build();
        let mut builder = X509Builder::new().expect("OpenSSL");
        builder.set_version(2).expect("set");
        let mut serial = [1; 16];
        openssl::rand::rand_bytes(&mut serial[1..]).expect("random bytes");
        let serial = BigNum::from_slice(&serial).and_then(|serial| serial.to_asn1_integer()).expect("a number");
        builder.set_serial_number(&serial).expect("set");
        builder.set_subject_name(&subject).expect("set");
        builder.set_issuer_name(by.map_or(&subject, |by| by.certificate.subject_name())).expect("set");
        builder.set_not_before(&Asn1Time::days_from_now(0).expect("a time")).expect("set");
        builder.set_not_after(&Asn1Time::days_from_now(2).expect("a time")).expect("set");
        builder.set_pubkey(&key).expect("set");
        if by.is_none() {
            builder.append_extension(BasicConstraints::new().critical().ca().build().expect("made")).expect("set");
        } else {
            let mut names = SubjectAlternativeName::new();
            if name.parse::<std::net::IpAddr>().is_ok() {
                names.ip(name)
            } else {
                names.dns(name)
            };
            let names = names.build(&builder.x509v3_context(None, None)).expect("made");
            builder.append_extension(names).expect("set");
        }
        builder.sign(by.map_or(&key, |by| &by.key), MessageDigest::sha256()).expect("signed");
        Self { certificate: builder.build(), key }
    }
}
