//! Under which keys the secrets of the database stand, and whether the configuration has them.

use super::line::Line;
use crate::cli::errors::chain;
use crate::rotation::{counted, sealed_under};
use crate::store::{KeyUse, Store};
use crate::vault::{KeyInfo, Vault};

/// One line, or one for each key under which nothing should stand.
pub(super) async fn judge(vault: &Vault, store: &dyn Store) -> Vec<Line> {
    match store.key_uses().await {
        Ok(uses) => lines(vault, &uses),
        Err(error) => vec![Line::error("sealed values", format!("cannot be counted: {}.", chain(&error)), "")],
    }
}

fn lines(vault: &Vault, uses: &[KeyUse]) -> Vec<Line> {
    let mut lines = Vec::new();
    for (id, kinds) in sealed_under(uses) {
        let opens = |id| vault.key(id).is_some_and(KeyInfo::could_seal);
        let kinds = counted(&kinds);
        match id {
            Some(id) if id == vault.data_key() => {}
            Some(id) if opens(id) => lines.push(Line::warning(
                format!("key {id}"),
                format!("is not the data key any more, and {kinds} stand under it."),
                "Run emboss keys rotate --by WHO --reason WHY; until it ends with 0 keep its [[key]] section.",
            )),
            Some(id) => lines.push(Line::error(
                format!("key {id}"),
                format!("is not configured as an AES_256 key of usage D0, and {kinds} stand under it, which cannot be opened."),
                "Put its [[key]] section back.",
            )),
            None => lines.push(Line::error(
                "sealed values",
                format!("{kinds} do not begin as this program writes them."),
                "Was the database changed by something else? Restore them from a backup.",
            )),
        }
    }
    if lines.is_empty() {
        lines.push(Line::good("sealed values", format!("stand under the data key {}.", vault.data_key())));
    }
    lines
}
