//! One fault at a time: what is not a whole answer of its own ends its connection, and the command is asked again.

use std::time::Duration;

use emboss::vault::CryptoError;
use emboss::vault::payshield::device::Device;
use emboss::vault::payshield::{asking, reply};

use crate::client::{ask, behaved, card, done, each, impatient, is_its_own, issue, pool, settings, within};
use crate::hsm::faults::{Act, When};
use crate::hsm::lmk::Dialect;
use crate::hsm::{Hsm, Setup};

fn device() -> Hsm {
    Hsm::start(&Setup::new(Dialect::Variant))
}

#[tokio::test]
async fn whatever_is_not_the_answer_ends_its_connection_and_is_asked_again() {
    let acts = [
        Act::Stall,
        Act::Late,
        Act::Reset(0),
        Act::Reset(1),
        Act::Reset(4),
        Act::Reset(12),
        Act::WrongHeader,
        Act::WrongLetters,
        Act::Twice,
        Act::Bytes(vec![0; 2]),
        Act::Bytes(vec![0xff; 64]),
        Act::Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        Act::ErrorAfter("41"),
        Act::ErrorAfter("42"),
        Act::ErrorAfter("\u{19}0"),
        // So many bytes are announced, and fewer come.
        Act::Bytes(b"\x00\x400002JB00".to_vec()),
    ];
    each(acts, async |act| {
        let hsm = device();
        hsm.fail(When::command("JA").times(1), act.clone());
        let pool = pool(&impatient(&[&hsm]));
        let (first, second) = (card(1), card(2));
        let pin = issue(&pool, &first).await.unwrap_or_else(|error| panic!("{act:?}: {error}"));
        is_its_own(&[&hsm], &first, &pin);
        is_its_own(&[&hsm], &second, &issue(&pool, &second).await.unwrap());
        behaved(&[&hsm]);
        assert!(hsm.journal().connections() > 1, "{act:?}: the connection was used again");
    })
    .await;
}

#[tokio::test]
async fn an_answer_in_pieces_or_after_a_while_is_still_the_answer() {
    for act in [Act::Split, Act::Delay(Duration::from_millis(300))] {
        let hsm = device();
        hsm.fail(When::always(), act);
        let pool = pool(&settings(&[&hsm]));
        for number in 0..3 {
            is_its_own(&[&hsm], &card(number), &issue(&pool, &card(number)).await.unwrap());
        }
        behaved(&[&hsm]);
        assert_eq!((hsm.journal().connections(), hsm.made().len()), (1, 3));
    }
}

#[tokio::test]
async fn attempts_have_an_end() {
    each([Act::Stall, Act::Reset(3), Act::ErrorAfter("41"), Act::WrongHeader], async |act| {
        let hsm = device();
        hsm.fail(When::command("JA"), act.clone());
        let failed = issue(&pool(&impatient(&[&hsm])), &card(1)).await.unwrap_err();
        assert!(matches!(failed, CryptoError::Transient(_)), "{act:?}: {failed:?}");
        assert!(failed.to_string().contains(&hsm.address()), "{failed}");
        assert_eq!(hsm.journal().of("JA").len(), 3, "{act:?}");
        behaved(&[&hsm]);
    })
    .await;
}

#[tokio::test]
async fn a_device_that_is_not_there_is_transient() {
    let hsm = device();
    hsm.die();
    let pool = pool(&settings(&[&hsm]));
    let failed = issue(&pool, &card(1)).await.unwrap_err();
    assert!(matches!(failed, CryptoError::Transient(_)), "{failed:?}");
    assert!(matches!(within(pool.health()).await, Err(CryptoError::Transient(_))));
    hsm.come_back();
    assert_eq!(within(pool.health()).await, Ok(()));
    is_its_own(&[&hsm], &card(1), &issue(&pool, &card(1)).await.unwrap());
}

#[tokio::test]
async fn error_codes_are_answers_and_are_not_asked_again() {
    let hsm = device();
    let pool = pool(&settings(&[&hsm]));
    let codes = ["14", "15", "20", "22", "24", "81", "86", "10", "13", "29", "67", "68", "69", "A4", "B2", "99"];
    for (number, code) in (0_u32..).zip(codes) {
        let account = crate::hsm::account_of(card(number).expose());
        hsm.fail(When::command("JA").for_account(&account), Act::Error(code));
        let answer = ask(&pool, asking::random_pin(&card(number))).await.unwrap();
        assert_eq!(answer.error, code);
        let refused = reply::random_pin(&answer).unwrap_err();
        let of_card = ["14", "15", "20", "22", "24", "81", "86"].contains(&code);
        assert_eq!(matches!(refused, CryptoError::Card(_)), of_card, "{code}");
        assert_eq!(matches!(refused, CryptoError::Configuration(_)), !of_card, "{code}");
    }
    assert_eq!(hsm.journal().of("JA").len(), codes.len());
    assert_eq!(hsm.journal().connections(), 1);
    behaved(&[&hsm]);
}

#[tokio::test]
async fn a_connection_that_the_device_closed_meanwhile_costs_no_attempt() {
    let hsm = device();
    let pool = pool(&crate::client::settings(&[&hsm]));
    for number in 0..4 {
        is_its_own(&[&hsm], &card(number), &issue(&pool, &card(number)).await.unwrap());
        hsm.hang_up();
        // Until the client's side has seen the end of it.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(hsm.journal().of("JA").len(), 4);
    behaved(&[&hsm]);
}

#[tokio::test]
async fn who_stops_waiting_leaves_no_answer_for_the_next() {
    let hsm = device();
    hsm.fail(When::command("JA").times(1), Act::Delay(Duration::from_millis(400)));
    let pool = pool(&settings(&[&hsm]));
    done(&pool, asking::diagnostics()).await;
    let asking = tokio::spawn({
        let pool = std::sync::Arc::clone(&pool);
        async move { issue(&pool, &card(1)).await }
    });
    within(async {
        while hsm.journal().of("JA").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    asking.abort();
    drop(asking.await);
    is_its_own(&[&hsm], &card(2), &issue(&pool, &card(2)).await.unwrap());
    let asked = hsm.journal().of("JA");
    assert_eq!(asked.len(), 2);
    assert_ne!(asked[0].connection, asked[1].connection);
    behaved(&[&hsm]);
}

#[tokio::test]
async fn another_lmk_is_never_asked_for_anything() {
    let hsm = device();
    hsm.show_check_value("0123456789ABCDEF");
    let pool = pool(&settings(&[&hsm]));
    let failed = issue(&pool, &card(1)).await.unwrap_err();
    let CryptoError::Configuration(text) = &failed else { panic!("{failed:?}") };
    assert!(text.contains("0123456789ABCDEF") && text.contains(&hsm.address()), "{text}");
    assert!(matches!(within(pool.health()).await, Err(CryptoError::Configuration(_))));
    assert!(hsm.journal().codes().iter().all(|code| code == "NC"), "{:?}", hsm.journal().codes());
    let (own, other) = (device(), Hsm::start(&Setup { seed: 7, ..Setup::new(Dialect::Variant) }));
    let pool = crate::client::pool(&crate::client::PayShieldSettings {
        lmk_check_value: own.check_value(),
        ..settings(&[&other, &own])
    });
    is_its_own(&[&own], &card(1), &issue(&pool, &card(1)).await.unwrap());
    assert!(other.journal().codes().iter().all(|code| code == "NC"));
}

#[tokio::test]
async fn a_device_that_takes_a_connection_and_says_nothing_is_not_waited_for_without_an_end() {
    let hsm = device();
    hsm.fail(When::command("NC"), Act::Stall);
    let failed = issue(&pool(&impatient(&[&hsm])), &card(1)).await.unwrap_err();
    assert!(matches!(failed, CryptoError::Transient(_)), "{failed:?}");
    assert!(hsm.made().is_empty());
    behaved(&[&hsm]);
}

#[tokio::test]
async fn headers_are_as_long_as_the_device_wants_them() {
    for header_length in [1, 4, 12] {
        let hsm = Hsm::start(&Setup { header_length, ..Setup::new(Dialect::Variant) });
        let header_length = u32::try_from(header_length).unwrap();
        let pool = pool(&crate::client::PayShieldSettings { header_length, ..settings(&[&hsm]) });
        for number in 0..3 {
            is_its_own(&[&hsm], &card(number), &issue(&pool, &card(number)).await.unwrap());
        }
        behaved(&[&hsm]);
    }
    let hsm = Hsm::start(&Setup { header_length: 8, ..Setup::new(Dialect::Variant) });
    assert!(issue(&pool(&impatient(&[&hsm])), &card(1)).await.is_err(), "another length is nothing the device answers");
    assert!(hsm.made().is_empty());
}
