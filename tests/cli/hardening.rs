//! What the process does to itself before it reads anything, seen from outside.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::process::Running;
use crate::support::trial::{Outcome, Trial, emboss, orders};

/// Every file and folder below, with its permission bits.
fn modes(folder: &Path, found: &mut Vec<(String, u32)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        found.push((path.display().to_string(), metadata.mode() & 0o7777));
        if metadata.is_dir() {
            modes(&path, found);
        }
    }
}

#[test]
fn what_is_made_is_private_whatever_the_callers_umask() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("night");
    // The shell sets the widest umask for its child.
    let demo = format!("umask 000; exec '{}' demo '{}'", env!("CARGO_BIN_EXE_emboss"), home.display());
    Outcome::of(Command::new("sh").args(["-c", &demo])).exits(0);
    assert_eq!(fs::metadata(&home).unwrap().mode() & 0o7777, 0o700);
    let mut found = Vec::new();
    modes(&home, &mut found);
    assert!(found.iter().any(|(path, _)| path.ends_with(".pgp")) && found.len() > 20, "{found:?}");
    for (path, mode) in found {
        let folder = Path::new(&path).is_dir();
        // What is delivered has the destination's file_mode.
        let delivered = path.contains("/out/");
        let expected = if folder {
            0o700
        } else if delivered {
            0o640
        } else {
            0o600
        };
        assert_eq!(mode, expected, "{path}: {mode:o}");
    }
}

/// While a night is at work: the database with what SQLite puts beside it, and what is sealed.
#[test]
fn what_a_night_is_at_work_on_is_private_whatever_the_callers_umask() {
    let trial = Trial::with_orders();
    let config = trial.path("emboss.toml").display().to_string();
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_emboss");
    command.args(["-c", "umask 000; exec \"$@\"", "sh", program, "--config", &config, "run"]);
    command.env("EMBOSS_FAULT", "stop@spool-renamed").stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = Running::of(command.spawn().unwrap());
    running.wait_until_stopped();
    let mut found = Vec::new();
    modes(&trial.home(), &mut found);
    for name in ["emboss.db", "emboss.db-wal", "emboss.db-shm", ".pgp"] {
        assert!(found.iter().any(|(path, _)| path.ends_with(name)), "no {name} in {found:?}");
    }
    for (path, mode) in found {
        assert_eq!(mode & 0o077, 0, "{path}: {mode:o}");
    }
}

/// A scheduler that waits for a far night; it has read its keys.
struct Waiting {
    child: Child,
    _trial: Trial,
}

impl Waiting {
    fn new(command: impl Fn(&Trial) -> Command) -> Self {
        let trial = Trial::new();
        // 29 February: nothing to catch up, nothing soon.
        trial.configure_more("[schedule]\ncron = \"0 0 3 29 2 *\"");
        let child = command(&trial).arg("schedule").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let waiting = Self { child, _trial: trial };
        // Its signal handlers are the last thing it sets up before it waits.
        let begun = Instant::now();
        while !waiting.catches_sigterm() {
            assert!(begun.elapsed() < Duration::from_secs(30), "it does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        waiting
    }

    fn proc(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).unwrap_or_default()
    }

    fn catches_sigterm(&self) -> bool {
        let status = self.proc("status");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
        let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
        caught & (1 << (15 - 1)) != 0
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_leaves_no_core_file_and_nothing_that_others_may_read() {
    let waiting = Waiting::new(|trial| {
        // The caller allows cores of any size, as far as it may itself.
        let mut command = Command::new("sh");
        let config = trial.path("emboss.toml").display().to_string();
        let program = env!("CARGO_BIN_EXE_emboss");
        command.args([
            "-c",
            "umask 000; ulimit -c \"$(ulimit -H -c)\"; exec \"$@\"",
            "sh",
            program,
            "--config",
            &config,
        ]);
        command
    });
    let limits = waiting.proc("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let values: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(values, ["0", "0"], "{core}");
    let status = waiting.proc("status");
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:")).unwrap();
    assert_eq!(umask.trim(), "0077", "whatever a library makes is private too");
}

#[test]
fn a_crash_leaves_no_core_file() {
    let trial = Trial::with_orders();
    let config = trial.path("emboss.toml").display().to_string();
    let mut command = Command::new("sh");
    let limits = "cd \"$1\"; shift; ulimit -c \"$(ulimit -H -c)\"; exec \"$@\"";
    let folder = trial.home().display().to_string();
    let program = env!("CARGO_BIN_EXE_emboss");
    command.args(["-c", limits, "sh", &folder, program, "--config", &config, "run"]);
    command.env("EMBOSS_FAULT", "stop@composing").stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = Running::of(command.spawn().unwrap());
    running.wait_until_stopped();
    running.send(Signal::ABORT);
    running.send(Signal::CONT);
    running.dies_by(Signal::ABORT);
    // Where core_pattern names a program or another folder, the limit of the test before is what there is to see.
    let mut found = Vec::new();
    modes(&trial.home(), &mut found);
    let cores: Vec<_> = found.iter().filter(|(path, _)| path.rsplit('/').next().unwrap().contains("core")).collect();
    assert!(cores.is_empty(), "{cores:?}");
}

#[test]
fn other_processes_of_its_user_cannot_read_its_memory() {
    // /proc/PID belongs to the process's user, or to root where the process is not dumpable (proc(5)); as root the
    // test gives the program to nobody, to see a difference.
    const NOBODY: u32 = 65_534;
    let root = rustix::process::getuid().is_root();
    let shared = tempfile::tempdir().unwrap();
    fs::set_permissions(shared.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let program = shared.path().join("emboss");
    fs::copy(env!("CARGO_BIN_EXE_emboss"), &program).unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let as_user = |command: &mut Command| {
        if root {
            command.uid(NOBODY).gid(NOBODY);
        }
    };
    let waiting = Waiting::new(|trial| {
        if root {
            give_away(trial.home().parent().unwrap(), NOBODY);
        }
        let mut command = Command::new(&program);
        command.arg("--config").arg(trial.path("emboss.toml"));
        as_user(&mut command);
        command
    });
    let mut other = Command::new("sleep");
    other.arg("60");
    as_user(&mut other);
    let mut other = other.spawn().unwrap();
    let owner = |child: &Child| fs::metadata(format!("/proc/{}/status", child.id())).unwrap().uid();
    let (ours, others) = (owner(&waiting.child), owner(&other));
    // Opening `mem` asks the kernel what ptrace asks it, `environ` and `maps` what a debugger looks at first.
    let reads = |child: &Child, name: &str| {
        let mut dd = Command::new("dd");
        dd.arg(format!("if=/proc/{}/{name}", child.id())).args(["of=/dev/null", "bs=1", "count=1"]);
        as_user(&mut dd);
        let output = dd.env("LC_ALL", "C").output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (open, _) = reads(&other, "environ");
    let refused: Vec<(bool, String)> =
        ["mem", "environ", "maps"].iter().map(|name| reads(&waiting.child, name)).collect();
    other.kill().unwrap();
    other.wait().unwrap();
    assert_ne!(others, 0, "a process that is dumpable belongs to its user");
    assert_eq!(ours, 0, "ours is not");
    assert!(open, "another process of this user may be looked at");
    for (read, said) in refused {
        assert!(!read && said.contains("Permission denied"), "{said}");
    }
}

fn give_away(folder: &Path, user: u32) {
    chown(folder, Some(user), Some(user)).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            give_away(&path, user);
        } else {
            chown(&path, Some(user), Some(user)).unwrap();
        }
    }
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let trial = Trial::new();
    let file = trial.order_file("orders.jsonl", &orders());
    let mut child = trial.command(&["import", &file]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let outcome = Outcome::at_end(child);
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    // Whatever was answered into the void is durable: the same file gets the same answers.
    trial.run(&["import", &file]).exits(0).says(&["5 known already"]);
    let mut child = emboss().arg("--help").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let outcome = Outcome::at_end(child);
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
}

/// Whoever copies the database's file after a command has everything that the command wrote.
#[test]
fn commands_that_write_leave_the_database_in_one_file() {
    let trial = Trial::new();
    let log = trial.path("emboss.db-wal");
    assert!(!log.exists(), "init");
    trial.import(&orders()).exits(0);
    assert!(!log.exists(), "import");
    trial.run(&["run"]).exits(0);
    assert!(!log.exists(), "run");
}

#[test]
fn the_most_talkative_log_holds_no_statement_of_the_database() {
    let trial = Trial::with_orders();
    trial.configure_more("[log]\nlevel = \"trace\"\n");
    for command in [&["plan"][..], &["run"], &["status"]] {
        let outcome = trial.run(command).exits(0);
        assert!(!outcome.stderr.contains("SELECT"), "{}", outcome.stderr);
    }
}

/// Whoever names a key like a card number finds it masked in the log, where other keys are named as they are.
#[test]
fn a_card_number_that_gets_into_the_log_is_masked() {
    const NUMBER: &str = "4000000518403037";
    for format in ["text", "json"] {
        let trial = Trial::with_orders();
        trial.configure("\"zpk-x-1\"", &format!("\"{NUMBER}\""));
        trial.configure_more(&format!("[log]\nformat = \"{format}\"\nlevel = \"trace\"\n"));
        trial.set_mode("keys/zpk-x-1.tr31", 0o640);
        let outcome =
            trial.run(&["run"]).exits(1).says(&["zone PIN key left out: [[key]] 400000******3037 block_file"]);
        assert!(!outcome.stderr.contains(NUMBER), "{}", outcome.stderr);
    }
}
