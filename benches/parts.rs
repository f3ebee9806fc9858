//! The parts of a night on their own, without a database: `cargo bench --bench parts`.
//!
//! What composing, sealing and card secrets reach alone is what the night's stage is compared with.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::future::Future;
use std::hint::black_box;
use std::io::{self, Cursor, Write};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use emboss::agreement::{Compression, Cvv2Expiry, FileFormat, FileVersion, OpenPgp};
use emboss::ambient::Random;
use emboss::card::{Pan, PinBlockFormat};
use emboss::document::{self, DocumentWriter, Header, Record};
use emboss::seal::{RecipientCertificate, Recipients, Sealer, Signer, generate_key};
use emboss::vault::key_set::{CVV_KEY, CVV2_KEY, PVV_KEY, make_test_keys};
use emboss::vault::{CryptoError, CvvSpec, KeyAlgorithm, PvvSpec, Vault};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The sample of both formats: a record of about 40 fields.
const SAMPLE: &str = include_str!("../tests/samples/v2.xml");
/// Records of one file.
const RECORDS: u64 = 20_000;
/// Each part runs again until this much time has passed; its best round counts.
const AT_LEAST: Duration = Duration::from_secs(2);
const ZONE_KEY: &str = "zpk-x-1";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the benchmark stopped: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let (header, record) = sample()?;
    let mut figures = Vec::new();
    for format in [FileFormat::Xml, FileFormat::Json] {
        let text = composed(&header, &record, format)?;
        let seconds = best(|| written(&header, &record, format, io::sink()).map(black_box))?;
        tell(&mut figures, &format!("document {format}"), RECORDS, seconds, Some(text.len()));
        for compression in [Compression::Fast, Compression::None] {
            let sealer = sealer(compression)?;
            let seconds = best(|| sealed(&sealer, &text))?;
            tell(
                &mut figures,
                &format!("seal {format}, compression {compression}"),
                RECORDS,
                seconds,
                Some(text.len()),
            );
        }
    }
    let vault = vault()?;
    let cards = 10_000;
    let seconds = best(|| secrets(&vault, cards))?;
    tell(&mut figures, "card secrets", cards, seconds, None);
    println!("{}", json!({ "bench": "parts", "parts": figures }));
    Ok(())
}

fn tell(figures: &mut Vec<Value>, part: &str, records: u64, seconds: f64, bytes: Option<usize>) {
    let per_second = records as f64 / seconds;
    let megabytes = bytes.map(|bytes| bytes as f64 / 1e6 / seconds);
    let shown = megabytes.map_or_else(String::new, |megabytes| format!("{megabytes:.0} MB/s"));
    println!("{part:<32} {per_second:>10.0} records/s {shown:>12}");
    figures.push(json!({ "part": part, "recordsPerSecond": per_second, "megabytesPerSecond": megabytes }));
}

/// Seconds of the fastest round.
fn best<T>(mut round: impl FnMut() -> Outcome<T>) -> Outcome<f64> {
    let begun = Instant::now();
    let mut best = f64::INFINITY;
    while begun.elapsed() < AT_LEAST {
        let started = Instant::now();
        black_box(round()?);
        best = best.min(started.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// The sample's header, announcing [`RECORDS`], and its first record.
fn sample() -> Outcome<(Header, Record)> {
    let mut first = None;
    let (header, ..) = document::read(Cursor::new(SAMPLE), FileFormat::Xml, &mut |_, record| {
        first.get_or_insert(record);
    })?;
    Ok((Header { number_of_records: RECORDS, version: FileVersion::V2, ..header }, first.ok_or("an empty sample")?))
}

fn written<W: Write>(header: &Header, record: &Record, format: FileFormat, sink: W) -> Outcome<W> {
    let mut record = record.clone();
    let mut writer = DocumentWriter::new(sink, &Header { format, ..header.clone() })?;
    for number in 1..=RECORDS {
        record.record_number = number;
        writer.write(&record)?;
    }
    Ok(writer.finish()?.0)
}

/// A file whose records differ as real ones do, so that compression has its work: uid, card and PAN digits.
fn composed(header: &Header, record: &Record, format: FileFormat) -> Outcome<Vec<u8>> {
    let random = Random::seeded(1);
    let mut record = record.clone();
    let mut writer = DocumentWriter::new(Vec::new(), &Header { format, ..header.clone() })?;
    for number in 1..=RECORDS {
        record.record_number = number;
        record.record_uid = emboss::card::RecordUid(random.uuid());
        record.pan = pan(number)?;
        if let Some(delivery) = &mut record.card_delivery {
            delivery.address.address1 = Some(format!("Kings street {number}"));
        }
        writer.write(&record)?;
    }
    Ok(writer.finish()?.0)
}

fn pan(number: u64) -> Outcome<Pan> {
    Ok(Pan::with_check_digit(&format!("40000012{:07}", number * 7919 % 10_000_000))?)
}

fn at() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::from_secs(1_795_230_004)
}

fn sealer(compression: Compression) -> Outcome<Sealer> {
    let (ours, house) = (generate_key("Issuer <a@b.example>", at())?, generate_key("House <c@d.example>", at())?);
    let certificate =
        RecipientCertificate { name: "house", bytes: &house.certificate, fingerprint: &house.fingerprint };
    let recipients = Recipients::load(&[certificate], at()).map_err(|_| "the made key is not usable")?;
    let signer = Signer::load(&ours.secret_key, None, &ours.fingerprint, at())?;
    Ok(Sealer { signer, recipients, openpgp: OpenPgp::Seipd1, compression })
}

fn sealed(sealer: &Sealer, text: &[u8]) -> Outcome<()> {
    let sink = io::sink();
    let mut writer = sealer.writer(sink, at())?;
    for chunk in text.chunks(256 * 1024) {
        writer.write_all(chunk)?;
    }
    Ok(writer.finish()?)
}

fn vault() -> Outcome<Vault> {
    let random = Arc::new(Random::system());
    let keys = make_test_keys(&random, &[(ZONE_KEY, KeyAlgorithm::Tdes2Key)])?;
    Vault::open(keys.vault_keys(), random).map_err(|findings| format!("{findings:?}").into())
}

/// Per card what a first issue needs: a PIN with its PVV, CVV1, iCVV, CVV2 and the PIN block.
fn secrets(vault: &Vault, cards: u64) -> Outcome<()> {
    let pvv = PvvSpec { key_id: PVV_KEY.to_owned(), pvki: "1".to_owned() };
    let expiry = "2029-11".parse()?;
    for number in 0..cards {
        let pan = pan(number)?;
        let made: Result<_, CryptoError> = at_once(async {
            let crypto = vault.crypto();
            let issued = crypto.issue_pin(&pan, Some(&pvv)).await?;
            for (key_id, service_code) in [(CVV_KEY, "201"), (CVV_KEY, "999"), (CVV2_KEY, "000")] {
                let spec = CvvSpec { key_id, expiry, order: Cvv2Expiry::Yymm, service_code };
                black_box(crypto.cvv(&pan, &spec).await?);
            }
            crypto.pin_block(&pan, &issued.stored, ZONE_KEY, PinBlockFormat::Iso0, [0; 8]).await
        })?;
        black_box(made?);
    }
    Ok(())
}

/// The software provider never waits, so its futures are ready at the first poll.
fn at_once<T>(future: impl Future<Output = T>) -> Outcome<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Ok(value),
        Poll::Pending => Err("card cryptography in software should not wait".into()),
    }
}
