//! The rename that publishes, and the probe that decides what an unclear rename did (R137).
//!
//! Invariant: [`rename`] never sends a RENAME where it can see the final name, and never guesses: what the facts do not
//! prove is [`Outcome::Uncertain`]. The table itself is a pure function over observed facts.

use super::{DeliveryError, Place, Refusal, Remote, Seen, Step};

/// What stands under a final name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinalName {
    /// Nothing.
    Absent,
    /// A file.
    Present {
        /// Its length, where the destination tells.
        size_bytes: Option<u64>,
    },
    /// The destination does not let us look.
    Unknown,
}

/// One attempt to publish.
#[derive(Debug, Clone, Copy)]
pub struct RenameOrder<'a> {
    /// The temporary name READY pins.
    pub temporary_name: &'a str,
    /// The name the house picks up.
    pub final_name: &'a str,
    /// Length of the sealed file.
    pub size_bytes: u64,
    /// Which attempt this is, 1 and up, as written with RENAMING before the call.
    pub rename_attempt: u32,
    /// `rename_proves_publication` of the destination.
    pub proves_publication: bool,
    /// Whether [`Remote::identity`] equals the one written when the upload began.
    pub same_identity: bool,
}

/// How we know that the house has the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The rename was acknowledged.
    Acknowledged,
    /// An earlier rename of ours went through: the final file stands there with our length.
    Found,
    /// The temporary file is gone, which only our rename does: the house has taken the file already.
    Proved,
}

/// What an attempt to publish came to.
#[derive(Debug)]
pub enum Outcome {
    /// The house has the file.
    Published {
        /// How we know.
        how: How,
    },
    /// Not published for sure; the temporary file is still there. The error's class says whether to try again.
    StaysReady(DeliveryError),
    /// Not published for sure, and the temporary file is gone: upload again. The error is what the rename was answered,
    /// for whoever has sent it again already.
    SendAgain {
        /// Why, for people.
        why: String,
        /// The answer.
        error: DeliveryError,
    },
    /// Nobody can tell: a person must look.
    Uncertain(String),
    /// No answer to a rename that may have happened, exactly as after a crash at this point: the file stays RENAMING,
    /// and the next attempt (`rename_attempt + 1`, over a new connection) finds out.
    Unanswered(DeliveryError),
}

/// Looks at a final name. Called while the file is READY, before RENAMING 1 is written, a file already there means
/// UNCERTAIN without any rename; [`rename`] looks again all the same.
///
/// # Errors
/// No answer.
pub fn look(remote: &mut dyn Remote, final_name: &str) -> Result<FinalName, DeliveryError> {
    Ok(match remote.stat(Place::Final(final_name))? {
        Seen::Present { size_bytes } => FinalName::Present { size_bytes },
        Seen::Absent => FinalName::Absent,
        Seen::Hidden => FinalName::Unknown,
    })
}

/// Publishes, or finds out what an earlier attempt did. After [`Outcome::Published`] nothing there is touched again.
pub fn rename(remote: &mut dyn Remote, order: &RenameOrder<'_>) -> Outcome {
    let before = match look(remote, order.final_name) {
        Ok(before) => before,
        Err(error) if order.rename_attempt == 1 => return Outcome::StaysReady(error),
        Err(error) => return Outcome::Unanswered(error),
    };
    match before_rename(order, before) {
        Verdict::Undecided => {}
        decided => return conclude(remote, order, decided, None),
    }
    let (answer, error) = match remote.rename(order.temporary_name, order.final_name) {
        Ok(()) => return Outcome::Published { how: How::Acknowledged },
        Err(error @ DeliveryError::Refused { refusal: Refusal::NoSuchFile, .. }) => (Answer::NoSuchFile, error),
        Err(error @ DeliveryError::Refused { .. }) => (Answer::Other, error),
        Err(error) => return Outcome::Unanswered(error),
    };
    match observe(remote, order) {
        Ok(facts) => {
            let verdict = after_rename(order, answer, &facts);
            conclude(remote, order, verdict, Some(error))
        }
        Err(error) => Outcome::Unanswered(error),
    }
}

/// What a RENAME was answered, other than OK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    NoSuchFile,
    Other,
}

/// What was seen after a RENAME that was not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    temporary: Seen,
    published: Seen,
    folders_seen: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Go on with the RENAME.
    Undecided,
    Published(How),
    /// Published, and the temporary file is still there.
    PublishedWithLeftOver,
    /// The answer stands; the temporary file is there.
    StaysReady,
    SendAgain(&'static str),
    Uncertain(&'static str),
}

fn before_rename(order: &RenameOrder<'_>, before: FinalName) -> Verdict {
    match before {
        FinalName::Absent | FinalName::Unknown => Verdict::Undecided,
        FinalName::Present { .. } if order.rename_attempt == 1 => {
            Verdict::Uncertain("a file of that name is there although we have not renamed yet")
        }
        FinalName::Present { size_bytes } if size_bytes == Some(order.size_bytes) => Verdict::PublishedWithLeftOver,
        FinalName::Present { .. } => Verdict::Uncertain("a file of that name is there with another length than ours"),
    }
}

fn after_rename(order: &RenameOrder<'_>, answer: Answer, facts: &Facts) -> Verdict {
    match answer {
        Answer::NoSuchFile if order.rename_attempt == 1 => no_such_file_at_first(facts),
        Answer::NoSuchFile => no_such_file_later(order, facts),
        Answer::Other => other_answer(order, facts),
    }
}

/// The first RENAME was answered "no such file": it did not happen.
fn no_such_file_at_first(facts: &Facts) -> Verdict {
    match facts.temporary {
        Seen::Present { .. } => Verdict::StaysReady,
        Seen::Absent => Verdict::SendAgain("the temporary file is gone and was never published"),
        Seen::Hidden => Verdict::SendAgain("the rename found no file and nothing can be seen; it was never published"),
    }
}

/// An earlier RENAME may have happened. Its effect and a swept temporary file look the same, so a person's word that
/// nobody sweeps is needed, and that we look at the same place.
fn no_such_file_later(order: &RenameOrder<'_>, facts: &Facts) -> Verdict {
    match facts.temporary {
        Seen::Present { .. } => Verdict::StaysReady,
        Seen::Hidden => Verdict::Uncertain("whether the temporary file is there cannot be seen"),
        Seen::Absent if is_ours(order, facts) => Verdict::Published(How::Found),
        Seen::Absent if !order.same_identity => {
            Verdict::Uncertain("the destination is not the one the file was uploaded to")
        }
        Seen::Absent if !facts.folders_seen => Verdict::Uncertain("the folders of the destination cannot be seen"),
        Seen::Absent if !order.proves_publication => {
            Verdict::Uncertain("the temporary file is gone: taken by the house, or swept (rename_proves_publication)")
        }
        Seen::Absent => Verdict::Published(How::Proved),
    }
}

fn other_answer(order: &RenameOrder<'_>, facts: &Facts) -> Verdict {
    match (facts.temporary, facts.published) {
        (Seen::Present { .. }, Seen::Absent) => Verdict::StaysReady,
        (temporary, Seen::Present { .. }) if is_ours(order, facts) && order.rename_attempt > 1 => match temporary {
            Seen::Present { .. } => Verdict::PublishedWithLeftOver,
            Seen::Absent | Seen::Hidden => Verdict::Published(How::Found),
        },
        (Seen::Absent, Seen::Absent) => no_such_file_later(order, facts),
        (_, Seen::Present { .. }) => Verdict::Uncertain("a file of that name is there and the rename was refused"),
        (Seen::Hidden, _) | (_, Seen::Hidden) => {
            Verdict::Uncertain("the rename was refused and nothing can be seen there")
        }
    }
}

fn is_ours(order: &RenameOrder<'_>, facts: &Facts) -> bool {
    facts.published == Seen::Present { size_bytes: Some(order.size_bytes) }
}

fn observe(remote: &mut dyn Remote, order: &RenameOrder<'_>) -> Result<Facts, DeliveryError> {
    let is_present = |seen: Seen| matches!(seen, Seen::Present { .. });
    Ok(Facts {
        temporary: remote.stat(Place::Temporary(order.temporary_name))?,
        published: remote.stat(Place::Final(order.final_name))?,
        folders_seen: is_present(remote.stat(Place::FinalFolder)?) && is_present(remote.stat(Place::TemporaryFolder)?),
    })
}

fn conclude(
    remote: &mut dyn Remote,
    order: &RenameOrder<'_>,
    verdict: Verdict,
    error: Option<DeliveryError>,
) -> Outcome {
    let path = remote.path(Place::Final(order.final_name));
    let because = |why: &str| format!("{path} at destination {}: {why}", remote.name());
    let unknown = || remote.refused(Step::Rename, Place::Final(order.final_name), Refusal::Failure);
    match verdict {
        Verdict::Published(how) => Outcome::Published { how },
        Verdict::PublishedWithLeftOver => {
            // Best effort: the house has its file, a left-over temporary one harms nobody.
            let _ = remote.unlink(order.temporary_name);
            Outcome::Published { how: How::Found }
        }
        Verdict::StaysReady | Verdict::Undecided => Outcome::StaysReady(error.unwrap_or_else(unknown)),
        Verdict::SendAgain(why) => Outcome::SendAgain { why: because(why), error: error.unwrap_or_else(unknown) },
        Verdict::Uncertain(why) => Outcome::Uncertain(because(why)),
    }
}

#[cfg(test)]
mod tests;
