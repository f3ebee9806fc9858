//! The CardCrypto contract, for every provider there is.

#[path = "support/card_crypto_contract.rs"]
mod card_crypto_contract;
#[path = "support/vector_keys.rs"]
#[allow(dead_code, reason = "shared with other tests, which use other parts of it")]
mod vector_keys;

use std::sync::Arc;

use card_crypto_contract::{Provider, keeps_the_contract};
use emboss::vault::key_set::{CVV_KEY, CVV2_KEY, PVV_KEY};

#[tokio::test]
async fn software_keeps_the_contract() {
    let provider = Provider {
        crypto: Arc::clone(vector_keys::vault().crypto()),
        cvk: CVV_KEY,
        cvk2: CVV2_KEY,
        pvk: PVV_KEY,
        zpk: "zpk-x-1",
        zpk_3key: "zpk-x-2",
        zpk_aes: Some("zpk-x-3"),
        takes_fill: true,
    };
    keeps_the_contract(&provider).await;
}
