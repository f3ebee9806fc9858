//! `emboss audit`: the chain verified for whoever does not believe the database, and its entries as they stand.
//!
//! Invariant: nothing is written. Why the spool is looked at: whoever cuts the newest entries off in the database leaves the
//! head that a run noted in the journal.

use std::io::{self, Write};
use std::sync::Arc;

use chrono::SecondsFormat;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Failure;
use super::errors::chain;
use super::open::{Home, look_at_spool, open_vault};
use super::output::{Output, is_wanted};
use crate::ambient::Random;
use crate::chain::{ChainFault, Head};
use crate::config::Config;
use crate::store::{AuditRow, AuditVerdict, Store};

/// Entries read from the database at once.
const PAGE: u32 = 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Walks along the whole chain and holds files and reports against it; exit 1 where something was tampered with.
    Verify(VerifyArguments),
    /// Prints the entries as JSON Lines, oldest first, with their MACs.
    Export(ExportArguments),
}

#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    /// A head that was kept, as a report shows it: also finds entries that were cut off since; may be given several times.
    #[arg(long, value_name = "NUMBER:MAC")]
    head: Vec<Head>,
}

#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    /// Only entries with a greater number. Without it, from the first on.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = clap::value_parser!(i64).range(0..))]
    after: i64,
}

pub(super) async fn audit(command: &AuditCommand, home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    match command {
        AuditCommand::Verify(arguments) => verify(arguments, home, *output).await,
        AuditCommand::Export(arguments) => export(arguments, home).await,
    }
}

async fn verify(arguments: &VerifyArguments, home: &Home<'_>, output: Output) -> Result<u8, Failure> {
    let config = home.config()?;
    let keys = open_vault(&config, Arc::new(Random::system()))?.audit_keys();
    let store = home.open_store().await?;
    // Read before the database: what is entered meanwhile is in the database, not in the journal.
    let journal = heads_of_journal(&config, &*store).await;
    let mut kept = arguments.head.clone();
    kept.extend(journal.iter().flatten());
    let verdict = store.verify_audit(&keys, &kept).await?;
    store.close().await;
    refuse_other_key(&verdict, &config)?;
    let verified = Verified { verdict, journal };
    output.say(verified.text(&config));
    output.object(&verified.to_json());
    Ok(verified.exit_code())
}

/// The heads of the journal, also those of before the newest: a restored database that was used again has other entries
/// there. Why there is none, where the spool cannot be read from here.
async fn heads_of_journal(config: &Config, store: &dyn Store) -> Result<Vec<Head>, String> {
    match look_at_spool(config, store).await {
        Ok(Some(spool)) => spool.heads().map_err(|error| chain(&error)),
        Ok(None) => Ok(Vec::new()),
        Err(failure) => Err(failure.text),
    }
}

/// Nothing can be said about a chain whose key is not there.
fn refuse_other_key(verdict: &AuditVerdict, config: &Config) -> Result<(), Failure> {
    match verdict.chain.faults.first() {
        Some(ChainFault::UnknownKey { key_id, .. }) if verdict.chain.sound == 0 => {
            Err(Failure::configuration(format!(
                "the audit of this database was begun under key {key_id}, which is not configured: nothing can be verified. \
                 Write it as a [[key]], beside {} of [vault] audit_key if that has taken its place",
                config.vault.audit_key
            )))
        }
        _ => Ok(()),
    }
}

/// What a verification has to tell.
struct Verified {
    verdict: AuditVerdict,
    journal: Result<Vec<Head>, String>,
}

impl Verified {
    fn exit_code(&self) -> u8 {
        u8::from(!self.verdict.is_sound())
    }

    fn text(&self, config: &Config) -> String {
        let AuditVerdict { chain, files, items, runs, faults, more } = &self.verdict;
        let found = chain.faults.iter().map(ToString::to_string).chain(faults.iter().map(ToString::to_string));
        let mut lines: Vec<String> = found.map(|fault| format!("TAMPERED: {fault}.")).collect();
        if chain.more + more > 0 {
            lines.push(format!("TAMPERED: and {} times more.", chain.more + more));
        }
        if chain.sound == 0 && chain.entries > 0 {
            let key = &config.vault.audit_key;
            lines.push(format!("No entry fits its key at all: is {key} the key this database was used with?"));
        }
        if let Err(reason) = &self.journal {
            lines.push(format!("The journal of the spool was not read, so no head is known from there: {reason}."));
        }
        let verdict = if self.verdict.is_sound() { "is sound" } else { "was tampered with" };
        let entries = chain.entries;
        lines.push(format!(
            "The audit {verdict}: {entries} entries, {files} files with {items} items, {runs} reports of runs."
        ));
        lines.extend(chain.head.map(|head| format!("Audit head {head}")));
        lines.join("\n")
    }

    fn to_json(&self) -> Value {
        let AuditVerdict { chain, files, items, runs, faults, more } = &self.verdict;
        let of_chain =
            |fault: &ChainFault| json!({ "kind": fault.kind(), "number": fault.number(), "text": fault.to_string() });
        let mut findings: Vec<Value> = chain.faults.iter().map(of_chain).collect();
        findings.extend(faults.iter().map(|fault| {
            let (kind, number, subject) = (fault.kind(), fault.number(), fault.subject());
            json!({ "kind": kind, "number": number, "subject": subject, "text": fault.to_string() })
        }));
        let journal = self.journal.as_ref().ok().and_then(|heads| heads.last());
        json!({
            "command": "audit verify",
            "sound": self.verdict.is_sound(),
            "entries": chain.entries,
            "files": files,
            "items": items,
            "runs": runs,
            "findings": findings,
            "moreFindings": chain.more + more,
            "journalHead": journal.map(ToString::to_string),
            "journalTrouble": self.journal.as_ref().err(),
            "auditHead": chain.head.map(|head| head.to_string()),
            "exitCode": self.exit_code(),
        })
    }
}

async fn export(arguments: &ExportArguments, home: &Home<'_>) -> Result<u8, Failure> {
    let store = home.open_store().await?;
    let mut after = arguments.after;
    let mut out = io::stdout().lock();
    loop {
        let page = store.audit(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.number;
        for row in &page {
            if !is_wanted(writeln!(out, "{}", object(row)))? {
                return Ok(0);
            }
        }
    }
    is_wanted(out.flush())?;
    Ok(0)
}

/// One entry. `data` is its text as it was written, because the MAC is made over that.
fn object(row: &AuditRow) -> Value {
    json!({
        "number": row.number,
        "at": row.at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "reason": row.reason,
        "data": row.data,
        "keyId": row.key_id,
        "mac": hex::encode(&row.mac),
    })
}
