//! What users run today, on the same plastics: the script in `benches/pipeline`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use emboss::schedule;
use serde_json::{Value, json};

use crate::configured::{Settings, institution_of};
use crate::grounds::Grounds;
use crate::installation::Bench;
use crate::options::Options;
use crate::stages::Begun;
use crate::support::gpg::Gpg;
use crate::support::postgres::PASSWORD;
use crate::table::rounded;
use crate::{Outcome, filled, memory};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/pipeline/pipeline.sh");

/// Runs it over the installation's database and gives its figures; files or plastics that miss one are an error.
pub(crate) fn measure(options: &Options, grounds: &Grounds, cards: u64, installation: &Path) -> Outcome<Value> {
    let (Some(cluster), Some(house)) = (&grounds.cluster, &grounds.house) else {
        return Err("the pipeline needs PostgreSQL and a server".into());
    };
    let bench = Bench::open(installation)?;
    let settings = Settings::read(installation)?;
    let gpg = key_ring(installation)?;
    let (signer, recipient) = settings.fingerprints()?;
    let work = installation.join("work");
    fs::create_dir_all(&work)?;
    let server = house.settings(&name_of(installation))?;
    let issuers: BTreeSet<String> =
        (0..options.institutions).map(|n| institution_of(n, options.institutions)).collect();
    let mut script = Command::new("sh");
    script.arg(SCRIPT).env("PGPASSWORD", PASSWORD).env("GNUPGHOME", gpg.home());
    script.env("DATABASE_URL", cluster.url(&name_of(installation)));
    script.env("INSTITUTIONS", issuers.into_iter().collect::<Vec<_>>().join(" "));
    script.env("CUT_OFF_US", schedule::cut_off(bench.date).timestamp_micros().to_string());
    script.env("DATE", bench.date.to_string()).env("SIGNER", signer).env("RECIPIENT", recipient);
    script.env("SFTP_PORT", server.port.to_string()).env("SFTP_USER", server.user);
    script.env("SFTP_KEY", installation.join("keys/sftp")).env("REMOTE", server.directory).env("WORK", &work);

    let (own, servers) = (memory::children_processor_s(), grounds.database_processor_s());
    let begun = Begun::now();
    let output = script.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    let seconds = begun.measured().seconds;
    let since = |now: Option<f64>, then: Option<f64>| now.zip(then).map(|(now, then)| rounded(now - then));
    let (own, servers) = (since(memory::children_processor_s(), own), since(grounds.database_processor_s(), servers));
    if !output.status.success() {
        return Err("the pipeline failed".into());
    }
    let moved: u64 = String::from_utf8(output.stdout)?.lines().map_while(|line| line.trim().parse::<u64>().ok()).sum();
    let inside = bench.house()?.open_all()?;
    if moved != cards || inside.records != cards {
        return Err(format!("the pipeline moved {moved} and sent {} of {cards} plastics", inside.records).into());
    }
    Ok(json!({
        "seconds": rounded(seconds),
        "recordsPerSecond": (cards as f64 / seconds).round(),
        "processorSeconds": own,
        "serverProcessorSeconds": servers,
        "bytesPerRecord": inside.document_bytes.checked_div(cards),
        "sealedBytes": inside.sealed_bytes,
    }))
}

fn name_of(installation: &Path) -> String {
    installation.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// GnuPG with the same keys as the installation, and its agent awake.
fn key_ring(installation: &Path) -> Outcome<Gpg> {
    let gpg = Gpg::new();
    fs::set_permissions(gpg.home(), fs::Permissions::from_mode(0o700))?;
    for key in ["keys/signer.key", "keys/factory-x.asc"] {
        let mut import = Command::new("gpg");
        import.args(["--batch", "--quiet", "--import"]).arg(installation.join(key)).env("GNUPGHOME", gpg.home());
        filled::run(&mut import)?;
    }
    Ok(gpg)
}
