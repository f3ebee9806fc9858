use super::*;

/// Under the key 00 01 .. 1f, computed apart from this program: `hmac.new(bytes(range(32)), m, sha256)` of Python, `m`
/// being each part behind `struct.pack(">I", len(part))`.
const FIRST: &str = "cec55a8cf8138303b7a49520ab8e4bbad724b154a8fdaf2f53e1eed2692e1e05";
const SECOND: &str = "719341d8e33297c3910d35dffeeddd1c095fc45a625a8d698cf109333370cfd8";

fn key(id: &str, first: u8) -> ChainKey {
    let bytes: Vec<u8> = (first..first + 32).collect();
    ChainKey::new(id, Zeroizing::new(bytes.try_into().unwrap()))
}

fn keys() -> ChainKeys {
    [key("audit-1", 0), key("audit-2", 100)].into_iter().collect()
}

fn by_anna() -> Entry<'static> {
    Entry {
        number: 1,
        at_us: 1_795_143_612_345_678,
        actor: "anna",
        action: "file.abandoned",
        subject: "3f2b",
        reason: "a wrong layout",
        data: r#"{"fileId":"3f2b"}"#,
    }
}

fn run_ended() -> Entry<'static> {
    Entry {
        number: 2,
        at_us: 1_795_143_612_345_679,
        actor: "emboss",
        action: "run.ended",
        subject: "77",
        reason: "",
        data: r#"{"exitCode":0}"#,
    }
}

#[test]
fn macs_are_those_of_another_program() {
    let key = key("audit-1", 0);
    let first = key.mac(&by_anna(), &NOTHING_BEFORE);
    assert_eq!(hex::encode(first), FIRST);
    assert_eq!(hex::encode(key.mac(&run_ended(), &first)), SECOND);
}

#[test]
fn every_part_of_an_entry_is_in_its_mac() {
    let key = key("audit-1", 0);
    let entry = by_anna();
    let changed = [
        Entry { number: 2, ..entry },
        Entry { at_us: entry.at_us + 1, ..entry },
        Entry { actor: "bert", ..entry },
        Entry { action: "file.resent", ..entry },
        Entry { subject: "3f2c", ..entry },
        Entry { reason: "", ..entry },
        Entry { data: "{}", ..entry },
        // The same letters in other parts.
        Entry { actor: "ann", action: "afile.abandoned", ..entry },
    ];
    let macs = changed.iter().map(|entry| key.mac(entry, &NOTHING_BEFORE));
    let others = [key.mac(&entry, &[1; 32]), self::key("audit-2", 0).mac(&entry, &NOTHING_BEFORE)];
    let mut all: Vec<String> = macs.chain(others).map(hex::encode).collect();
    all.push(FIRST.to_owned());
    all.sort();
    all.dedup();
    assert_eq!(all.len(), changed.len() + 3);
}

#[test]
fn a_key_shows_its_id_only() {
    assert_eq!(format!("{:?}", key("audit-1", 0)), "ChainKey(audit-1, ***)");
}

#[test]
fn a_head_has_one_text() {
    let head = Head { number: 17, mac: [0xab; 32] };
    let text = format!("17:{}", "ab".repeat(32));
    assert_eq!(head.to_string(), text);
    assert_eq!(text.parse(), Ok(head));
    let wrong = ["", "17", "17:", "0:", "x:ab", &text[1..][1..], &format!("{text}00"), &text.to_uppercase()];
    for text in wrong.into_iter().chain([&*format!("0{text}"), &*format!(" {text}"), &*text.replace("17", "0")]) {
        assert_eq!(text.parse::<Head>(), Err(HeadError), "{text}");
    }
}

/// An entry as it is stored.
#[derive(Debug, Clone)]
struct Stored {
    number: i64,
    reason: String,
    key_id: String,
    mac: Mac,
}

impl Stored {
    fn entry(&self) -> Entry<'_> {
        Entry { number: self.number, reason: &self.reason, ..by_anna() }
    }
}

/// A chain of nine entries.
fn nine() -> Vec<Stored> {
    let mut stored: Vec<Stored> = Vec::new();
    for number in 1..=9 {
        let before = stored.last().map_or(NOTHING_BEFORE, |last| last.mac);
        push(&mut stored, number, &key("audit-1", 0), &before);
    }
    stored
}

fn push(stored: &mut Vec<Stored>, number: i64, key: &ChainKey, before: &Mac) {
    let mut next =
        Stored { number, reason: format!("reason {number}"), key_id: key.id().to_owned(), mac: NOTHING_BEFORE };
    next.mac = key.mac(&next.entry(), before);
    stored.push(next);
}

fn walked(stored: &[Stored], kept: &[Head]) -> Walked {
    let keys = keys();
    let mut walk = Walk::new(&keys, kept);
    for stored in stored {
        walk.step(&stored.entry(), &stored.key_id, &stored.mac);
    }
    walk.finish()
}

fn faults(stored: &[Stored]) -> Vec<ChainFault> {
    walked(stored, &[]).faults
}

fn head(stored: &Stored) -> Head {
    Head { number: stored.number, mac: stored.mac }
}

#[test]
fn a_whole_chain_is_sound() {
    let chain = nine();
    let found = walked(&chain, &[head(&chain[4]), head(&chain[8])]);
    assert_eq!(found, Walked { entries: 9, sound: 9, head: Some(head(&chain[8])), ..Walked::default() });
    assert_eq!(walked(&[], &[]), Walked::default());
}

#[test]
fn a_changed_entry_is_told_and_no_other() {
    for at in [0, 4, 8] {
        let mut chain = nine();
        chain[at].reason = "another".to_owned();
        assert_eq!(faults(&chain), [ChainFault::Changed { number: at as i64 + 1 }]);
        // With a MAC that nobody who has no key can make right.
        chain[at].mac = [7; 32];
        assert_eq!(faults(&chain)[0], ChainFault::Changed { number: at as i64 + 1 });
    }
}

#[test]
fn removed_entries_are_told_by_their_numbers() {
    let mut chain = nine();
    chain.drain(4..7);
    assert_eq!(faults(&chain), [ChainFault::Removed { from: 5, to: 7 }]);
    assert_eq!(
        faults(&chain)[0].to_string(),
        "entries 5 to 7 were removed; the entry behind cannot be checked without what was before it"
    );
    let mut first = nine();
    first.remove(0);
    assert_eq!(faults(&first), [ChainFault::Removed { from: 1, to: 1 }]);
}

#[test]
fn removed_and_numbered_anew_every_entry_behind_is_told() {
    let mut chain = nine();
    chain.remove(4);
    chain.iter_mut().skip(4).for_each(|stored| stored.number -= 1);
    assert_eq!(faults(&chain), [5, 6, 7, 8].map(|number| ChainFault::Changed { number }));
}

#[test]
fn two_exchanged_entries_are_told_and_no_other() {
    let mut chain = nine();
    chain.swap(4, 5);
    (chain[4].number, chain[5].number) = (5, 6);
    assert_eq!(faults(&chain), [ChainFault::Changed { number: 5 }, ChainFault::Moved { number: 6, was: 5 }]);
}

#[test]
fn an_inserted_entry_is_told_with_those_it_pushed_on() {
    let mut chain = nine();
    let mut inserted = chain[4].clone();
    (inserted.reason, inserted.mac) = ("never ordered".to_owned(), [7; 32]);
    chain.insert(4, inserted);
    for (place, stored) in chain.iter_mut().enumerate() {
        stored.number = place as i64 + 1;
    }
    // Their reasons are those of their old numbers.
    let mut expected = vec![ChainFault::Changed { number: 5 }];
    expected.extend((6..=10).map(|number| ChainFault::Moved { number, was: number - 1 }));
    assert_eq!(faults(&chain), expected);
    let mut twice = nine();
    twice.insert(4, chain[4].clone());
    assert_eq!(faults(&twice)[0], ChainFault::Changed { number: 5 });
    assert_eq!(faults(&twice)[1], ChainFault::Repeated { number: 5 });
}

#[test]
fn an_entry_under_another_key_is_told() {
    let mut chain = nine();
    let before = chain[8].mac;
    // Of the right name and of none.
    push(&mut chain, 10, &key("audit-1", 50), &before);
    assert_eq!(faults(&chain), [ChainFault::Changed { number: 10 }]);
    chain.pop();
    push(&mut chain, 10, &key("mallory", 50), &before);
    assert_eq!(faults(&chain), [ChainFault::UnknownKey { number: 10, key_id: "mallory".to_owned() }]);
}

#[test]
fn a_key_that_was_replaced_never_comes_back() {
    let mut chain = nine();
    for (number, key) in [(10, key("audit-2", 100)), (11, key("audit-2", 100)), (12, key("audit-1", 0))] {
        assert_eq!(faults(&chain), []);
        let before = chain.last().unwrap().mac;
        push(&mut chain, number, &key, &before);
    }
    assert_eq!(faults(&chain), [ChainFault::KeyCameBack { number: 12, key_id: "audit-1".to_owned() }]);
}

#[test]
fn a_cut_tail_is_seen_by_who_kept_a_head_only() {
    let chain = nine();
    assert_eq!(faults(&chain[..6]), []);
    let kept = [head(&chain[3]), head(&chain[8])];
    assert_eq!(walked(&chain[..6], &kept).faults, [ChainFault::CutOff { last: 6, head: 9 }]);
    assert_eq!(walked(&[], &kept[..1]).faults, [ChainFault::CutOff { last: 0, head: 4 }]);
    let mut anew = chain[..6].to_vec();
    for number in 7..=9 {
        let before = anew.last().unwrap().mac;
        push(&mut anew, number, &key("audit-1", 0), &before);
        anew.last_mut().unwrap().reason.push('!');
        let sealed = key("audit-1", 0).mac(&anew.last().unwrap().entry(), &before);
        anew.last_mut().unwrap().mac = sealed;
    }
    assert_eq!(walked(&anew, &kept).faults, [ChainFault::OtherHead { number: 9 }], "written by who has the key");
}

/// Memory does not grow with what somebody writes into the rows.
#[test]
fn of_names_of_unknown_keys_a_hundred_are_kept() {
    let (keys, mut chain) = (keys(), Vec::new());
    for number in 1..=250 {
        push(&mut chain, number, &key(&format!("mallory-{number}"), 0), &[7; 32]);
    }
    let mut walk = Walk::new(&keys, &[]);
    for stored in chain.iter().chain(&chain[..1]) {
        walk.step(&stored.entry(), &stored.key_id, &stored.mac);
    }
    assert_eq!(walk.names_kept(), 100);
    let found = walk.finish();
    // The first name is told once, whatever has it; its row stands twice.
    assert_eq!((found.faults.len(), found.more), (100, 151));
}

#[test]
fn so_many_faults_are_counted_from_a_hundred_on() {
    let mut chain = Vec::new();
    for number in 1..=250 {
        push(&mut chain, number, &key("audit-1", 0), &[7; 32]);
    }
    let found = walked(&chain, &[]);
    assert_eq!((found.faults.len(), found.more, found.entries, found.sound), (100, 150, 250, 0));
}
