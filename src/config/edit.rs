//! Changing the configuration and its key files on behalf of a person: whole, or not at all.
//!
//! Invariants: the configuration file is replaced by one that is complete on the disk, never written into; it keeps its
//! owner and its mode; what somebody else wrote meanwhile is not lost. A key file is new, or already what it should be.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// Mode of key files: nobody else reads them.
const PRIVATE: u32 = 0o600;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It cannot be read.
    #[error("{path} cannot be read: check that it exists and that this user owns it")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("{path} cannot be written: run the command as who owns it, with a folder that may be written to")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another change is being made, or was made meanwhile.
    #[error("{path} is being changed by somebody else: run the command again")]
    Overtaken {
        /// The file.
        path: PathBuf,
    },
    /// A file of that name holds something else.
    #[error("{path} exists and holds another key: choose another --id, or take the file away")]
    Taken {
        /// The file.
        path: PathBuf,
    },
}

/// A configuration file that is about to be changed; no other edit begins while this one lives.
#[derive(Debug)]
pub struct Edit {
    path: PathBuf,
    /// Locked until it is dropped.
    file: File,
    text: String,
}

impl Edit {
    /// Locks and reads the file; a symbolic link stays one.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn begin(path: &Path) -> Result<Self, EditError> {
        let unreadable = |source| EditError::Unreadable { path: path.to_owned(), source };
        let path = fs::canonicalize(path).map_err(unreadable)?;
        let mut file = File::open(&path).map_err(unreadable)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(EditError::Overtaken { path });
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(unreadable)?;
        let edit = Self { path, file, text };
        edit.still_that_file()?;
        Ok(edit)
    }

    /// Where the file lies, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What stands in it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What stands in it, with sections at its end.
    pub fn with(&self, sections: &str) -> String {
        let end = if self.text.is_empty() || self.text.ends_with('\n') { "" } else { "\n" };
        format!("{}{end}\n{sections}", self.text)
    }

    /// Puts a new text beside the old one, complete on the disk.
    ///
    /// # Errors
    /// [`EditError`]: nothing was left there.
    pub fn prepare(&self, text: &str) -> Result<Draft<'_>, EditError> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let path = self.path.with_file_name(format!(".{name}.new"));
        // Whoever left one behind is dead: the lock is ours.
        let _ = fs::remove_file(&path);
        let draft = Draft { edit: self, path, is_placed: false };
        self.draft(&draft.path, text).map_err(|source| self.unwritable(source))?;
        Ok(draft)
    }

    fn unwritable(&self, source: io::Error) -> EditError {
        EditError::Unwritable { path: self.path.clone(), source }
    }

    fn draft(&self, draft: &Path, text: &str) -> io::Result<()> {
        let known = self.file.metadata()?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(draft)?;
        give_to(&file, &known)?;
        file.set_permissions(fs::Permissions::from_mode(known.mode() & 0o7777))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    /// Editors replace a file or write into it, and ask for no lock.
    fn still_that_file(&self) -> Result<(), EditError> {
        let there = |source| EditError::Unreadable { path: self.path.clone(), source };
        let (ours, found) = (self.file.metadata().map_err(there)?, fs::metadata(&self.path).map_err(there)?);
        let same = (ours.dev(), ours.ino()) == (found.dev(), found.ino());
        if same && fs::read(&self.path).map_err(there)? == self.text.as_bytes() {
            return Ok(());
        }
        Err(EditError::Overtaken { path: self.path.clone() })
    }
}

/// A new text of the configuration beside the old one; it goes away again unless it is put in its place.
#[derive(Debug)]
pub struct Draft<'e> {
    edit: &'e Edit,
    path: PathBuf,
    is_placed: bool,
}

impl Draft<'_> {
    /// Puts it in the place of the old text.
    ///
    /// # Errors
    /// [`EditError`]: the old text still stands there.
    pub fn place(mut self) -> Result<(), EditError> {
        self.edit.still_that_file()?;
        fs::rename(&self.path, &self.edit.path).map_err(|source| self.edit.unwritable(source))?;
        self.is_placed = true;
        // Where the folder cannot be synced, a power cut may bring the old text back: that one is whole, too.
        let _ = sync_folder(&self.edit.path);
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.is_placed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A key file that was placed; it goes away again unless it is kept.
#[derive(Debug)]
pub struct PlacedFile {
    path: PathBuf,
    /// Whether it is not ours to remove.
    stays: bool,
}

impl PlacedFile {
    /// Writes a line into a new file that only its owner reads: the owner of `like`. A file that holds this line already,
    /// which an earlier try left behind, is taken as it is; one that ends within the line, whose try was killed, is made anew.
    ///
    /// # Errors
    /// [`EditError`]: nothing was left there.
    pub fn place(path: &Path, line: &str, like: &Path) -> Result<Self, EditError> {
        let unwritable = |source| EditError::Unwritable { path: path.to_owned(), source };
        let mut file = match OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Self::known(path, line, like),
            Err(source) => return Err(unwritable(source)),
        };
        let placed = Self { path: path.to_owned(), stays: false };
        let written = fs::metadata(like).and_then(|like| give_to(&file, &like));
        let written = written.and_then(|()| writeln!(file, "{line}")).and_then(|()| file.sync_all());
        written.and_then(|()| sync_folder(path)).map_err(unwritable)?;
        Ok(placed)
    }

    fn known(path: &Path, line: &str, like: &Path) -> Result<Self, EditError> {
        let unreadable = |source| EditError::Unreadable { path: path.to_owned(), source };
        let known = fs::read(path).map_err(unreadable)?;
        if known.len() < line.len() && line.as_bytes().starts_with(&known) {
            fs::remove_file(path).map_err(|source| EditError::Unwritable { path: path.to_owned(), source })?;
            return Self::place(path, line, like);
        }
        if known.trim_ascii() != line.as_bytes() {
            return Err(EditError::Taken { path: path.to_owned() });
        }
        fs::set_permissions(path, fs::Permissions::from_mode(PRIVATE)).map_err(unreadable)?;
        Ok(Self { path: path.to_owned(), stays: true })
    }

    /// Lets it stay.
    pub fn keep(mut self) {
        self.stays = true;
    }
}

impl Drop for PlacedFile {
    fn drop(&mut self) {
        if !self.stays {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The administrator may act for the service, whose file it stays.
fn give_to(file: &File, like: &fs::Metadata) -> io::Result<()> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    fchown(file, Some(like.uid()), Some(like.gid()))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(folder: &Path) -> (PathBuf, Edit) {
        let path = folder.join("emboss.toml");
        fs::write(&path, "old = 1").unwrap();
        let edit = Edit::begin(&path).unwrap();
        (path, edit)
    }

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_section_goes_to_the_end_on_a_line_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (path, edit) = begun(folder.path());
        let text = edit.with("[new]\n");
        assert_eq!(text, "old = 1\n\n[new]\n");
        edit.prepare(&text).unwrap().place().unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap(), names(folder.path())), (text, vec!["emboss.toml".to_owned()]));
    }

    /// Editors ask for no lock: what they wrote since it was read is not lost.
    #[test]
    fn what_an_editor_wrote_meanwhile_stays() {
        let write_into = |path: &Path| fs::write(path, "other").unwrap();
        let put_in_its_place = |path: &Path| {
            fs::write(path.with_extension("swp"), "other").unwrap();
            fs::rename(path.with_extension("swp"), path).unwrap();
        };
        for change in [&write_into as &dyn Fn(&Path), &put_in_its_place] {
            let folder = tempfile::tempdir().unwrap();
            let (path, edit) = begun(folder.path());
            let draft = edit.prepare("new").unwrap();
            change(&path);
            assert!(matches!(draft.place(), Err(EditError::Overtaken { .. })));
            assert_eq!(fs::read_to_string(&path).unwrap(), "other");
            assert_eq!(names(folder.path()), ["emboss.toml"], "no draft is left");
        }
    }

    /// Killed between the making of the file and its last byte.
    #[test]
    fn a_block_that_was_left_half_written_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, edit) = begun(folder.path());
        let block = folder.path().join("k.tr31");
        for left in ["", "D01"] {
            fs::write(&block, left).unwrap();
            PlacedFile::place(&block, "D0112P0", edit.path()).unwrap().keep();
            assert_eq!(fs::read_to_string(&block).unwrap(), "D0112P0\n", "{left:?}");
            assert_eq!(block.metadata().unwrap().mode() & 0o777, PRIVATE);
        }
        for other in ["D02", "D0112P0D0112P0", "\n"] {
            fs::write(&block, other).unwrap();
            assert!(matches!(PlacedFile::place(&block, "D0112P0", &path), Err(EditError::Taken { .. })), "{other:?}");
            assert_eq!(fs::read_to_string(&block).unwrap(), other);
        }
    }

    #[test]
    fn a_second_edit_waits_for_nobody_and_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, edit) = begun(folder.path());
        assert!(matches!(Edit::begin(&path), Err(EditError::Overtaken { .. })));
        drop(edit);
        assert!(Edit::begin(&path).is_ok());
    }
}
