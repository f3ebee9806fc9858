//! TLS to a payShield, with certificates on both sides.
//!
//! Invariant: no authority but the configured one is believed, and only for the configured name.

use std::fmt;

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{Ssl, SslConnector, SslMethod, SslVersion};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use zeroize::Zeroizing;

use super::address::Address;

/// What the files of `[vault.payshield.tls]` hold, PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates of the devices' authority.
    pub authority: Vec<u8>,
    /// Our certificate, and those between it and the authority that the devices know.
    pub certificate: Vec<u8>,
    /// Its private key, not encrypted.
    pub private_key: Zeroizing<Vec<u8>>,
    /// The name in the devices' certificates; `None` = the host of each.
    pub server_name: Option<String>,
}

impl fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsFiles")
    }
}

/// How to speak TLS to every device.
#[derive(Clone)]
pub(super) struct Tls {
    connector: SslConnector,
    server_name: Option<String>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads certificates and key.
    ///
    /// # Errors
    /// Which file is wrong, as a sentence.
    pub(super) fn of(files: &TlsFiles) -> Result<Self, String> {
        let fault = |file: &str, should: &str| format!("payshield.tls {file} {should}");
        let authority = X509::stack_from_pem(&files.authority).unwrap_or_default();
        let mut ours = X509::stack_from_pem(&files.certificate).unwrap_or_default().into_iter();
        let certificate = ours.next().ok_or_else(|| fault("certificate_file", "holds no PEM certificate"))?;
        // The answer to a request for a pass phrase is none: a program that asks a terminal at night waits for ever.
        let key = PKey::private_key_from_pem_callback(&files.private_key, |_| Ok(0))
            .map_err(|_| fault("key_file", "holds no PEM private key that is not encrypted"))?;
        if authority.is_empty() {
            return Err(fault("ca_file", "holds no PEM certificate"));
        }
        if !certificate.public_key().is_ok_and(|public| public.public_eq(&key)) {
            return Err(fault("key_file", "is not the key of certificate_file: name the two that belong together"));
        }
        let connector = connector(authority, &certificate, ours, &key);
        let connector = connector.map_err(|error| format!("payshield.tls cannot be used: {error}"))?;
        Ok(Self { connector, server_name: files.server_name.clone() })
    }

    /// A session to come with a device.
    pub(super) fn session(&self, device: &Address) -> Result<Ssl, ErrorStack> {
        self.connector.configure()?.into_ssl(self.server_name.as_deref().unwrap_or(&device.host))
    }
}

fn connector(
    authority: Vec<X509>,
    certificate: &X509,
    between: impl Iterator<Item = X509>,
    key: &PKey<openssl::pkey::Private>,
) -> Result<SslConnector, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    let mut believed = X509StoreBuilder::new()?;
    for certificate in authority {
        believed.add_cert(certificate)?;
    }
    // In the place of the system's: any of its authorities could make a device.
    builder.set_cert_store(believed.build());
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_certificate(certificate)?;
    for certificate in between {
        builder.add_extra_chain_cert(certificate)?;
    }
    builder.set_private_key(key)?;
    Ok(builder.build())
}
