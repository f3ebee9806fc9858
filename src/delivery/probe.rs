//! What a destination does, found out by doing it: small test files, renamed and removed again.
//!
//! Invariants: only names with the agreed prefix are used; what is removed was made here, because every file is created
//! exclusively and a final name is ours only after an acknowledged rename; the test of overwriting stays in the folder of
//! temporary names, where no house looks.
//! Why by doing: SFTP leaves open whether RENAME overwrites, and whether a house's server denies what it does not like
//! or only says so.

use serde::{Deserialize, Serialize};

use super::settings::View;
use super::{DeliveryError, Identity, Place, Refusal, Remote, Seen, Step};

/// What a destination said to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Yes.
    Done,
    /// No.
    Refused(Refusal),
}

/// What a probe found out; stored as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answers {
    /// Whether it lets us stat the folder of temporary names.
    pub sees_temporary_folder: bool,
    /// Whether it lets us stat the folder of final names.
    pub sees_final_folder: bool,
    /// Whether it lets us stat a file of ours.
    pub sees_files: bool,
    /// Whether a name that is there cannot be created again.
    pub creates_exclusively: bool,
    /// What it said to `file_mode`.
    pub sets_mode: Reply,
    /// The mode the file has afterwards, four octal digits; `None` where it does not show it.
    pub mode: Option<String>,
    /// Free bytes, where it tells.
    pub free_bytes: Option<u64>,
    /// Rename from the folder of temporary names to that of final names: refused where they are not one file system.
    pub renames_across: Reply,
    /// Rename of a temporary file that is gone; `None` where it could not be tried.
    pub renames_vanished: Option<Reply>,
    /// Rename onto a name that is taken.
    pub renames_onto_taken: Reply,
    /// Removing a temporary file of ours; `NoSuchFile` where somebody swept it meanwhile.
    pub removes_temporary: Option<Reply>,
    /// Removing the final test file; `NoSuchFile` where the house took it meanwhile.
    pub removes_final: Option<Reply>,
}

impl Answers {
    /// Why `rename_proves_publication` would say too much, or have no effect (night.md 2); none where it may be set.
    pub fn against_proof(&self) -> Vec<&'static str> {
        let gone = Some(Reply::Refused(Refusal::NoSuchFile));
        let reasons = [
            (
                !(self.sees_temporary_folder && self.sees_final_folder),
                "the server does not show its folders, without which nothing is believed",
            ),
            (self.renames_across != Reply::Done, "the server does not rename into the final folder"),
            (self.renames_vanished == Some(Reply::Done), "the server says yes to the rename of a file that is gone"),
            (self.removes_temporary == gone, "somebody removed a temporary file of ours within the probe"),
        ];
        reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).collect()
    }
}

/// What came of a probe.
#[derive(Debug)]
pub struct Probed {
    /// Where it was made; `None` where there was no connection.
    pub identity: Option<Identity>,
    /// What was found out, or why not.
    pub answers: Result<Answers, DeliveryError>,
    /// Paths of test files that are, or may be, still there.
    pub left_over: Vec<String>,
}

/// What stands in a test file.
const TEXT: &str = "A test of emboss check --probe. Please ignore it.\n";

/// Whether names may begin so: 1 to 64 letters, digits, dots, hyphens and underscores, the first a letter or digit.
pub fn is_prefix(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    plain && (1..=64).contains(&text.len()) && text.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// Connects for a probe.
pub type Open<'a> = &'a mut dyn FnMut(View) -> Result<Box<dyn Remote>, DeliveryError>;

/// Probes with names that begin with `prefix`: `PREFIX.1` and `PREFIX.2` in the folder of final names, `PREFIX.1.part`
/// to `PREFIX.3.part` in that of temporary names. They are removed again over new connections, whatever happened.
pub fn probe(open: Open<'_>, prefix: &str) -> Probed {
    let mut trial = Trial {
        open,
        prefix,
        identity: None,
        temporary: Vec::new(),
        renamed: Vec::new(),
        published: Vec::new(),
        left: Vec::new(),
    };
    let mut answers = trial.find_out();
    let removes_temporary = trial.remove(View::TemporaryFolder);
    let removes_final = trial.remove(View::FinalFolder);
    if let Ok(answers) = &mut answers {
        answers.removes_temporary = removes_temporary;
        answers.removes_final = removes_final;
    }
    Probed { identity: trial.identity, answers, left_over: trial.left }
}

struct Trial<'a> {
    open: Open<'a>,
    prefix: &'a str,
    identity: Option<Identity>,
    /// Temporary names that we created; one that was renamed is removed too, a yes may have been a lie.
    temporary: Vec<String>,
    /// Those of them that should be gone since.
    renamed: Vec<String>,
    /// Final names that we were told we gave.
    published: Vec<String>,
    /// Paths of what may stay.
    left: Vec<String>,
}

/// What the first file showed before it was renamed.
struct First {
    sees_files: bool,
    creates_exclusively: bool,
    sets_mode: Reply,
    mode: Option<String>,
    free_bytes: Option<u64>,
}

impl Trial<'_> {
    fn find_out(&mut self) -> Result<Answers, DeliveryError> {
        let mut remote = (self.open)(View::Configured)?;
        self.identity = Some(remote.identity().clone());
        let sees_final_folder = sees(&mut *remote, Place::FinalFolder)?;
        let sees_temporary_folder = sees(&mut *remote, Place::TemporaryFolder)?;
        let first = self.first(&mut *remote)?;
        let renames_across = self.publish(&mut *remote, 1, 1)?;
        let renames_vanished = match renames_across {
            Reply::Done => Some(self.publish(&mut *remote, 1, 2)?),
            Reply::Refused(_) => None,
        };
        // A house may allow one connection at a time.
        drop(remote);
        let First { sees_files, creates_exclusively, sets_mode, mode, free_bytes } = first;
        Ok(Answers {
            sees_temporary_folder,
            sees_final_folder,
            sees_files,
            creates_exclusively,
            sets_mode,
            mode,
            free_bytes,
            renames_across,
            renames_vanished,
            renames_onto_taken: self.onto_taken()?,
            removes_temporary: None,
            removes_final: None,
        })
    }

    fn first(&mut self, remote: &mut dyn Remote) -> Result<First, DeliveryError> {
        let name = self.part(1);
        self.free(remote, 1)?;
        self.free(remote, 2)?;
        let free_bytes = self.upload(remote, &name, 1)?;
        let sees_files = sees(remote, Place::Temporary(&name))?;
        let sets_mode = reply(remote.set_mode(&name))?;
        let mode = remote.mode(&name)?.map(|mode| format!("{mode:04o}"));
        let creates_exclusively = match reply(remote.create(&name))? {
            Reply::Refused(_) => true,
            Reply::Done => {
                remote.close()?;
                false
            }
        };
        Ok(First { sees_files, creates_exclusively, sets_mode, mode, free_bytes })
    }

    /// A file of some bytes under a temporary name; the free bytes there.
    fn upload(&mut self, remote: &mut dyn Remote, name: &str, lines: usize) -> Result<Option<u64>, DeliveryError> {
        let created = remote.create(name);
        if matches!(created, Err(DeliveryError::Lost { .. })) {
            self.left.push(remote.path(Place::Temporary(name)));
        }
        created?;
        self.temporary.push(name.to_owned());
        let free_bytes = remote.free_bytes()?;
        let written = remote.write(TEXT.repeat(lines).as_bytes());
        if let Err(error) = written.and_then(|()| remote.close()) {
            remote.cut();
            return Err(error);
        }
        Ok(free_bytes)
    }

    /// A final test name that somebody else's file has is not touched.
    fn free(&self, remote: &mut dyn Remote, number: u32) -> Result<(), DeliveryError> {
        let name = self.published_name(number);
        let place = Place::Final(&name);
        match remote.stat(place)? {
            Seen::Present { .. } => Err(remote.refused(Step::Create, place, Refusal::AlreadyExists)),
            Seen::Absent | Seen::Hidden => Ok(()),
        }
    }

    /// Renames a temporary test file to a final test name.
    fn publish(&mut self, remote: &mut dyn Remote, part: u32, published: u32) -> Result<Reply, DeliveryError> {
        let (from, to) = (self.part(part), self.published_name(published));
        let renamed = reply(remote.rename(&from, &to));
        match &renamed {
            Ok(Reply::Done) => {
                self.renamed.push(from);
                self.published.push(to);
            }
            Ok(Reply::Refused(_)) => {}
            Err(_) => self.left.push(remote.path(Place::Final(&to))),
        }
        renamed
    }

    /// A rename onto a taken name, within the folder of temporary names.
    fn onto_taken(&mut self) -> Result<Reply, DeliveryError> {
        let mut remote = (self.open)(View::TemporaryFolder)?;
        let (from, taken) = (self.part(2), self.part(3));
        self.upload(&mut *remote, &from, 1)?;
        self.upload(&mut *remote, &taken, 2)?;
        let renamed = reply(remote.rename(&from, &taken))?;
        if renamed == Reply::Done {
            self.renamed.push(from);
        }
        Ok(renamed)
    }

    /// Removes what is ours in one of the folders, over a new connection; the answer about the last one.
    fn remove(&mut self, view: View) -> Option<Reply> {
        let names = match view {
            View::FinalFolder => std::mem::take(&mut self.published),
            View::Configured | View::TemporaryFolder => std::mem::take(&mut self.temporary),
        };
        if names.is_empty() {
            return None;
        }
        let Ok(mut remote) = (self.open)(view) else {
            self.left.extend(names);
            return None;
        };
        let mut last = None;
        for name in names {
            let removed = reply(remote.unlink(&name));
            let gone = matches!(removed, Ok(Reply::Done | Reply::Refused(Refusal::NoSuchFile)));
            if !gone && !self.renamed.contains(&name) {
                self.left.push(remote.path(Place::Temporary(&name)));
            }
            last = removed.ok().or(last);
        }
        last
    }

    fn part(&self, number: u32) -> String {
        format!("{}.{number}.part", self.prefix)
    }

    fn published_name(&self, number: u32) -> String {
        format!("{}.{number}", self.prefix)
    }
}

fn reply(result: Result<(), DeliveryError>) -> Result<Reply, DeliveryError> {
    match result {
        Ok(()) => Ok(Reply::Done),
        Err(DeliveryError::Refused { refusal, .. }) => Ok(Reply::Refused(refusal)),
        Err(error) => Err(error),
    }
}

/// Whether something that is there can be seen.
fn sees(remote: &mut dyn Remote, place: Place<'_>) -> Result<bool, DeliveryError> {
    match remote.stat(place)? {
        Seen::Present { .. } => Ok(true),
        Seen::Hidden => Ok(false),
        Seen::Absent => Err(remote.refused(Step::Stat, place, Refusal::NoSuchFile)),
    }
}
