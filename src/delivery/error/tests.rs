//! What each error says, and whether it is tried again.

use super::RetryClass::{AskOperator, PermanentTonight, Retry, StopDestination};
use super::*;

fn refused(step: Step, refusal: Refusal) -> DeliveryError {
    DeliveryError::Refused { destination: "factory-x".into(), step, subject: "/in/T.1.part".into(), refusal }
}

const STEPS: [Step; 11] = [
    Step::Connect,
    Step::Negotiate,
    Step::Authenticate,
    Step::OpenSftp,
    Step::Stat,
    Step::Create,
    Step::Write,
    Step::Close,
    Step::SetMode,
    Step::Rename,
    Step::Unlink,
];

/// One of each kind, with the class it must have.
fn one_of_each() -> Vec<(DeliveryError, RetryClass, &'static str)> {
    let destination = || "factory-x".to_owned();
    let subject = || "/in/T.1.part".to_owned();
    let text = || "why".to_owned();
    let io = || std::io::Error::from(std::io::ErrorKind::NotFound);
    vec![
        (DeliveryError::Settings { destination: destination(), reason: text() }, StopDestination, "settings"),
        (DeliveryError::PrivateKey { destination: destination(), reason: text() }, StopDestination, "settings"),
        (
            DeliveryError::HostKey {
                destination: destination(),
                address: "sftp.example:22".into(),
                expected: "SHA256:a".into(),
                found: "SHA256:b".into(),
            },
            StopDestination,
            "negotiate",
        ),
        (
            DeliveryError::Authentication { destination: destination(), user: "bank".into(), reason: text() },
            StopDestination,
            "authenticate",
        ),
        (
            DeliveryError::Lost { destination: destination(), step: Step::Write, subject: subject(), reason: text() },
            Retry,
            "write",
        ),
        (refused(Step::Create, Refusal::PermissionDenied), PermanentTonight, "create"),
        (refused(Step::Rename, Refusal::Other(21)), AskOperator, "rename"),
        (DeliveryError::Deadline { destination: destination(), subject: subject(), deadline_s: 1800 }, Retry, "write"),
        (DeliveryError::Stopped { destination: destination(), subject: subject() }, PermanentTonight, "write"),
        (DeliveryError::Size { destination: destination(), subject: subject(), sent: 2, found: 1 }, Retry, "close"),
        (
            DeliveryError::Changed { destination: destination(), subject: subject(), expected: text(), sent: text() },
            PermanentTonight,
            "spool",
        ),
        (DeliveryError::Read { path: "/spool/f.pgp".into(), source: io() }, PermanentTonight, "spool"),
    ]
}

#[test]
fn every_error_has_a_class_and_a_phase() {
    for (error, class, phase) in one_of_each() {
        assert_eq!((error.retry_class(), error.phase()), (class, phase), "{error}");
    }
}

/// House and operation and path, wherever there is one.
#[test]
fn fault_15_every_error_names_its_destination_and_its_subject() {
    for (error, ..) in one_of_each() {
        let text = error.to_string();
        let names_place = ["/in/T.1.part", "sftp.example:22", "/spool/f.pgp", "bank", "key_file", ": why"];
        assert!(names_place.iter().any(|place| text.contains(place)), "{text}");
        assert!(text.contains("destination factory-x") || text.contains("/spool/"), "{text}");
    }
    for step in STEPS {
        let text = refused(step, Refusal::Failure).to_string();
        assert!(text.contains(&format!("refused to {step} /in/T.1.part")), "{text}");
    }
}

#[test]
fn fault_14_and_15_what_another_try_cannot_change_is_permanent() {
    for step in STEPS {
        for refusal in [Refusal::NoSuchFile, Refusal::PermissionDenied, Refusal::NoSpace, Refusal::Unsupported] {
            let error = refused(step, refusal);
            assert_eq!(error.retry_class(), RetryClass::PermanentTonight, "{error}");
        }
    }
    // SFTP version 3 has no status for a full disk: a WRITE that fails is the only sign.
    assert_eq!(refused(Step::Write, Refusal::Failure).retry_class(), RetryClass::PermanentTonight);
    assert_eq!(refused(Step::Create, Refusal::Failure).retry_class(), RetryClass::Retry);
    assert_eq!(refused(Step::Rename, Refusal::Failure).retry_class(), RetryClass::Retry);
}

#[test]
fn an_unknown_status_is_for_the_operator_whatever_was_asked() {
    for step in STEPS {
        let error = refused(step, Refusal::Other(21));
        assert_eq!(error.retry_class(), RetryClass::AskOperator, "{error}");
        assert!(error.to_string().contains("status 21; ask the house what its server means"), "{error}");
    }
}

#[test]
fn the_class_does_not_depend_on_the_text() {
    for reason in ["permission denied", "Authentication failed", "no such file", ""] {
        let lost = DeliveryError::Lost {
            destination: "factory-x".into(),
            step: Step::Authenticate,
            subject: "sftp.example:22".into(),
            reason: reason.into(),
        };
        assert_eq!(lost.retry_class(), RetryClass::Retry);
    }
}
