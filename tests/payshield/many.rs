//! Many cards at once, and everything going wrong between them: nobody is ever given another card's PIN.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use emboss::agreement::Cvv2Expiry;
use emboss::ambient::Random;
use emboss::card::{Cvv, Expiry, Pan, PinBlock, PinBlockFormat};
use emboss::vault::key_set::CVV_KEY;
use emboss::vault::payshield::device::Device;
use emboss::vault::payshield::pool::Pool;
use emboss::vault::{CardCrypto, CryptoError, CvvSpec, IssuedPin, Vault};

use crate::client::{
    PayShieldSettings, behaved, card, is_its_own, issue, keys_of, pool, pvv_spec, settings, vault, within,
};
use crate::hsm::faults::{Act, When, drawn};
use crate::hsm::lmk::{Dialect, PinForm};
use crate::hsm::{Hsm, Setup, account_of, blocks, ciphers, vector_key};

/// PINs for so many cards, all asked for at once.
async fn issued(pool: &Arc<Pool>, cards: std::ops::Range<u32>) -> Vec<(u32, Result<Vec<u8>, CryptoError>)> {
    let asking: Vec<_> = cards
        .map(|number| {
            let pool = Arc::clone(pool);
            tokio::spawn(async move { (number, issue(&pool, &card(number)).await) })
        })
        .collect();
    let mut outcomes = Vec::new();
    for asked in asking {
        outcomes.push(within(asked).await.unwrap());
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_connections_than_configured_and_one_command_on_each() {
    let hsm = Hsm::start(&Setup::new(Dialect::Variant));
    hsm.fail(When::always(), Act::Delay(Duration::from_millis(3)));
    let pool = pool(&PayShieldSettings { connections: 3, ..settings(&[&hsm]) });
    assert_eq!(pool.at_once(), 3);
    for (number, outcome) in issued(&pool, 0..150).await {
        is_its_own(&[&hsm], &card(number), &outcome.unwrap());
    }
    let journal = hsm.journal();
    assert_eq!((journal.connections(), journal.most_open()), (3, 3));
    assert_eq!(journal.pins_asked().len(), 150);
    assert!(journal.pins_asked().values().all(|asked| *asked == 1));
    behaved(&[&hsm]);
}

/// Of a thousand commands so many each; a seed leaves some of them out.
fn weather(seed: u64) -> Vec<(u32, Act)> {
    let all = [
        (60, Act::Crossed),
        (30, Act::Late),
        (60, Act::Delay(Duration::from_millis(20))),
        (40, Act::Delay(Duration::from_millis(u64::from(WAITED_MS) + 100))),
        (30, Act::Twice),
        (20, Act::Stall),
        (30, Act::Reset(5)),
        (30, Act::WrongHeader),
        (20, Act::WrongLetters),
        (30, Act::ErrorAfter("41")),
        (60, Act::Split),
    ];
    let kept = |(at, _): &(usize, (u32, Act))| !drawn(seed, &format!("act {at}")).is_multiple_of(3);
    all.into_iter().enumerate().filter(kept).map(|(_, act)| act).collect()
}

/// How long an answer is waited for while everything goes wrong.
const WAITED_MS: u32 = 250;

/// A number of the environment: `HSM_SEED` is the first day, `HSM_CASES` how many are played.
fn told(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |number| number.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_answer_never_becomes_another_cards_pin() {
    let (first, cases) = (told("HSM_SEED", 0), told("HSM_CASES", 12));
    let seeds: Vec<u64> = (first..first + cases).collect();
    let mut given = 0;
    for seeds in seeds.chunks(12) {
        // Beside each other, since most of a bad day is waiting.
        let days: Vec<_> = seeds.iter().map(|seed| (seed, tokio::spawn(a_bad_day(*seed)))).collect();
        for (seed, day) in days {
            given += within(day).await.unwrap_or_else(|error| panic!("HSM_SEED={seed} HSM_CASES=1: {error}"));
        }
    }
    let asked = u64::from(CARDS) * cases;
    assert!(given * 2 > asked, "{given} of {asked} cards got all they need: too bad a day to prove much");
}

/// Cards of a bad day.
const CARDS: u32 = 30;

/// Everything that thirty cards need, on one or two devices in the weather of a seed; gives how many got it.
async fn a_bad_day(seed: u64) -> u64 {
    let dialect = if seed.is_multiple_of(2) { Dialect::Variant } else { Dialect::KeyBlock };
    let setup = |unit| Setup { unit, seed, ..Setup::new(dialect) };
    let devices = [Hsm::start(&setup(0)), Hsm::start(&setup(1))];
    let devices: Vec<&Hsm> = devices.iter().take(if seed.is_multiple_of(3) { 1 } else { 2 }).collect();
    for (device, at) in devices.iter().zip(0..) {
        device.fail_by_chance(seed * 2 + at, &weather(seed));
    }
    let connections = 1 + drawn(seed, "connections") % 5;
    let settings = PayShieldSettings { connections, timeout_ms: WAITED_MS, attempts: 4, ..settings(&devices) };
    let vault = vault(devices[0], settings);
    let making: Vec<_> = (0..CARDS)
        .map(|number| {
            let crypto = Arc::clone(vault.crypto());
            tokio::spawn(async move { (card(number), made(&*crypto, dialect, &card(number)).await) })
        })
        .collect();
    let mut given = 0;
    for made in making {
        match within(made).await.unwrap() {
            (pan, Ok(secrets)) => {
                secrets.are_its_own(&devices, &pan);
                given += 1;
            }
            (_, Err(error)) => assert!(matches!(error, CryptoError::Transient(_)), "{error:?}"),
        }
    }
    behaved(&devices);
    headers_differ(&devices);
    given
}

/// What is made of a card.
struct Secrets {
    issued: IssuedPin,
    block: PinBlock,
    cvv: Cvv,
}

async fn made(crypto: &dyn CardCrypto, dialect: Dialect, pan: &Pan) -> Result<Secrets, CryptoError> {
    let issued = crypto.issue_pin(pan, Some(&pvv_spec())).await?;
    let (zpk, format) = match dialect {
        Dialect::Variant => ("zpk-x-1", PinBlockFormat::Iso3),
        Dialect::KeyBlock => ("zpk-x-3", PinBlockFormat::Iso4),
    };
    let block = crypto.pin_block(pan, &issued.stored, zpk, format, [0; 8]).await?;
    let expiry = Expiry::new(2029, 12).unwrap();
    let spec = CvvSpec { key_id: CVV_KEY, expiry, order: Cvv2Expiry::Yymm, service_code: "201" };
    let cvv = crypto.cvv(pan, &spec).await?;
    Ok(Secrets { issued, block, cvv })
}

impl Secrets {
    /// Fails where one of them is another card's.
    fn are_its_own(&self, devices: &[&Hsm], pan: &Pan) {
        let clear = is_its_own(devices, pan, &self.issued.stored.bytes);
        let (number, account) = (pan.expose(), account_of(pan.expose()));
        let pvv = ciphers::pvv(&vector_key("PVK_1"), &account, "1", &clear);
        assert_eq!(self.issued.pvv.as_ref().unwrap().value.expose(), pvv, "{pan:?}");
        let block = hex::decode(self.block.value.expose()).unwrap();
        let opened = match self.block.format {
            PinBlockFormat::Iso4 => blocks::opened(4, &vector_key("ZPK_AES_128"), number, &block),
            _ => blocks::opened(3, &vector_key("ZPK_TDES_2KEY"), &account, &block),
        };
        assert_eq!(opened, Ok(clear), "{pan:?}");
        assert_eq!(self.cvv.expose(), ciphers::cvv(&vector_key("CVK_A_B"), number, "2912", "201"), "{pan:?}");
    }
}

/// Across devices as well: an answer may not be taken for one of another device.
fn headers_differ(devices: &[&Hsm]) {
    let mut headers = BTreeSet::new();
    for entry in devices.iter().flat_map(|device| device.journal().entries()) {
        assert!(headers.insert(entry.header.clone()), "header {:?} was given out twice", entry.header);
        assert_eq!(entry.header.len(), 4);
    }
}

/// What stands between programs and a device may put them on one line: an answer that one no longer waits for must not
/// have the header under which the other asks.
#[tokio::test]
async fn two_programs_do_not_count_their_headers_from_the_same_number() {
    let hsm = Hsm::start(&Setup::new(Dialect::Variant));
    for seed in 1..=4 {
        let vault = Vault::open(keys_of(&hsm, settings(&[&hsm])), Arc::new(Random::seeded(seed))).unwrap();
        within(vault.crypto().health()).await.unwrap();
    }
    behaved(&[&hsm]);
    headers_differ(&[&hsm]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_on_the_wrong_connection_is_nobodys() {
    let hsm = Hsm::start(&Setup { pin_form: PinForm::Digits(5), ..Setup::new(Dialect::Variant) });
    // A short PIN under the LMK, so that nothing but the header tells one card's from another's.
    hsm.fail(When::command("JA").times(4), Act::Crossed);
    hsm.fail(When::command("JA"), Act::Delay(Duration::from_millis(5)));
    let pool = pool(&PayShieldSettings { connections: 8, attempts: 8, timeout_ms: 500, ..settings(&[&hsm]) });
    for (number, outcome) in issued(&pool, 0..40).await {
        is_its_own(&[&hsm], &card(number), &outcome.unwrap());
    }
    let crossed = hsm.journal().entries().into_iter().filter(|entry| entry.act == Some(Act::Crossed)).count();
    assert!(crossed >= 8, "four that got no answer, and four that got theirs");
    behaved(&[&hsm]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cap_in_commands_a_second_is_kept() {
    let hsm = Hsm::start(&Setup::new(Dialect::Variant));
    let pool = pool(&PayShieldSettings { connections: 4, commands_per_s: Some(100), ..settings(&[&hsm]) });
    let begun = std::time::Instant::now();
    for (number, outcome) in issued(&pool, 0..200).await {
        is_its_own(&[&hsm], &card(number), &outcome.unwrap());
    }
    // 204 commands with NC have 203 distances of 10 ms between them, however fast or slow the machine is.
    assert!(begun.elapsed() >= Duration::from_millis(2_030), "{:?}", begun.elapsed());
    assert!(hsm.journal().count() >= 201);
    assert!(hsm.journal().most_in_a_second() <= 150, "{}", hsm.journal().most_in_a_second());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_refuses_above_its_limit_is_waited_for() {
    let hsm = Hsm::start(&Setup::new(Dialect::Variant));
    hsm.limit(40, "41");
    let pool = pool(&PayShieldSettings { connections: 2, attempts: 20, ..settings(&[&hsm]) });
    for (number, outcome) in issued(&pool, 0..60).await {
        is_its_own(&[&hsm], &card(number), &outcome.unwrap());
    }
    behaved(&[&hsm]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_device_dies_the_other_takes_over_and_back() {
    let setup = |unit| Setup { unit, ..Setup::new(Dialect::KeyBlock) };
    let (first, second) = (Hsm::start(&setup(0)), Hsm::start(&setup(1)));
    let devices = [&first, &second];
    first.die_after(30);
    let pool = pool(&settings(&devices));
    assert_eq!(pool.at_once(), 4);
    for (number, outcome) in issued(&pool, 0..100).await {
        is_its_own(&devices, &card(number), &outcome.unwrap());
    }
    assert!(second.journal().of("JA").len() > 50);
    first.come_back();
    second.die();
    let (before, made) = (first.journal().count(), second.made().len());
    for (number, outcome) in issued(&pool, 100..140).await {
        is_its_own(&devices, &card(number), &outcome.unwrap());
    }
    assert!(first.journal().count() >= before + 40);
    assert_eq!(second.made().len(), made);
    behaved(&devices);
    headers_differ(&devices);
}

#[tokio::test]
async fn the_first_device_is_the_one_that_is_asked() {
    let (first, second) = (Hsm::start(&Setup::new(Dialect::Variant)), Hsm::start(&Setup::new(Dialect::Variant)));
    let pool = pool(&settings(&[&first, &second]));
    for number in 0..20 {
        is_its_own(&[&first], &card(number), &issue(&pool, &card(number)).await.unwrap());
    }
    assert_eq!((first.journal().connections(), second.journal().connections()), (1, 0));
}
