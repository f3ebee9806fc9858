//! A PostgreSQL of our own: initdb in a folder, a server on 127.0.0.1 that ends with the value.
//!
//! Durability is PostgreSQL's default, which is on. What is set is what anybody sets on a machine of this size; the
//! pipeline it is compared with gains from it as much.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::Outcome;
use crate::support::sshd::free_port;

/// Who owns the cluster's databases.
const USER: &str = "emboss";
/// How long a server may take to start; after a crash it reads its log first.
const START: Duration = Duration::from_secs(60);
/// Beside PostgreSQL's defaults.
const SETTINGS: [&str; 4] = ["shared_buffers=1GB", "max_wal_size=8GB", "work_mem=64MB", "maintenance_work_mem=512MB"];

/// A running server.
#[derive(Debug)]
pub(crate) struct Cluster {
    server: Child,
    port: u16,
    programs: PathBuf,
}

impl Cluster {
    /// Starts one on `folder`, which is made where it is not there. PostgreSQL does not run as root: its own user
    /// does then, and must be able to reach the folder.
    pub(crate) fn start(folder: &Path) -> Outcome<Self> {
        let programs = programs()?;
        let owner = owner()?;
        let data = folder.join("data");
        if !data.join("PG_VERSION").exists() {
            make(&programs, folder, &data, owner)?;
        }
        let port = free_port();
        let mut server = command(&programs, "postgres", owner);
        server.arg("-D").arg(&data).arg("-k").arg(folder).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        SETTINGS.iter().for_each(|setting| {
            server.args(["-c", setting]);
        });
        let log = fs::File::create(folder.join("log"))?;
        let server = server.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut cluster = Self { server, port, programs };
        cluster.wait(folder)?;
        Ok(cluster)
    }

    fn wait(&mut self, folder: &Path) -> Outcome<()> {
        let begun = Instant::now();
        while self.sql("postgres", "SELECT 1").is_err() {
            if self.server.try_wait()?.is_some() || begun.elapsed() > START {
                return Err(format!("PostgreSQL does not start; see {}", folder.join("log").display()).into());
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// The server's process.
    pub(crate) fn process_id(&self) -> u32 {
        self.server.id()
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// psql on a database, with nobody's own settings.
    pub(crate) fn psql(&self, database: &str) -> Command {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        psql.arg(self.url(database));
        psql
    }

    /// Runs statements, each in a transaction of its own, and gives what they answered.
    pub(crate) fn sql(&self, database: &str, statements: &str) -> Outcome<String> {
        let mut psql = self.psql(database);
        statements.split(';').map(str::trim).filter(|one| !one.is_empty()).for_each(|one| {
            psql.arg("--command").arg(one);
        });
        let output = psql.stdin(Stdio::null()).output()?;
        if !output.status.success() {
            return Err(format!("psql: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Makes `to` anew, empty or like `from`; what was written is on disk when this returns.
    pub(crate) fn create(&self, to: &str, from: Option<&str>) -> Outcome<()> {
        let like = from.map_or_else(String::new, |from| format!(" TEMPLATE {from}"));
        self.sql("postgres", &format!("DROP DATABASE IF EXISTS {to}; CREATE DATABASE {to}{like}; CHECKPOINT"))?;
        Ok(())
    }

    /// The search path for programs, with this PostgreSQL's in front.
    pub(crate) fn path_with_programs(&self) -> Outcome<OsString> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Ok(std::env::join_paths(std::iter::once(self.programs.clone()).chain(std::env::split_paths(&path)))?)
    }

    /// Version and settings, for the figures.
    pub(crate) fn told(&self) -> Outcome<String> {
        let version = self.sql("postgres", "SHOW server_version")?;
        let durable = self.sql("postgres", "SHOW fsync; SHOW synchronous_commit")?.replace('\n', "/");
        Ok(format!("PostgreSQL {version}, fsync/synchronous_commit {durable}, {}", SETTINGS.join(", ")))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT is its fast shutdown.
        let process = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw);
        let _ = process.map(|process| kill_process(process, Signal::INT));
        drop(self.server.wait());
    }
}

/// The newest server's programs: Debian keeps them off the path.
fn programs() -> Outcome<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest = versions
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/initdb").exists())
        .max_by_key(|path| number(path));
    let newest = newest.ok_or("PostgreSQL is not installed; on Debian: apt-get install postgresql")?;
    Ok(newest.join("bin"))
}

/// User and group of the server where we are root.
fn owner() -> Outcome<Option<(u32, u32)>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let id = |flag: &str| -> Outcome<u32> {
        let output = Command::new("id").args([flag, "postgres"]).output()?;
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    };
    Ok(Some((id("-u")?, id("-g")?)))
}

fn command(programs: &Path, name: &str, owner: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(programs.join(name));
    command.current_dir("/").env("LC_ALL", "C");
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command
}

fn make(programs: &Path, folder: &Path, data: &Path, owner: Option<(u32, u32)>) -> Outcome<()> {
    fs::create_dir_all(folder)?;
    if let Some((user, group)) = owner {
        chown(folder, Some(user), Some(group))?;
    }
    let options =
        ["--auth=trust", "--encoding=UTF8", "--no-locale", "--username", USER, "--pgdata"].map(OsString::from);
    let made = command(programs, "initdb", owner).args(options).arg(data).stdout(Stdio::null()).status()?;
    if made.success() { Ok(()) } else { Err("initdb failed".into()) }
}
