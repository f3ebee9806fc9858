//! `emboss inspect`: is this file sound, and what is in it?

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::errors::chain;
use super::open::Home;
use super::output::Output;
use super::person;
use crate::agreement::FileFormat;
use crate::ambient::{Clock, SystemClock};
use crate::config::{adapters, files};
use crate::document::{self, Environment, Finding, Header, Record, Trailer};
use crate::seal::{self, OpeningKey, Verdict};

/// Records shown to people; `--json` shows all.
const SHOWN: u64 = 3;

#[derive(Debug, Args)]
pub(super) struct InspectArguments {
    /// A sealed file (.pgp) or a plain document.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The recipient's secret OpenPGP key, for a sealed file.
    #[arg(long, value_name = "K")]
    key: Option<PathBuf>,
    /// The passphrase of that key, in a file.
    #[arg(long, value_name = "PATH", requires = "key")]
    passphrase_file: Option<PathBuf>,
    /// The signer's certificate; without it, the configuration's signer.
    #[arg(long, value_name = "CERTIFICATE")]
    signer: Option<PathBuf>,
    /// Shows secrets too; only of a TEST file.
    #[arg(long)]
    unmask: bool,
    /// Who opens a LIVE file; written down.
    #[arg(long, value_name = "WHO", requires = "reason")]
    by: Option<String>,
    /// Why a LIVE file is opened; written down.
    #[arg(long, value_name = "WHY", requires = "by")]
    reason: Option<String>,
}

/// Where the document's bytes come from, and what proves who signed them.
enum Source {
    Plain(BufReader<File>),
    Sealed { file: File, key: Box<OpeningKey>, signer: Vec<u8> },
}

/// What was found.
struct Inspected {
    read: Result<(Header, Trailer, Vec<Finding>), String>,
    signature: Option<Verdict>,
}

/// Takes each record as it passes.
type Visit<'a> = dyn FnMut(&Header, Record) + 'a;

pub(super) async fn inspect(arguments: &InspectArguments, home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let now = SystemClock.now();
    let known = write_down(arguments, home, output, now).await?;
    let mut shown = Shown { output: *output, unmask: arguments.unmask, count: 0 };
    let mut refused = false;
    let mut show = |header: &Header, record: Record| {
        if header.environment == Environment::Live && (!known || arguments.unmask) {
            refused = true;
        } else {
            shown.record(header, &record);
        }
    };
    let inspected = read(arguments, home, &mut show, now)?;
    if refused {
        return Err(refusal(&arguments.file));
    }
    Ok(tell(&inspected, &mut shown, &arguments.file))
}

fn refusal(path: &Path) -> Failure {
    Failure::configuration(format!(
        "{} is a LIVE file with cardholders' data: say --by and --reason, and leave --unmask out",
        path.display()
    ))
}

/// Leaves a trace of who opens the file and why, before anything of it is shown; whether somebody was named. For that
/// the file is read twice: whose it is stands inside.
async fn write_down(
    arguments: &InspectArguments,
    home: &Home<'_>,
    output: &Output,
    at: DateTime<Utc>,
) -> Result<bool, Failure> {
    let (Some(by), Some(reason)) = (&arguments.by, &arguments.reason) else { return Ok(false) };
    let authority = person::authority(by, reason)?;
    let mut seen = None;
    let inspected = read(arguments, home, &mut |header, _| seen = Some(header.clone()), at)?;
    let Some(header) = seen.or(inspected.read.ok().map(|(header, ..)| header)) else { return Ok(true) };
    if header.environment == Environment::Live && arguments.unmask {
        return Err(refusal(&arguments.file));
    }
    let opened = home.open(output, false).await?;
    let (institution, subject) = (Some(&header.institution.id), header.file_id.to_string());
    let data = json!({ "fileId": header.file_id, "fileName": header.file_name });
    opened.night.store.note_audited("file.inspected", institution, &subject, &authority, &data).await?;
    opened.night.note_head().await;
    Ok(true)
}

fn source(arguments: &InspectArguments, home: &Home<'_>) -> Result<Source, Failure> {
    let path = &arguments.file;
    let unreadable = |error: io::Error| Failure::configuration(format!("{} cannot be read: {error}", path.display()));
    let file = File::open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(Failure::configuration(format!("{} is no file", path.display())));
    }
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let first = reader.fill_buf().map_err(unreadable)?.first().copied();
    if matches!(first, Some(b'<' | b'{')) {
        return Ok(Source::Plain(reader));
    }
    let Some(key) = &arguments.key else {
        return Err(Failure::configuration(format!(
            "{} is sealed: name the recipient's key with --key",
            path.display()
        )));
    };
    let secret = |path: &Path| {
        files::read_secret(&path.display().to_string(), home.surroundings.credentials_directory.as_deref())
            .map_err(|error| Failure::configuration(chain(&error)))
    };
    let passphrase = arguments.passphrase_file.as_deref().map(secret).transpose()?;
    let passphrase = passphrase.as_ref().map(|bytes| String::from_utf8_lossy(bytes).trim_end().to_owned());
    let key = OpeningKey::load(&secret(key)?, passphrase.as_deref())
        .map_err(|error| Failure::configuration(chain(&error)))?;
    let file = File::open(path).map_err(unreadable)?;
    Ok(Source::Sealed { file, key: Box::new(key), signer: signer(arguments, home)? })
}

/// The certificate signatures are checked against.
fn signer(arguments: &InspectArguments, home: &Home<'_>) -> Result<Vec<u8>, Failure> {
    if let Some(path) = &arguments.signer {
        return files::read_public(&path.display().to_string()).map_err(|error| Failure::configuration(chain(&error)));
    }
    if !home.config_path().exists() {
        return Err(Failure::configuration(
            "who signed cannot be checked: name the signer's certificate with --signer, or a configuration with --config",
        ));
    }
    adapters::signer_certificate(&home.config()?, SystemClock.now()).map_err(|findings| {
        Failure::configuration(findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

fn read(
    arguments: &InspectArguments,
    home: &Home<'_>,
    visit: &mut Visit<'_>,
    at: DateTime<Utc>,
) -> Result<Inspected, Failure> {
    let (read, signature) = match source(arguments, home)? {
        Source::Plain(mut reader) => (read_document(&mut reader, visit), None),
        Source::Sealed { file, key, signer } => {
            let opened = seal::open(file, &key, &signer, at)
                .map_err(|error| Failure::configuration(format!("{}: {}", arguments.file.display(), chain(&error))))?;
            let mut reader = BufReader::with_capacity(1 << 16, opened);
            let read = read_document(&mut reader, visit);
            // The verdict is known only behind the last byte, which a broken document may not have reached.
            let drained = io::copy(&mut reader, &mut io::sink());
            let verdict = match drained {
                Ok(_) => reader.into_inner().verdict(),
                Err(error) => Verdict::Bad(format!("the sealed file was cut or changed: {error}")),
            };
            (read, Some(verdict))
        }
    };
    Ok(Inspected { read, signature })
}

fn read_document<R: BufRead>(reader: &mut R, visit: &mut Visit<'_>) -> Result<(Header, Trailer, Vec<Finding>), String> {
    let first = reader.fill_buf().map_err(|error| error.to_string())?.first().copied();
    let format = if first == Some(b'{') { FileFormat::Json } else { FileFormat::Xml };
    document::read(reader.by_ref(), format, visit).map_err(|error| chain(&error))
}

/// Records as they pass: some for people, all for `--json`, so that memory stays flat.
struct Shown {
    output: Output,
    unmask: bool,
    count: u64,
}

impl Shown {
    fn record(&mut self, header: &Header, record: &Record) {
        self.count += 1;
        if self.output.is_json() {
            let value = if self.unmask {
                document::plain_json(record, header.version)
            } else {
                document::masked_json(record, header.version)
            };
            let open = if self.count == 1 { "{\"records\":[" } else { "," };
            let _ = write!(io::stdout(), "{open}{value}");
        } else if self.count <= SHOWN {
            let text = if self.unmask {
                document::mask::plain_text(record, header.version)
            } else {
                document::mask::masked_text(record, header.version)
            };
            self.output.say(text);
        }
    }

    /// Closes the `--json` object with everything but the records.
    fn close(&self, rest: &Value) {
        if self.output.is_json() {
            let open = if self.count == 0 { "{\"records\":[" } else { "" };
            let rest = rest.to_string();
            let _ = writeln!(io::stdout(), "{open}],{}", rest.trim_start_matches('{'));
        }
    }
}

fn tell(inspected: &Inspected, shown: &mut Shown, path: &Path) -> u8 {
    let output = shown.output;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (header, trailer, findings) = match &inspected.read {
        Ok(read) => read,
        Err(error) => {
            output.say(format!("{name} cannot be read as an embossing file: {error}"));
            shown.close(&json!({ "fileName": name, "error": error, "exitCode": 2 }));
            return 2;
        }
    };
    if shown.count > SHOWN && !output.is_json() {
        output.say(format!("({} more records)", shown.count - SHOWN));
    }
    let renamed = document::reader::renamed(&name, header);
    let findings: Vec<String> = findings.iter().chain(&renamed).map(ToString::to_string).collect();
    let (signed, signature) = signature(inspected.signature.as_ref());
    let exit_code = u8::from(!(findings.is_empty() && signed));
    output.say(format!(
        "{}: {} file {} number {} of {} for {}, {} records ({} cards, {} PIN only), cut-off {}",
        header.file_name,
        header.environment,
        header.file_id,
        header.sequence_number,
        header.institution.id,
        header.manufacturer,
        trailer.number_of_records,
        trailer.number_of_cards,
        trailer.number_of_pin_only,
        header.cut_off
    ));
    output.say(format!("signature: {signature}"));
    for finding in &findings {
        output.say(format!("finding: {finding}"));
    }
    output.say(if exit_code == 0 { "The file is sound." } else { "The file is NOT sound." });
    shown.close(&json!({
        "fileName": name,
        "header": document::mask::header_json(header),
        "totals": document::mask::trailer_json(trailer),
        "signature": signature,
        "findings": findings,
        "exitCode": exit_code,
    }));
    exit_code
}

fn signature(verdict: Option<&Verdict>) -> (bool, String) {
    match verdict {
        None => (true, "a plain document, not signed".to_owned()),
        Some(Verdict::Good { signer, .. }) => (true, format!("good, by {signer}")),
        Some(Verdict::Bad(why)) => (false, format!("NOT good: {why}")),
        Some(Verdict::Unread) => (false, "NOT good: the end of the file was not reached".to_owned()),
    }
}
