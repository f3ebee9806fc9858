//! What an earlier probe says about what the configuration believes of a destination.

use chrono::{DateTime, Utc};

use super::line::Line;
use crate::cli::errors::chain;
use crate::delivery::probe::Answers;
use crate::delivery::settings::DestinationSettings;
use crate::store::{ProbeRow, Store};

/// The lines about a destination's last probe; `identity` is what answers there now, where anything did.
pub(super) async fn judge(
    subject: &str,
    settings: &DestinationSettings,
    identity: Option<&str>,
    store: &dyn Store,
    now: DateTime<Utc>,
) -> Vec<Line> {
    match store.probe(settings.name()).await {
        Ok(kept) => lines(subject, settings, identity, kept.as_ref(), now),
        Err(error) => vec![Line::error(subject, format!("its last probe cannot be read: {}.", chain(&error)), "")],
    }
}

fn lines(
    subject: &str,
    settings: &DestinationSettings,
    identity: Option<&str>,
    kept: Option<&ProbeRow>,
    now: DateTime<Utc>,
) -> Vec<Line> {
    let believed = settings.rename_proves_publication();
    let again = format!("Run emboss check --probe {}, or write rename_proves_publication = false.", settings.name());
    let warning = |text: String| Line::warning(subject, text, again.as_str());
    let Some(kept) = kept else {
        let text = "rename_proves_publication = true, and no probe has shown what its server does.".to_owned();
        return if believed { vec![warning(text)] } else { Vec::new() };
    };
    let age = age(kept.at, now);
    let Ok(answers) = serde_json::from_str::<Answers>(&kept.answers) else {
        let text = format!("was probed {age} by a version whose answers this one does not know.");
        return if believed { vec![warning(text)] } else { vec![Line::good(subject, text)] };
    };
    let mut lines = vec![Line::good(subject, format!("was probed {age}."))];
    if believed {
        if identity.is_some_and(|identity| identity != kept.identity) {
            let text = format!(
                "rename_proves_publication = true, but what was probed {age} is another place: {}.",
                kept.identity
            );
            lines.push(warning(text));
        }
        let contradictions = answers.against_proof().into_iter();
        lines.extend(
            contradictions
                .map(|reason| warning(format!("rename_proves_publication = true, but by the probe {age} {reason}."))),
        );
    }
    lines
}

/// In whole days.
fn age(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match (now - at).num_days() {
        ..=0 => "today".to_owned(),
        1 => "a day ago".to_owned(),
        days => format!("{days} days ago"),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const ANSWERS: &str = r#"{"seesTemporaryFolder":true,"seesFinalFolder":true,"seesFiles":true,
        "createsExclusively":true,"setsMode":"done","mode":"0640","freeBytes":1,"renamesAcross":"done",
        "renamesVanished":{"refused":"no_such_file"},"renamesOntoTaken":{"refused":"failure"},
        "removesTemporary":"done","removesFinal":"done"}"#;

    fn now() -> DateTime<Utc> {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    fn settings(believed: bool) -> DestinationSettings {
        let text = format!(
            "kind = \"directory\"\nname = \"local\"\nenvironment = \"test\"\ndirectory = \"out\"\n\
             rename_proves_publication = {believed}"
        );
        toml::from_str(&text).unwrap()
    }

    fn kept(days: i64, answers: &str) -> ProbeRow {
        let (destination, identity) = ("local".to_owned(), "local 0 /out /out".to_owned());
        ProbeRow { destination, at: now() - TimeDelta::days(days), identity, answers: answers.to_owned() }
    }

    fn told(believed: bool, identity: &str, kept: Option<&ProbeRow>) -> Vec<String> {
        let lines = lines("destination local", &settings(believed), Some(identity), kept, now());
        lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn r137_what_is_believed_without_a_probe_is_a_warning() {
        assert_eq!(told(false, "local 0 /out /out", None), [""; 0]);
        assert_eq!(
            told(true, "local 0 /out /out", None),
            [
                "warning destination local: rename_proves_publication = true, and no probe has shown what its server does. \
              Run emboss check --probe local, or write rename_proves_publication = false."
            ]
        );
    }

    #[test]
    fn r137_a_probe_that_fits_is_told_with_its_age() {
        for (days, age) in [(0, "today"), (1, "a day ago"), (40, "40 days ago")] {
            for believed in [true, false] {
                let told = told(believed, "local 0 /out /out", Some(&kept(days, ANSWERS)));
                assert_eq!(told, [format!("ok      destination local: was probed {age}.")]);
            }
        }
    }

    #[test]
    fn r137_a_probe_of_another_place_or_with_other_answers_is_a_warning() {
        let another = told(true, "local 0 /other /other", Some(&kept(2, ANSWERS)));
        assert_eq!(another.len(), 2);
        assert!(another[1].contains("what was probed 2 days ago is another place: local 0 /out /out."), "{another:?}");
        let lies = ANSWERS.replace(r#""renamesVanished":{"refused":"no_such_file"}"#, r#""renamesVanished":"done""#);
        let told_of = told(true, "local 0 /out /out", Some(&kept(2, &lies)));
        assert_eq!(told_of.len(), 2);
        assert!(told_of[1].starts_with("warning ") && told_of[1].contains("says yes to the rename"), "{told_of:?}");
        assert_eq!(told(false, "local 0 /other /other", Some(&kept(2, &lies))).len(), 1, "nothing is believed");
        let unknown = told(true, "local 0 /out /out", Some(&kept(2, "{}")));
        assert_eq!(unknown.len(), 1);
        assert!(unknown[0].starts_with("warning "), "{unknown:?}");
    }

    #[test]
    fn a_place_that_does_not_answer_is_not_another_one() {
        let lines = lines("destination local", &settings(true), None, Some(&kept(2, ANSWERS)), now());
        assert_eq!(lines.len(), 1);
    }
}
