//! Whether each payment HSM does what nights ask of it.

use super::add_once;
use super::line::Line;
use crate::config::Config;
use crate::vault::payshield::proof::{Found, Proof, ProofKeys};
use crate::vault::{PvvSpec, Vault};

/// One line for each device and step.
pub(super) async fn check(config: &Config, vault: &Vault, lines: &mut Vec<Line>) {
    for Proof { device, steps } in vault.prove_devices(&proof_keys(config, vault)).await {
        let subject = format!("payment HSM {device}");
        for step in steps {
            // A text that begins with the device would name it twice.
            let told =
                |text: String| format!("{}: {}.", step.name, text.strip_prefix(&subject).unwrap_or(&text).trim_start());
            lines.push(match step.found {
                Found::Right(text) => Line::good(&subject, told(text)),
                Found::Odd(text) => Line::warning(&subject, told(text), ""),
                Found::Wrong(text) => Line::error(&subject, told(text), ""),
            });
        }
    }
}

/// What agreements use, as far as the vault has it: the others have findings of their own.
fn proof_keys(config: &Config, vault: &Vault) -> ProofKeys {
    let mut keys = ProofKeys::default();
    for product in &config.products {
        for cvk in [Some(&product.cvv2_key), product.cvv_key.as_ref()].into_iter().flatten() {
            let check_cvv = config.key(cvk).and_then(|key| key.check_cvv.clone());
            add_once(&mut keys.cvks, (cvk.clone(), check_cvv));
        }
        if let Some(pin) = &product.pin {
            add_once(&mut keys.pvks, PvvSpec { key_id: pin.pvv_key.clone(), pvki: pin.pvki.clone() });
        }
    }
    for house in config.manufacturers.iter().filter(|house| house.active) {
        for zpk in &house.pin_keys {
            add_once(&mut keys.zpks, (zpk.clone(), house.pin_block_format));
        }
    }
    keys.cvks.retain(|(id, _)| vault.key(id).is_some());
    keys.pvks.retain(|spec| vault.key(&spec.key_id).is_some());
    keys.zpks.retain(|(id, _)| vault.key(id).is_some());
    keys
}
