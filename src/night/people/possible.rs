//! Which order is possible where a file stands, and what helps a person there.
//!
//! The states are those of [`FileState::next`]; what it cannot see (a rename that was tried, a journal line that was not
//! committed, what is a duplicate) is added here.

use super::{Action, ActionError};
use crate::document::FileType;
use crate::report::Alert;
use crate::settlement::FileState;
use crate::spool::JournalEntry;
use crate::store::FileRow;

/// Refuses what cannot be done with a file where it stands, and says what can.
pub(super) fn admit(action: Action, file: &FileRow, ahead: Option<&JournalEntry>) -> Result<(), ActionError> {
    let name = name_of(file);
    if matches!(ahead, Some(JournalEntry::Rename { .. } | JournalEntry::Published { .. })) {
        return Err(ActionError::refused(format!(
            "{name} was being renamed when a run was interrupted: emboss run finds out what became of it, ask again then"
        )));
    }
    match obstacle(action, file) {
        None => Ok(()),
        Some(why) => {
            let (words, state) = (action.words(), shown_state(file));
            let ways = ways_on(file);
            let ways = if ways.is_empty() { "nothing".to_owned() } else { ways.join("; ") };
            Err(ActionError::refused(format!("{words} is not possible: {name} is {state}, {why}. Possible: {ways}")))
        }
    }
}

/// What stands against an order.
fn obstacle(action: Action, file: &FileRow) -> Option<&'static str> {
    use FileState as S;
    match (action, file.state) {
        (Action::ResolveDelivered | Action::ResolveNotDelivered, S::Uncertain) => None,
        (Action::ResolveDelivered | Action::ResolveNotDelivered, _) => Some("there is nothing to decide"),
        (Action::Abandon, S::Sending | S::Ready) if file.is_resend() => None,
        (Action::Abandon, S::Claimed | S::Sealed | S::Sending | S::Ready) if file.abandoned => {
            Some("its cards were taken out before")
        }
        (Action::Abandon, S::Claimed | S::Sealed | S::Sending | S::Ready) if file.rename_attempted => {
            Some("it was renamed once, the house may know it")
        }
        (Action::Abandon, S::Claimed | S::Sealed | S::Sending | S::Ready) => None,
        (Action::Abandon, S::Renaming | S::Uncertain) => Some("the house may have it"),
        (Action::Abandon, S::Published | S::Settled) => Some("the house has it"),
        (Action::Duplicate, _) if file.file_type == FileType::Duplicate => {
            Some("a duplicate itself: have the file duplicated that it repeats")
        }
        (Action::Resend, S::Settled) => None,
        (Action::Duplicate, _) if file.settled_at.is_some() => None,
        (Action::Resend, _) if file.is_resend() => Some("it is being sent again already"),
        (Action::Resend | Action::Duplicate, _) => Some("it was not delivered yet"),
    }
}

/// What a person can have done with a file that stands where it stands, as commands.
pub fn ways_on(file: &FileRow) -> Vec<String> {
    use FileState as S;
    let name = name_of(file);
    let order = |words: &str| format!("emboss {words} --file {name} --by WHO --reason WHY");
    let orders = [
        (Action::ResolveDelivered, order("resolve --delivered")),
        (Action::ResolveNotDelivered, order("resolve --not-delivered")),
        (Action::Abandon, order("abandon")),
        (Action::Resend, order("resend")),
        (Action::Duplicate, order("resend --duplicate")),
    ];
    let by_itself = file.state.is_unfinished().then(|| "emboss run".to_owned());
    let orders = orders.into_iter().filter(|(action, _)| obstacle(*action, file).is_none()).map(|(_, words)| words);
    // While a resend is under way a duplicate is possible too, but not what helps.
    let orders = orders.filter(|words| file.state == S::Settled || !words.contains("--duplicate"));
    by_itself.into_iter().chain(orders).collect()
}

/// The state for people.
fn shown_state(file: &FileRow) -> String {
    let state = file.state;
    if file.is_resend() { format!("SETTLED and being sent again ({state})") } else { state.to_string() }
}

/// The final name, or the id before there is one.
pub(super) fn name_of(file: &FileRow) -> String {
    file.file_name.clone().unwrap_or_else(|| file.file_id.to_string())
}

/// The alert of an UNCERTAIN file, the same in every run until somebody decides.
pub(in crate::night) fn decide(file: &FileRow) -> Alert {
    let name = name_of(file);
    let text = format!(
        "Nobody can tell whether {name} reached {}. Ask the house, then decide with emboss resolve --file {name} \
         --delivered or --not-delivered, --by WHO --reason WHY.",
        file.manufacturer
    );
    Alert::new("UNCERTAIN", text)
}

#[cfg(test)]
mod tests;
