//! The database server: the tests' PostgreSQL, set as anybody sets one on a machine of this size.
//!
//! Durability is PostgreSQL's default, which is on. The pipeline it is compared with gains from the settings as much.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::support::postgres::{Cluster, Database, OWNER};
use crate::{Outcome, memory};

/// Beside PostgreSQL's defaults. Without TLS: a server on the same host is mostly reached through its socket.
const SETTINGS: [&str; 5] = [
    "ssl = off",
    "shared_buffers = '1GB'",
    "max_wal_size = '8GB'",
    "work_mem = '64MB'",
    "maintenance_work_mem = '512MB'",
];

/// Counts what each statement costs; planning is part of that.
const COUNTING: [&str; 2] =
    ["shared_preload_libraries = 'pg_stat_statements'", "pg_stat_statements.track_planning = on"];

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    cluster: Arc<Cluster>,
    /// Stands for all of its databases.
    any: Database,
    process: u32,
}

impl Server {
    /// Starts one; with `statements` it counts what each costs.
    pub(crate) fn start(statements: bool) -> Outcome<Self> {
        let counting = if statements { &COUNTING[..] } else { &[] };
        let cluster = Cluster::start_with(&[&SETTINGS, counting].concat());
        if statements {
            cluster.psql("postgres", "CREATE EXTENSION pg_stat_statements");
        }
        let file = cluster.socket_folder().join("data/postmaster.pid");
        let process = fs::read_to_string(file)?.lines().next().unwrap_or_default().parse()?;
        let any = cluster.database();
        Ok(Self { cluster, any, process })
    }

    /// Processor time of all its processes so far, in seconds.
    pub(crate) fn processor_s(&self) -> Option<f64> {
        memory::family_processor_s(self.process)
    }

    /// The URL of a database, without the password.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{OWNER}@127.0.0.1:{}/{database}", self.cluster.port())
    }

    /// The file with the password.
    pub(crate) fn password_file(&self) -> String {
        self.any.password_file().display().to_string()
    }

    /// Makes `to` anew, empty or like `from`; what was written is on disk when this returns.
    pub(crate) fn create(&self, to: &str, from: Option<&str>) {
        let like = from.unwrap_or("template0");
        self.cluster.psql("postgres", &format!("DROP DATABASE IF EXISTS {to}"));
        self.cluster.psql("postgres", &format!("CREATE DATABASE {to} OWNER {OWNER} TEMPLATE {like}"));
        self.cluster.psql("postgres", "CHECKPOINT");
    }

    /// What the server does by itself in the hours between an import and a night.
    pub(crate) fn tidy(&self, database: &str) {
        self.cluster.psql(database, "VACUUM (ANALYZE)");
        self.cluster.psql("postgres", "CHECKPOINT");
    }

    /// Runs a schema as the owner of the database.
    pub(crate) fn make_tables(&self, database: &str, schema: &str) {
        self.cluster.psql(database, &format!("SET ROLE {OWNER};\n{schema}"));
    }

    /// Puts the rows of a file into a table, unchecked: they come from tables with the same checks.
    pub(crate) fn copy(&self, database: &str, table: &str, columns: &str, rows: &Path) {
        // The schema may have made rows of its own.
        self.cluster.psql(database, &format!("ALTER TABLE {table} DISABLE TRIGGER ALL; DELETE FROM {table}"));
        self.cluster.psql(database, &format!("\\copy {table} ({columns}) FROM '{}'", rows.display()));
        self.cluster.psql(database, &format!("ALTER TABLE {table} ENABLE TRIGGER ALL"));
        if columns.split(", ").any(|column| column == "number") {
            let last = format!("(SELECT MAX(number) FROM {table})");
            self.cluster.psql(database, &format!("SELECT setval(pg_get_serial_sequence('{table}', 'number'), {last})"));
        }
    }

    /// Counts from nothing again.
    pub(crate) fn forget_statements(&self) {
        self.cluster.psql("postgres", "SELECT pg_stat_statements_reset()");
    }

    /// What the statements with a name cost since, the dearest first: microseconds of planning and of running for each of
    /// `records`, calls, rows, pages found in memory.
    pub(crate) fn statements(&self, records: u64) -> String {
        let asked = format!(
            "SELECT concat_ws(E'\t', substring(query FROM '-- ([A-Z_]+)'), round((sum(total_plan_time) * 1000 / {records})::numeric, 2),
                    round((sum(total_exec_time) * 1000 / {records})::numeric, 2), sum(calls), sum(rows),
                    sum(shared_blks_hit), round(sum(wal_bytes) / {records}))
               FROM pg_stat_statements GROUP BY substring(query FROM '-- ([A-Z_]+)')
              ORDER BY sum(total_plan_time + total_exec_time) DESC LIMIT 24"
        );
        format!("statement\tplan us\trun us\tcalls\trows\thits\tWAL bytes\n{}\n", self.cluster.psql("postgres", &asked))
    }

    /// Version and settings, for the figures.
    pub(crate) fn told(&self) -> String {
        let shown = |name: &str| self.cluster.psql("postgres", &format!("SHOW {name}"));
        format!(
            "PostgreSQL {}, fsync {}, synchronous_commit {}, {}",
            shown("server_version"),
            shown("fsync"),
            shown("synchronous_commit"),
            SETTINGS.join(", ")
        )
    }
}
