//! The same sealed file to the same server, by us and by OpenSSH's `sftp`.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use emboss::ambient::Random;
use emboss::card::FileId;
use emboss::delivery::settings::{DestinationSettings, SftpSettings};
use emboss::delivery::{self, RenameOrder};
use emboss::spool::{SealedFile, Spool};
use serde_json::{Value, json};

use crate::Outcome;
use crate::filled;
use crate::grounds::{Grounds, House};
use crate::options::Options;
use crate::table::rounded;

/// Longer than any upload here.
const DEADLINE: Duration = Duration::from_secs(1800);

/// Delivers as often as asked, in turns, and prints medians.
pub(crate) fn compare(options: &Options, grounds: &Grounds, megabytes: u64) -> Outcome<Value> {
    let house = grounds.house.as_ref().ok_or("a server is needed")?;
    let sealed = sealed(&grounds.folder, megabytes)?;
    let key = grounds.folder.join("sftp-key");
    house.write_key(&key)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        let server = house.settings(&format!("uploads-{round}"))?;
        ours.push(deliver(house, &server, &sealed)?);
        theirs.push(sftp(&server, &key, &sealed)?);
        std::fs::remove_dir_all(&server.directory)?;
    }
    let told =
        |seconds: f64| json!({"seconds": rounded(seconds), "megabytesPerSecond": rounded(megabytes as f64 / seconds)});
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    let figures = json!({
        "bench": "uploads", "megabytes": megabytes, "latencyMs": options.latency_ms, "rounds": options.rounds,
        "emboss": told(ours), "sftp": told(theirs), "ratio": rounded(theirs / ours),
    });
    if !options.json {
        let speed = |seconds: f64| format!("{seconds:.2} s, {:.1} MB/s", megabytes as f64 / seconds);
        println!("{megabytes} MB at {} ms, connection included, medians of {}:", options.latency_ms, options.rounds);
        println!("emboss {}; OpenSSH sftp {}; ratio {:.2}", speed(ours), speed(theirs), theirs / ours);
    }
    Ok(figures)
}

/// The middle one.
pub(crate) fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// Random bytes: ciphertext does not compress either.
fn sealed(folder: &Path, megabytes: u64) -> Outcome<SealedFile> {
    let random = Random::system();
    let spool = Spool::open(folder.join("uploads"), "uploads")?;
    let mut draft = spool.create(FileId(random.uuid()), 1)?;
    let mut block = Vec::with_capacity(1_000_000);
    for _ in 0..megabytes {
        block.clear();
        while block.len() < 1_000_000 {
            block.extend_from_slice(&random.bytes::<500>());
        }
        draft.write_all(&block)?;
    }
    Ok(draft.commit()?)
}

/// Seconds from before the connection to behind the rename.
fn deliver(house: &House, server: &SftpSettings, sealed: &SealedFile) -> Outcome<f64> {
    let begun = Instant::now();
    let mut remote = delivery::connect(&DestinationSettings::Sftp(server.clone()), &house.secrets())?;
    delivery::upload(&mut *remote, sealed, "ours.part", &[], DEADLINE, &mut |_| ControlFlow::Continue(()))?;
    delivery::look(&mut *remote, "ours")?;
    let order = RenameOrder {
        temporary_name: "ours.part",
        final_name: "ours",
        size_bytes: sealed.size_bytes(),
        rename_attempt: 1,
        proves_publication: false,
        same_identity: true,
    };
    match delivery::rename(&mut *remote, &order) {
        delivery::Outcome::Published { .. } => Ok(begun.elapsed().as_secs_f64()),
        other => Err(format!("the rename came to {other:?}").into()),
    }
}

/// The same for `sftp`, from its start to its end.
fn sftp(server: &SftpSettings, key: &Path, sealed: &SealedFile) -> Outcome<f64> {
    let batch = format!(
        "put {} {directory}/theirs.part\nrename {directory}/theirs.part {directory}/theirs\n",
        sealed.path().display(),
        directory = server.directory
    );
    let file = key.with_file_name("batch");
    std::fs::write(&file, batch)?;
    let begun = Instant::now();
    let mut sftp = Command::new("sftp");
    sftp.arg("-q").arg("-b").arg(&file).arg("-P").arg(server.port.to_string()).arg("-i").arg(key);
    for option in ["IdentitiesOnly=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"] {
        sftp.args(["-o", option]);
    }
    filled::run(sftp.arg(format!("{}@127.0.0.1", server.user)).stdin(Stdio::null()))?;
    Ok(begun.elapsed().as_secs_f64())
}
