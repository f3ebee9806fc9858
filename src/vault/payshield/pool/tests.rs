//! The pool against a device that answers as it is told, right or wrong.

mod scripted;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::vault::settings::LmkDialect;
use scripted::{Act, Asked, NC, Scripted, serve};

fn settings(devices: &[&Scripted]) -> PayShieldSettings {
    PayShieldSettings {
        lmk: LmkDialect::Variant,
        lmk_check_value: "9D04A0".to_owned(),
        devices: devices.iter().map(|device| device.address.to_string()).collect(),
        connections: 1,
        commands_per_s: None,
        timeout_ms: 500,
        attempts: 3,
        header_length: 4,
        tls: None,
    }
}

fn pool(devices: &[&Scripted]) -> Pool {
    Pool::of(&settings(devices), None).unwrap()
}

/// Asks JA; no test waits for ever.
async fn ask(pool: &Pool) -> Result<String, CryptoError> {
    let command = Command::new(*b"JA", "00012345678904");
    let reply = timeout(Duration::from_secs(30), pool.ask(&command)).await.expect("an end");
    reply.map(|reply| format!("{}{}", reply.error, String::from_utf8_lossy(&reply.fields)))
}

fn letters(expected: &[(usize, &str)]) -> Vec<(usize, String)> {
    expected.iter().map(|(connection, letters)| (*connection, (*letters).to_owned())).collect()
}

#[tokio::test]
async fn one_connection_is_proven_once_and_used_again() {
    let device = Scripted::of(|_| Act::Answer(b"JB0001234")).await;
    let pool = pool(&[&device]);
    assert_eq!(device.letters(), [], "nothing before the first command");
    for _ in 0..3 {
        assert_eq!(ask(&pool).await.unwrap(), "0001234");
    }
    assert_eq!(device.letters(), letters(&[(0, "NC"), (0, "JA"), (0, "JA"), (0, "JA")]));
    let headers: BTreeSet<String> = device.asked().into_iter().map(|(_, header, _)| header).collect();
    assert_eq!(headers.len(), 4, "{headers:?}");
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed() {
    let device = Scripted::of(|_| Act::Answer(b"JB0001234")).await;
    let pool = pool(&[&device]);
    pool.roster().idle_max = Duration::from_millis(100);
    for connections in 1..3 {
        assert_eq!(ask(&pool).await.unwrap(), "0001234");
        let closed = async {
            while device.ended.load(Ordering::SeqCst) < connections {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(30), closed).await.expect("the device sees the end of the connection");
    }
    assert_eq!(device.letters(), letters(&[(0, "NC"), (0, "JA"), (1, "NC"), (1, "JA")]));
}

#[tokio::test]
async fn an_answer_in_pieces_is_put_together() {
    let device = Scripted::of(|_| Act::Split(b"JB0001234")).await;
    assert_eq!(ask(&pool(&[&device])).await.unwrap(), "0001234");
}

#[tokio::test]
async fn an_error_code_is_an_answer() {
    let device = Scripted::of(|_| Act::Answer(b"JB20")).await;
    let pool = pool(&[&device]);
    assert_eq!(ask(&pool).await.unwrap(), "20");
    assert_eq!(ask(&pool).await.unwrap(), "20");
    assert_eq!(device.letters(), letters(&[(0, "NC"), (0, "JA"), (0, "JA")]), "and its connection is as good as new");
}

/// Whatever is wrong with the first answer, the second try is over another connection and gets its own.
#[tokio::test]
async fn after_anything_but_a_whole_answer_the_connection_is_never_used_again() {
    type Wrong = (&'static str, fn() -> Act);
    let wrong: [Wrong; 8] = [
        ("another header", || Act::Foreign(b"JB0099999")),
        ("another command's", || Act::Answer(b"DH0099999")),
        ("cut off", || Act::Cut(b"JB0099999", 9)),
        ("no byte", || Act::Cut(b"JB0099999", 0)),
        ("a byte behind it", || Act::AndMore(b"JB0099999", b"x")),
        ("another answer behind it", || Act::AndMore(b"JB0099999", b"\0\x0d0002JB0088888")),
        ("too late", || Act::Late(b"JB0099999")),
        ("a fault of the device", || Act::Answer(b"JB41")),
    ];
    for (what, act) in wrong {
        let device = Scripted::of(move |number| if number == 0 { act() } else { Act::Answer(b"JB0001234") }).await;
        let pool = pool(&[&device]);
        assert_eq!(ask(&pool).await.unwrap(), "0001234", "{what}");
        assert_eq!(ask(&pool).await.unwrap(), "0001234", "{what}");
        let expected = letters(&[(0, "NC"), (0, "JA"), (1, "NC"), (1, "JA"), (1, "JA")]);
        assert_eq!(device.letters(), expected, "{what}");
    }
}

#[tokio::test]
async fn a_byte_between_two_requests_ends_the_connection() {
    let (say, said) = tokio::sync::oneshot::channel::<()>();
    let said = Arc::new(tokio::sync::Mutex::new(Some(said)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let noted: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let asked = Arc::clone(&noted);
    let listening = tokio::spawn(async move {
        for connection in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = stream.into_std().unwrap();
            let own = TcpStream::from_std(stream.try_clone().unwrap()).unwrap();
            let (asked, said) = (Arc::clone(&asked), Arc::clone(&said));
            tokio::spawn(async move {
                let act = |_, letters: &str| Act::Answer(if letters == "NC" { NC } else { b"JB0001234" });
                serve(connection, own, &act, &asked).await
            });
            let mut other = TcpStream::from_std(stream).unwrap();
            tokio::spawn(async move {
                if let Some(said) = said.lock().await.take() {
                    said.await.unwrap();
                    other.write_all(b"\0\x0d0003JB0099999").await.unwrap();
                }
                std::future::pending::<()>().await;
            });
        }
    });
    let device = Scripted { address, asked: noted, ended: Arc::default(), listening };
    let pool = pool(&[&device]);
    assert_eq!(ask(&pool).await.unwrap(), "0001234");
    say.send(()).unwrap();
    // Seen before the next request, or by its header: either way nobody gets it.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(ask(&pool).await.unwrap(), "0001234");
    assert_eq!(device.letters().last().unwrap().0, 1, "over another connection");
}

#[tokio::test]
async fn whoever_stops_waiting_takes_the_connection_along() {
    let device = Scripted::of(|number| if number == 0 { Act::Late(b"JB0099999") } else { Act::Answer(b"JB0001234") });
    let device = device.await;
    let pool = Arc::new(pool(&[&device]));
    let asking = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { ask(&pool).await }
    });
    let sent = async {
        while device.letters().len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(10), sent).await.expect("the command is in flight");
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    assert_eq!(ask(&pool).await.unwrap(), "0001234", "and its place is free again");
    assert_eq!(device.letters(), letters(&[(0, "NC"), (0, "JA"), (1, "NC"), (1, "JA")]));
}

#[tokio::test]
async fn attempts_are_bounded_and_their_end_says_device_command_and_what_to_do() {
    let device = Scripted::of(|_| Act::Late(b"JB0099999")).await;
    let pool = pool(&[&device]);
    let expected = format!(
        "payment HSM {} did not answer JA within 500 ms: see whether it works and how loaded it is, then run again",
        device.address
    );
    assert_eq!(ask(&pool).await, Err(CryptoError::Transient(expected)));
    let expected = letters(&[(0, "NC"), (0, "JA"), (1, "NC"), (1, "JA"), (2, "NC"), (2, "JA")]);
    assert_eq!(device.letters(), expected);
}

#[tokio::test]
async fn a_device_that_fails_is_left_alone_and_another_one_asked() {
    let first = Scripted::of(|_| Act::Cut(b"JB0099999", 3)).await;
    let second = Scripted::of(|_| Act::Answer(b"JB0001234")).await;
    let pool = pool(&[&first, &second]);
    for _ in 0..3 {
        assert_eq!(ask(&pool).await.unwrap(), "0001234");
    }
    assert_eq!(first.letters(), letters(&[(0, "NC"), (0, "JA")]));
    assert_eq!(second.letters(), letters(&[(0, "NC"), (0, "JA"), (0, "JA"), (0, "JA")]));
}

#[tokio::test]
async fn a_device_that_nobody_finds_costs_no_attempt_while_there_is_another() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let second = Scripted::of(|_| Act::Answer(b"JB0001234")).await;
    let mut settings = settings(&[&second]);
    settings.attempts = 1;
    settings.devices.insert(0, gone.to_string());
    let pool = Pool::of(&settings, None).unwrap();
    assert_eq!(ask(&pool).await.unwrap(), "0001234");
    settings.devices.pop();
    let error = ask(&Pool::of(&settings, None).unwrap()).await.unwrap_err();
    let CryptoError::Transient(text) = error else { panic!("{error:?}") };
    assert!(text.starts_with(&format!("payment HSM {gone} cannot be reached (")), "{text}");
}

#[tokio::test]
async fn a_device_with_another_lmk_gets_no_command() {
    let other = Scripted::device(|_, _| Act::Answer(b"ND002686040000000000001500-0023")).await;
    let pool_of_one = pool(&[&other]);
    let expected = format!(
        "payment HSM {} has another LMK than the configuration says, with check value 2686040000000000, and is not used: \
         load the right LMK, or correct vault.payshield.lmk_check_value",
        other.address
    );
    assert_eq!(ask(&pool_of_one).await, Err(CryptoError::Configuration(expected.clone())));
    assert_eq!(pool_of_one.health().await, Err(CryptoError::Configuration(expected)));
    assert_eq!(other.letters(), letters(&[(0, "NC"), (1, "NC")]));
    let right = Scripted::of(|_| Act::Answer(b"JB0001234")).await;
    let pool = pool(&[&other, &right]);
    assert_eq!(ask(&pool).await.unwrap(), "0001234", "another device goes on");
    assert_eq!(other.letters().len(), 3);
    assert_eq!(pool.health().await, Ok(()));
}

#[tokio::test]
async fn a_device_that_refuses_nc_is_not_used() {
    let device = Scripted::device(|_, _| Act::Answer(b"ND68")).await;
    let expected = format!(
        "payment HSM {} is not used: the payment HSM answered NC with error 68: \
         the command is disabled; enable it at the device's console",
        device.address
    );
    assert_eq!(ask(&pool(&[&device])).await, Err(CryptoError::Configuration(expected)));
}

#[tokio::test]
async fn one_request_is_in_flight_on_each_connection_and_so_many_at_once() {
    let (first, second) =
        (Scripted::of(|_| Act::Split(b"JB0001234")).await, Scripted::of(|_| Act::Split(b"JB0001234")).await);
    let mut settings = settings(&[&first, &second]);
    settings.connections = 3;
    let pool = Arc::new(Pool::of(&settings, None).unwrap());
    assert_eq!(pool.at_once(), 6);
    let asking: Vec<_> = (0..40)
        .map(|_| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move { ask(&pool).await })
        })
        .collect();
    for asking in asking {
        assert_eq!(asking.await.unwrap().unwrap(), "0001234");
    }
    for device in [&first, &second] {
        let connections: BTreeSet<usize> = device.letters().into_iter().map(|(connection, _)| connection).collect();
        assert_eq!(connections.len(), 3, "all of them are used, and kept");
    }
    let asked = first.asked().into_iter().chain(second.asked());
    let headers: BTreeSet<String> = asked.map(|(_, header, _)| header).collect();
    assert_eq!(headers.len(), 46, "40 commands and NC on each connection, each under a header of its own");
}

#[test]
fn settings_that_do_not_do_are_all_told() {
    let mut settings = settings(&[]);
    assert_eq!(Pool::of(&settings, None).unwrap_err(), ["payshield.devices names none"]);
    settings.devices = vec!["hsm1".to_owned()];
    let files = TlsFiles {
        authority: Vec::new(),
        certificate: b"no".to_vec(),
        private_key: Vec::new().into(),
        server_name: None,
    };
    let faults = Pool::of(&settings, Some(&files)).unwrap_err();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert_eq!(faults[1], "payshield.tls certificate_file holds no PEM certificate");
}
