//! A line of the spool's journal: what is read is written again as it was read.

use emboss::spool::JournalLine;

pub fn holds(line: &[u8]) {
    let Ok(line) = std::str::from_utf8(line) else { return };
    let Some(read) = JournalLine::parse(line) else { return };
    let written = read.to_string();
    assert_eq!(JournalLine::parse(&written), Some(read), "{written}");
    assert!(!written.contains('\n'), "a line is one line");
}
