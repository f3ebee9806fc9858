//! What every store must do, whatever database is behind it: each function is one promise.

#[path = "store_seed.rs"]
pub(crate) mod seed;

#[path = "store_night.rs"]
pub(crate) mod night;

#[path = "store_claims.rs"]
pub(crate) mod claims;

#[path = "store_files.rs"]
pub(crate) mod files;

#[path = "store_people.rs"]
pub(crate) mod people;

#[path = "store_settlements.rs"]
pub(crate) mod settlements;

#[path = "store_orders.rs"]
pub(crate) mod intake;
