//! A filled SQLite database into PostgreSQL, table by table: the tables are the same, and filling is quicker there.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column, Connection, Row, TypeInfo, ValueRef};

use crate::Outcome;
use crate::cluster::Server;

const SCHEMA: &str = include_str!("../../schemas/sql/postgres.sql");

/// Makes `database` with the tables and rows of the SQLite file.
pub(crate) fn load(server: &Server, database: &str, sqlite: &Path) -> Outcome<()> {
    server.create(database, None);
    server.make_tables(database, SCHEMA);
    let rows = tempfile::NamedTempFile::new()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for table in SCHEMA.lines().filter_map(|line| line.strip_prefix("CREATE TABLE ")?.strip_suffix(" (")) {
        // One that only a server needs stays empty.
        if let Some(columns) = runtime.block_on(write_rows(sqlite, table, rows.path()))? {
            server.copy(database, table, &columns, rows.path());
        }
    }
    server.tidy(database);
    Ok(())
}

/// Writes a table's rows as COPY reads them; its columns, or `None` where there is no row.
async fn write_rows(sqlite: &Path, table: &str, to: &Path) -> Outcome<Option<String>> {
    let mut file = BufWriter::new(File::create(to)?);
    let options = SqliteConnectOptions::new().filename(sqlite).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let known = sqlx::query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1").bind(table);
    if known.fetch_optional(&mut connection).await?.is_none() {
        return Ok(None);
    }
    let mut columns = None;
    // Safe because: the table's name is one of our own schema.
    let all = sqlx::query(AssertSqlSafe(format!("SELECT * FROM {table}")));
    let written = all.map(|row: SqliteRow| {
        columns.get_or_insert_with(|| row.columns().iter().map(Column::name).collect::<Vec<_>>().join(", "));
        write_row(&mut file, &row).map_err(|error| error.to_string())
    });
    // Results without a value take no memory.
    let written: Vec<Result<(), String>> = written.fetch_all(&mut connection).await?;
    written.into_iter().collect::<Result<Vec<()>, String>>()?;
    file.flush()?;
    Ok(columns)
}

fn write_row(file: &mut impl Write, row: &SqliteRow) -> Outcome<()> {
    for index in 0..row.len() {
        if index > 0 {
            file.write_all(b"\t")?;
        }
        let kind = row.try_get_raw(index)?;
        match (kind.is_null(), kind.type_info().name()) {
            (true, _) => file.write_all(b"\\N")?,
            (_, "INTEGER") => write!(file, "{}", row.try_get::<i64, _>(index)?)?,
            (_, "BLOB") => write!(file, "\\\\x{}", hex::encode(row.try_get::<&[u8], _>(index)?))?,
            _ => file.write_all(escaped(row.try_get(index)?).as_bytes())?,
        }
    }
    Ok(file.write_all(b"\n")?)
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}
