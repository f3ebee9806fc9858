//! `emboss check --probe`: what is told, what it needs, and that nothing stays there.

use std::fs;

use serde_json::{Value, json};

use crate::support::sshd::{Options, Sshd, WRITE_ONLY};
use crate::support::trial::{Trial, names};

/// The texts of the probe's lines.
fn told(object: &Value) -> Vec<&str> {
    let findings = object["findings"].as_array().unwrap().iter();
    findings.filter(|line| line["subject"].as_str().unwrap().starts_with("probe of")).map(text).collect()
}

fn text(finding: &Value) -> &str {
    finding["text"].as_str().unwrap()
}

#[test]
fn a_probe_of_a_server_shows_every_answer() {
    let trial = Trial::new();
    let house = Sshd::start();
    trial.send_to(&house);
    let people = trial.run(&["check", "--probe", "factory-x", "--names", "agreed"]).exits(0).says(&[
        "info    probe of factory-x: RENAME onto a name that is taken is refused: failure.",
        "info    probe of factory-x: RENAME of a temporary file that is gone is refused: no such file or folder.",
        "Nothing stands in the way of a night.",
    ]);
    assert_eq!(people.stderr, "");
    let object = trial.run(&["check", "--probe", "factory-x", "--names", "agreed", "--json"]).exits(0).object();
    let told = told(&object);
    for expected in [
        "final folder: stat allowed; temporary folder: stat allowed; our files: stat allowed.",
        "a name that is there cannot be created again.",
        "delivered files have mode 0640.",
        "RENAME from the temporary folder to the final one works.",
        "we may remove temporary files of ours.",
        "the final test file stayed until we removed it.",
        "rename_proves_publication = true is possible, once the house has said that it sweeps no temporary files.",
    ] {
        assert!(told.contains(&expected), "{expected}: {told:#?}");
    }
    assert!(told.iter().any(|text| text.ends_with(" MiB free for us.")), "{told:#?}");
    let probe = &object["probe"];
    assert_eq!((&probe["destination"], &probe["names"]), (&json!("factory-x"), &json!("agreed")));
    assert!(probe["identity"].as_str().unwrap().starts_with(&house.fingerprint("ed25519")), "{probe}");
    assert_eq!((&probe["answers"]["renamesAcross"], &probe["leftOver"]), (&json!("done"), &json!([])));
    assert_eq!(names(&house.incoming()), [""; 0]);
}

#[test]
fn a_probe_of_a_folder_works_too_and_a_plain_check_writes_nothing() {
    let trial = Trial::new();
    trial
        .run(&["check", "--probe", "local"])
        .exits(0)
        .says(&["info    probe of local: RENAME onto a name that is taken is refused: the name is taken."]);
    assert_eq!(trial.delivered(), [""; 0]);
    let plain = trial.run(&["check"]).exits(0);
    assert!(!plain.both().contains("probe of"), "{}", plain.both());
}

#[test]
fn fault_16_a_probe_of_a_write_only_box_says_what_cannot_be_believed() {
    let trial = Trial::new();
    let house = Sshd::with(Options { sftp: WRITE_ONLY, ..Options::default() });
    trial.send_to(&house);
    let writes = "file_mode = \"0640\"\nrename_proves_publication = true";
    trial.configure_more(writes);
    let object = trial.run(&["check", "--probe", "factory-x", "--json"]).exits(0).object();
    let told = told(&object);
    for expected in [
        "final folder: stat denied; temporary folder: stat denied; our files: stat denied.",
        "rename_proves_publication = true does not fit: the server does not show its folders, without which nothing is believed.",
    ] {
        assert!(told.contains(&expected), "{expected}: {told:#?}");
    }
    let warnings = object["findings"].as_array().unwrap().iter().filter(|line| line["level"] == "warning");
    let actions: Vec<&str> = warnings.map(|line| line["action"].as_str().unwrap()).collect();
    for expected in ["Write profile = \"write-only\" for this destination.", "Write rename_proves_publication = false."]
    {
        assert!(actions.contains(&expected), "{expected}: {actions:#?}");
    }
    assert_eq!(names(&house.incoming()), [""; 0]);
}

#[test]
fn what_cannot_be_removed_is_told_by_its_path() {
    let trial = Trial::new();
    let house = Sshd::with(Options { sftp: "-P remove", ..Options::default() });
    trial.send_to(&house);
    let outcome = trial.run(&["check", "--probe", "factory-x", "--names", "agreed"]).exits(0);
    let left = names(&house.incoming());
    assert_eq!(left, ["agreed.1", "agreed.2.part", "agreed.3.part"]);
    for name in left {
        let line = format!("the test file {} may be still there. Ask the house", house.incoming().join(name).display());
        assert!(outcome.stdout.contains(&line), "{line}: {}", outcome.stdout);
    }
    // The names are taken now: a second probe stops there, and removes nothing that it did not make.
    trial
        .run(&["check", "--probe", "factory-x", "--names", "agreed"])
        .exits(1)
        .says(&["error   probe of factory-x: ", "agreed.1: the name is taken"]);
    assert_eq!(names(&house.incoming()).len(), 3);
}

#[test]
fn real_cards_need_a_word_and_agreed_names() {
    let trial = Trial::new();
    trial.go_live();
    let refused = trial.run(&["check", "--probe", "local"]).exits(2);
    assert!(refused.stderr.contains("agree on the names of test files with the house"), "{}", refused.stderr);
    trial.run(&["check", "--probe", "local", "--names", "agreed", "--yes-live"]).says(&["probe of local: RENAME"]);
    assert_eq!(trial.delivered(), [""; 0]);
}

#[test]
fn what_a_probe_cannot_be_asked_for() {
    let trial = Trial::new();
    for (arguments, says) in [
        (&["check", "--probe", "nowhere"][..], "--probe nowhere is not in the configuration"),
        (&["check", "--probe", "local", "--names", "../up"], "--names must be 1 to 64 letters"),
        (&["check", "--names", "agreed"], "--probe <DESTINATION>"),
        (&["check", "--yes-live"], "--probe <DESTINATION>"),
    ] {
        let refused = trial.run(arguments).exits(2);
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
}

#[test]
fn a_destination_that_cannot_be_probed_is_an_error() {
    let trial = Trial::new();
    fs::remove_dir(trial.path("out")).unwrap();
    let object = trial.run(&["check", "--probe", "local", "--json"]).exits(1).object();
    let told = told(&object);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("refused to stat") && told[0].contains("/out"), "{told:?}");
    assert_eq!(object["probe"]["answers"], Value::Null);
}

#[test]
fn r137_what_a_probe_found_out_is_kept_and_what_it_contradicts_is_a_warning() {
    let trial = Trial::new();
    let house = Sshd::start();
    trial.send_to(&house);
    trial.configure_more("rename_proves_publication = true");
    let warned = |identity: &str| {
        let object = trial.run(&["check", "--json"]).exits(0).object();
        let findings = object["findings"].as_array().unwrap();
        assert_eq!(findings.len(), 1, "{object}");
        assert_eq!(
            (&findings[0]["level"], &findings[0]["subject"]),
            (&json!("warning"), &json!("destination factory-x"))
        );
        assert!(text(&findings[0]).contains(identity), "{object}");
    };
    warned("no probe has shown what its server does");
    let probed = trial.run(&["check", "--probe", "factory-x", "--json"]).exits(0).object();
    assert!(probed["probe"]["at"].as_str().unwrap().ends_with('Z'), "{probed}");
    trial.run(&["check"]).exits(0).says(&["ok      destination factory-x: was probed today."]);
    assert_eq!(trial.run(&["check", "--json"]).exits(0).object(), json!({ "findings": [], "exitCode": 0 }));
    // The same server, another folder: what was found out is not of that place.
    let other = house.incoming().with_file_name("other");
    fs::create_dir(&other).unwrap();
    trial.configure(&house.incoming().display().to_string(), &other.display().to_string());
    warned("is another place");
    trial.run(&["check", "--probe", "factory-x"]).exits(0).says(&["nothing here speaks against"]);
    assert_eq!(trial.run(&["check", "--json"]).exits(0).object(), json!({ "findings": [], "exitCode": 0 }));
}
