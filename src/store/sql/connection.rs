//! A connection to either database, and a transaction on it.
//!
//! Invariants: every transaction that writes takes its turn at the start and is never refused half-way (fault 32): on
//! SQLite it begins IMMEDIATE, behind a queue of this process, so that agreements at work at once wait for each other
//! and not for a timeout; an error from COMMIT leaves open whether it happened, so callers read the state again.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::{Postgres, Sqlite};
use tokio::sync::OwnedMutexGuard;

use super::postgres::answered;
use super::statement::failed;
use crate::store::StoreError;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Database {
    Sqlite,
    Postgres,
}

/// A connection to one of them, with or without a transaction on it.
pub(super) enum Connection {
    Sqlite(Held<Sqlite>),
    Postgres(Held<Postgres>),
}

/// A connection taken from its pool.
pub(super) enum Held<D: sqlx::Database> {
    Reader(PoolConnection<D>),
    Writer(sqlx::Transaction<'static, D>),
}

impl<D: sqlx::Database> Deref for Held<D> {
    type Target = D::Connection;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Reader(connection) => connection,
            Self::Writer(transaction) => transaction,
        }
    }
}

impl<D: sqlx::Database> DerefMut for Held<D> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Reader(connection) => connection,
            Self::Writer(transaction) => transaction,
        }
    }
}

impl Connection {
    pub(super) fn database(&self) -> Database {
        match self {
            Self::Sqlite(_) => Database::Sqlite,
            Self::Postgres(_) => Database::Postgres,
        }
    }
}

/// A transaction; dropped without [`commit`](Transaction::commit), it leaves nothing.
pub(super) struct Transaction {
    connection: Connection,
    /// SQLite's one writer: given to the next in line when this is dropped, after the connection.
    _turn: Option<OwnedMutexGuard<()>>,
}

impl Transaction {
    pub(super) fn sqlite(transaction: sqlx::Transaction<'static, Sqlite>, turn: OwnedMutexGuard<()>) -> Self {
        Self { connection: Connection::Sqlite(Held::Writer(transaction)), _turn: Some(turn) }
    }

    /// One of SQLite's readers: it stands in nobody's line.
    pub(super) fn reading(transaction: sqlx::Transaction<'static, Sqlite>) -> Self {
        Self { connection: Connection::Sqlite(Held::Writer(transaction)), _turn: None }
    }

    pub(super) fn postgres(transaction: sqlx::Transaction<'static, Postgres>) -> Self {
        Self { connection: Connection::Postgres(Held::Writer(transaction)), _turn: None }
    }

    /// Makes it durable.
    ///
    /// # Errors
    /// [`StoreError::Unanswered`] leaves open whether it is, so callers read the state again.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        let done = match self.connection {
            Connection::Sqlite(Held::Writer(transaction)) => transaction.commit().await,
            Connection::Postgres(Held::Writer(transaction)) => answered(transaction.commit()).await,
            Connection::Sqlite(Held::Reader(_)) | Connection::Postgres(Held::Reader(_)) => Ok(()),
        };
        done.map_err(|source| match failed("COMMIT", source) {
            StoreError::Unavailable { reason, .. } => StoreError::Unanswered { reason },
            refused => refused,
        })
    }

    /// Leaves nothing, and says so where that fails.
    pub(super) async fn roll_back(self) -> Result<(), StoreError> {
        let done = match self.connection {
            Connection::Sqlite(Held::Writer(transaction)) => transaction.rollback().await,
            Connection::Postgres(Held::Writer(transaction)) => transaction.rollback().await,
            Connection::Sqlite(Held::Reader(_)) | Connection::Postgres(Held::Reader(_)) => Ok(()),
        };
        done.map_err(|source| failed("ROLLBACK", source))
    }
}

impl Deref for Transaction {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}
