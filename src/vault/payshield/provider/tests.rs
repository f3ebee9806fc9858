//! The provider over a device that expects certain commands, in order, and gives prepared answers.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::*;
use crate::agreement::Cvv2Expiry;
use crate::card::Expiry;
use crate::vault::KeyWindow;
use crate::vault::keys::Key;
use crate::vault::settings::LmkKeySettings;
use crate::vault::tr31::OpenedBlock;

const PAN: &str = "4000001234567899";
const ZPK: &str = "U0123456789ABCDEFFEDCBA9876543210";
const PVK: &str = "UFFEEDDCCBBAA99887766554433221100";
const CVK: &str = "U00112233445566778899AABBCCDDEEFF";
const BLOCK: &str = "87C832F7179E9CCE";
const LMK: &str = "9d04a00000000000";
const SCHEME: &str = "payshield/lmk-9D04A0";
/// Under an AES key-block LMK: no cryptogram of these tests is a real one.
const AES_ZPK: &str = "S10072P0AN00N00005A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A";
const AES_PIN: &str = "JC3999796741E7075ADEAF47C43A226BF";

/// An error code and fields, or no answer at all.
type Answer = Result<(&'static str, String), CryptoError>;

/// What is expected, and what is answered to it.
#[derive(Debug)]
struct Scripted(Mutex<VecDeque<(String, Answer)>>);

#[async_trait]
impl Device for Scripted {
    async fn ask(&self, command: &Command) -> Result<Reply, CryptoError> {
        let asked = format!("{}{}", command.code(), std::str::from_utf8(command.fields()).unwrap());
        let (expected, answer) = self.0.lock().unwrap().pop_front().expect("a command nobody expected");
        assert_eq!(asked, expected);
        let (error, fields) = answer?;
        Ok(Reply { error: error.to_owned(), fields: Zeroizing::new(fields.into_bytes()) })
    }

    fn at_once(&self) -> usize {
        7
    }

    async fn health(&self) -> Result<(), CryptoError> {
        Err(lost())
    }
}

fn lost() -> CryptoError {
    CryptoError::Transient("no device answers".to_owned())
}

/// A provider, and the script it must have used up.
struct Stage {
    crypto: PayShield,
    script: Arc<Scripted>,
}

impl Stage {
    fn expecting(script: &[(&str, &'static str, &str)]) -> Self {
        Self::told(script.iter().map(|(asked, error, fields)| (*asked, Ok((*error, (*fields).to_owned())))).collect())
    }

    fn told(script: Vec<(&str, Answer)>) -> Self {
        let script = script.into_iter().map(|(asked, answer)| (asked.to_owned(), answer)).collect();
        let script = Arc::new(Scripted(Mutex::new(script)));
        Self { crypto: PayShield::new(Arc::new(ring()), LMK, Arc::<Scripted>::clone(&script)), script }
    }

    fn is_over(&self) {
        assert!(self.script.0.lock().unwrap().is_empty(), "a command was not asked");
    }
}

fn ring() -> KeyRing {
    let mut ring = KeyRing::default();
    let keys = [
        ("zpk-1", "P0", "TDES_2KEY", "08D7B4", ZPK),
        ("zpk-4", "P0", "AES_128", "1234567890", AES_ZPK),
        ("pvk-1", "V2", "TDES_2KEY", "8FFED1", PVK),
        ("cvk-1", "C0", "TDES_2KEY", "08d7b4", CVK),
    ];
    for (id, usage, algorithm, kcv, text) in keys {
        let told = LmkKeySettings { usage: usage.parse().unwrap(), algorithm: algorithm.parse().unwrap() };
        assert!(ring.add(Key::under_lmk(id, LmkKey::of(text), told, kcv, KeyWindow::default()).unwrap()));
    }
    let key = Zeroizing::new((1..=32).collect());
    let block = OpenedBlock { usage: "D0".to_owned(), algorithm: 'A', mode: 'B', exportability: 'N', hash: None, key };
    assert!(ring.add(Key::admit("data-1", &block, KeyWindow::default()).unwrap()));
    ring
}

fn pan() -> Pan {
    Pan::parse(PAN).unwrap()
}

fn stored(pin: &str) -> StoredPin {
    StoredPin { scheme: SCHEME.to_owned(), bytes: Zeroizing::new(pin.as_bytes().to_vec()) }
}

fn spec() -> PvvSpec {
    PvvSpec { key_id: "pvk-1".to_owned(), pvki: "1".to_owned() }
}

fn zone_block(digits: &str) -> PinBlock {
    PinBlock { format: PinBlockFormat::Iso0, key_id: "zpk-1".to_owned(), value: SecretHex::new(digits) }
}

#[tokio::test]
async fn it_says_what_the_device_says_of_itself() {
    let stage = Stage::expecting(&[]);
    assert_eq!((stage.crypto.name(), stage.crypto.at_once()), ("payshield", 7));
    assert!(stage.crypto.with_random(&Arc::new(crate::ambient::Random::seeded(1))).is_none());
    assert_eq!(stage.crypto.health().await, Err(lost()));
}

#[tokio::test]
async fn issuing_is_a_random_pin_and_then_its_pvv() {
    let stage = Stage::expecting(&[
        ("JA00012345678904", "00", "01234"),
        (&format!("DG{PVK}012340001234567891"), "00", "8156"),
        ("JA00012345678904", "00", "5049248"),
    ]);
    let issued = stage.crypto.issue_pin(&pan(), Some(&spec())).await.unwrap();
    assert_eq!(issued.stored, stored("01234"));
    let pvv = issued.pvv.unwrap();
    assert_eq!((pvv.value.expose(), pvv.pvki.as_str(), pvv.key_id.as_str()), ("8156", "1", "pvk-1"));
    let issued = stage.crypto.issue_pin(&pan(), None).await.unwrap();
    assert_eq!((issued.stored, issued.pvv), (stored("5049248"), None));
    stage.is_over();
}

#[tokio::test]
async fn no_pin_is_made_where_its_pvv_cannot_be() {
    let stage = Stage::expecting(&[]);
    for (key_id, pvki) in [("pvk-9", "1"), ("zpk-1", "1"), ("pvk-1", "12"), ("pvk-1", "%")] {
        let spec = PvvSpec { key_id: key_id.to_owned(), pvki: pvki.to_owned() };
        let refused = stage.crypto.issue_pin(&pan(), Some(&spec)).await;
        assert!(matches!(refused, Err(CryptoError::Configuration(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_stored_pin_goes_into_pvv_blocks_and_comparison_as_it_is() {
    let stage = Stage::expecting(&[
        (&format!("DG{PVK}012340001234567891"), "00", "8156"),
        (&format!("JG{ZPK}0100012345678901234"), "00", BLOCK),
        (&format!("JG{ZPK}4700012345678901234"), "00", BLOCK),
        (&format!("JG{AES_ZPK}484000001234567899;{AES_PIN}"), "00", &"0F".repeat(16)),
        (&format!("BE{ZPK}{BLOCK}0100012345678901234"), "00", ""),
        (&format!("BE{ZPK}{BLOCK}0100012345678901234"), "01", ""),
        (&format!("BE{ZPK}{BLOCK}0100012345678901234"), "20", ""),
    ]);
    let (crypto, pin) = (&stage.crypto, stored("01234"));
    assert_eq!(crypto.pvv(&pan(), &pin, &spec()).await.unwrap().value.expose(), "8156");
    for format in [PinBlockFormat::Iso0, PinBlockFormat::Iso3] {
        let block = crypto.pin_block(&pan(), &pin, "zpk-1", format, [9; 8]).await.unwrap();
        assert_eq!((block.value.expose(), block.format, block.key_id.as_str()), (BLOCK, format, "zpk-1"));
    }
    let block = crypto.pin_block(&pan(), &stored(AES_PIN), "zpk-4", PinBlockFormat::Iso4, [9; 8]).await.unwrap();
    assert_eq!(block.value.expose(), "0F".repeat(16));
    for same in [true, false, false] {
        assert_eq!(crypto.verify_block(&pan(), &pin, &zone_block(BLOCK)).await, Ok(same));
    }
    // No device is asked whether something that is no block at all holds a PIN.
    assert_eq!(crypto.verify_block(&pan(), &pin, &zone_block("87C8")).await, Ok(false));
    stage.is_over();
}

#[tokio::test]
async fn r39_a_pin_is_taken_in_only_where_the_device_says_that_it_has_four_digits() {
    let length = format!("CC{ZPK}{ZPK}12{BLOCK}0101000123456789");
    let taken = format!("JE{ZPK}{BLOCK}01000123456789");
    let aes = "0F".repeat(16);
    let stage = Stage::expecting(&[
        (&length, "00", &format!("04{BLOCK}01")),
        (&taken, "00", "01234"),
        (&length, "00", &format!("06{BLOCK}01")),
        (&length, "24", ""),
        (&format!("CC{AES_ZPK}{AES_ZPK}12{aes}48484000001234567899;"), "00", &format!("04{aes}48")),
        (&format!("JE{AES_ZPK}{aes}484000001234567899;"), "00", AES_PIN),
    ]);
    let crypto = &stage.crypto;
    // A block may come in lower case, as the software provider takes it too.
    let import = |digits: String| async move {
        crypto.import_pin(&pan(), &SecretHex::new(digits), "zpk-1", PinBlockFormat::Iso0).await
    };
    assert_eq!(import(BLOCK.to_ascii_lowercase()).await, Ok(stored("01234")));
    for _ in 0..2 {
        let refused = import(BLOCK.to_owned()).await;
        assert!(matches!(refused, Err(CryptoError::Card(_))), "{refused:?}");
    }
    for digits in ["", "87C832F7179E9CC", "87C832F7179E9CCE00", "not hexadecimal!"] {
        let refused = import(digits.to_owned()).await;
        assert!(matches!(refused, Err(CryptoError::Card(_))), "{refused:?}");
    }
    let taken = crypto.import_pin(&pan(), &SecretHex::new(aes.clone()), "zpk-4", PinBlockFormat::Iso4).await;
    assert_eq!(taken, Ok(stored(AES_PIN)));
    stage.is_over();
}

#[tokio::test]
async fn a_cvv_has_the_expiry_in_the_products_order() {
    let stage = Stage::expecting(&[
        (&format!("CW{CVK}4000001234567899;2912201"), "00", "705"),
        (&format!("CW{CVK}4000001234567899;1229000"), "00", "123"),
    ]);
    let expiry = Expiry::new(2029, 12).unwrap();
    for (order, service_code, value) in [(Cvv2Expiry::Yymm, "201", "705"), (Cvv2Expiry::Mmyy, "000", "123")] {
        let spec = CvvSpec { key_id: "cvk-1", expiry, order, service_code };
        assert_eq!(stage.crypto.cvv(&pan(), &spec).await.unwrap().expose(), value);
    }
    for service_code in ["", "20", "2011", "2x1"] {
        let spec = CvvSpec { key_id: "cvk-1", expiry, order: Cvv2Expiry::Yymm, service_code };
        assert!(matches!(stage.crypto.cvv(&pan(), &spec).await, Err(CryptoError::Configuration(_))));
    }
    stage.is_over();
}

#[tokio::test]
async fn a_check_value_is_the_devices_and_must_be_the_configured_one() {
    let stage = Stage::expecting(&[
        (&format!("BUFF1{CVK};402;001"), "00", "08D7B4"),
        (&format!("BUFFF{AES_ZPK};FFF;001"), "00", "123456"),
        (&format!("BUFF1{PVK};002;001"), "00", "000000"),
    ]);
    let crypto = &stage.crypto;
    assert_eq!(crypto.kcv("cvk-1").await.as_deref(), Ok("08D7B4"));
    assert_eq!(crypto.kcv("zpk-4").await.as_deref(), Ok("123456"));
    let Err(CryptoError::Configuration(text)) = crypto.kcv("pvk-1").await else { panic!("another check value") };
    assert_eq!(text, "key pvk-1 has check value 000000 in the payment HSM, the configuration says 8FFED1");
    // A key of this process is not asked for.
    assert_eq!(crypto.kcv("data-1").await.unwrap().len(), 6);
    assert!(
        matches!(crypto.kcv("no-such-key").await, Err(CryptoError::Configuration(text)) if text.contains("no-such-key"))
    );
    stage.is_over();
}

#[tokio::test]
async fn a_key_fits_its_usage_and_the_format_or_no_device_is_asked() {
    let stage = Stage::expecting(&[]);
    let (crypto, pin) = (&stage.crypto, stored("01234"));
    for (id, format, why) in [
        ("zpk-4", PinBlockFormat::Iso0, "TDES"),
        ("zpk-4", PinBlockFormat::Iso3, "TDES"),
        ("zpk-1", PinBlockFormat::Iso4, "AES"),
        ("pvk-1", PinBlockFormat::Iso0, "V2"),
        ("data-1", PinBlockFormat::Iso4, "D0"),
        ("zpk-9", PinBlockFormat::Iso0, "does not exist"),
    ] {
        let Err(CryptoError::Configuration(text)) = crypto.pin_block(&pan(), &pin, id, format, [0; 8]).await else {
            panic!("{id} {format}");
        };
        assert!(text.contains(id) && text.contains(why), "{text}");
        let block = SecretHex::new("0F".repeat(if format == PinBlockFormat::Iso4 { 16 } else { 8 }));
        assert_eq!(crypto.import_pin(&pan(), &block, id, format).await, Err(CryptoError::Configuration(text.clone())));
        let block = PinBlock { format, key_id: id.to_owned(), value: block };
        assert_eq!(crypto.verify_block(&pan(), &pin, &block).await, Err(CryptoError::Configuration(text)));
    }
}

#[tokio::test]
async fn a_pin_of_another_lmk_or_provider_is_told_from_a_damaged_one() {
    let stage = Stage::expecting(&[]);
    let told = |scheme: &'static str, bytes: &'static str| {
        let crypto = stage.crypto.clone();
        let pin = StoredPin { scheme: scheme.to_owned(), bytes: Zeroizing::new(bytes.as_bytes().to_vec()) };
        async move { crypto.pvv(&pan(), &pin, &spec()).await.unwrap_err() }
    };
    assert_eq!(
        told("payshield/lmk-268604", "01234").await,
        CryptoError::Configuration(
            "the stored PIN is under an LMK with check value 268604, and the configured one has 9D04A0; use a device \
             with that LMK, or give the card a new PIN"
                .to_owned()
        )
    );
    for scheme in ["software/iso4", "elsewhere/1", "payshield/lmk-\u{1b}[", ""] {
        assert_eq!(told(scheme, "01234").await, CryptoError::Configuration(OF_ANOTHER_PROVIDER.to_owned()));
    }
    for bytes in ["", "0123", "0123;4", "\0\0\0\0\0\0\0\0"] {
        assert!(matches!(told(SCHEME, bytes).await, CryptoError::Card(_)), "{bytes:?}");
    }
}

#[tokio::test]
async fn what_a_device_refuses_is_passed_on_by_class() {
    let asked = format!("DG{PVK}012340001234567891");
    let stage = Stage::told(vec![
        (&asked, Ok(("14", String::new()))),
        (&asked, Ok(("68", String::new()))),
        (&asked, Ok(("41", String::new()))),
        (&asked, Ok(("00", "81".to_owned()))),
        (&asked, Err(lost())),
    ]);
    let ask = || async { stage.crypto.pvv(&pan(), &stored("01234"), &spec()).await.unwrap_err() };
    assert!(matches!(ask().await, CryptoError::Card(text) if text.contains("DG with error 14")));
    assert!(matches!(ask().await, CryptoError::Configuration(text) if text.contains("DG with error 68")));
    assert!(matches!(ask().await, CryptoError::Transient(text) if text.contains("DG with error 41")));
    assert!(matches!(ask().await, CryptoError::Configuration(text) if text.contains("answer to DG cannot be read")));
    assert_eq!(ask().await, lost());
    stage.is_over();
}

#[tokio::test]
async fn r39_nothing_prints_a_pin_or_a_key() {
    let stage = Stage::expecting(&[("JA00012345678904", "00", "5049248")]);
    let issued = stage.crypto.issue_pin(&pan(), None).await.unwrap();
    let shown = format!("{issued:?} {:?}", stage.crypto);
    for secret in ["5049248", ZPK, &ZPK[1..], AES_ZPK, "567899"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains(SCHEME), "{shown}");
}
