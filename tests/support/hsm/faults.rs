//! What goes wrong, and when: scripts of a test for its device.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A command as a fault sees it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Number of the connection, from 1.
    pub connection: u64,
    /// Number of the command on the device, from 1.
    pub order: u64,
    /// Its two letters.
    pub code: String,
    /// Account number of twelve digits, where it has one.
    pub account: Option<String>,
}

/// What happens instead of a plain answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// The answer comes after so long.
    Delay(Duration),
    /// No answer comes, and the connection stays open.
    Stall,
    /// The answer comes before that of the next command on the same connection, and not earlier.
    Late,
    /// The answer comes on whichever connection has the next command of the same letters, in place of its own.
    Crossed,
    /// The connection closes after so many bytes of the answer.
    Reset(usize),
    /// The answer comes byte by byte.
    Split,
    /// The answer comes twice in one segment.
    Twice,
    /// The header is another.
    WrongHeader,
    /// The letters are another answer's.
    WrongLetters,
    /// This error code, and nothing is done.
    Error(&'static str),
    /// The command is done, PIN made and all, and the answer is this error code.
    ErrorAfter(&'static str),
    /// These bytes come in place of a frame.
    Bytes(Vec<u8>),
}

/// When something happens: every condition that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct When {
    code: Option<&'static str>,
    connection: Option<u64>,
    account: Option<String>,
    from: u64,
    times: Option<u64>,
}

impl When {
    /// For every command.
    pub fn always() -> Self {
        Self::default()
    }

    /// For commands of these letters.
    pub fn command(code: &'static str) -> Self {
        Self { code: Some(code), ..Self::default() }
    }

    /// On this connection only.
    pub fn on_connection(self, connection: u64) -> Self {
        Self { connection: Some(connection), ..self }
    }

    /// For this account only, twelve digits.
    pub fn for_account(self, account: &str) -> Self {
        Self { account: Some(account.to_owned()), ..self }
    }

    /// Not for the first `passed` that would fit.
    pub fn after(self, passed: u64) -> Self {
        Self { from: passed, ..self }
    }

    /// No more than so many times.
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    fn fits(&self, seen: &Seen) -> bool {
        self.code.is_none_or(|code| code == seen.code)
            && self.connection.is_none_or(|connection| connection == seen.connection)
            && self.account.as_ref().is_none_or(|account| Some(account) == seen.account.as_ref())
    }
}

struct Scripted {
    when: When,
    act: Act,
    fitted: u64,
}

struct Chance {
    seed: u64,
    /// Of a thousand commands, so many each.
    acts: Vec<(u32, Act)>,
    /// Commands of each kind and account seen: chance is drawn per command, whatever comes between.
    seen: BTreeMap<String, u64>,
}

/// Everything that is to go wrong with a device.
#[derive(Default)]
pub struct Faults {
    scripted: Mutex<Vec<Scripted>>,
    chance: Mutex<Option<Chance>>,
    limit: Mutex<Option<(usize, &'static str, Vec<Instant>)>>,
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Faults")
    }
}

impl Faults {
    /// Adds one; the first that fits a command happens to it.
    pub fn add(&self, when: When, act: Act) {
        self.scripted.lock().expect("not poisoned").push(Scripted { when, act, fitted: 0 });
    }

    /// From now on by chance: of a thousand commands so many each.
    pub fn by_chance(&self, seed: u64, acts: &[(u32, Act)]) {
        *self.chance.lock().expect("not poisoned") = Some(Chance { seed, acts: acts.to_vec(), seen: BTreeMap::new() });
    }

    /// More than so many commands in any second are answered with this error code.
    pub fn limit(&self, commands_per_s: usize, code: &'static str) {
        *self.limit.lock().expect("not poisoned") = Some((commands_per_s, code, Vec::new()));
    }

    /// Nothing goes wrong any more.
    pub fn clear(&self) {
        self.scripted.lock().expect("not poisoned").clear();
        *self.chance.lock().expect("not poisoned") = None;
        *self.limit.lock().expect("not poisoned") = None;
    }

    /// What happens to a command.
    pub fn of(&self, seen: &Seen) -> Option<Act> {
        self.scripted_for(seen).or_else(|| self.over_limit()).or_else(|| self.chance_for(seen))
    }

    fn scripted_for(&self, seen: &Seen) -> Option<Act> {
        let mut chosen = None;
        for scripted in self.scripted.lock().expect("not poisoned").iter_mut().filter(|one| one.when.fits(seen)) {
            scripted.fitted += 1;
            let turn = scripted.fitted.checked_sub(scripted.when.from + 1);
            if turn.is_some_and(|turn| scripted.when.times.is_none_or(|times| turn < times)) {
                chosen = chosen.or_else(|| Some(scripted.act.clone()));
            }
        }
        chosen
    }

    fn over_limit(&self) -> Option<Act> {
        let mut limit = self.limit.lock().expect("not poisoned");
        let (most, code, seen) = limit.as_mut()?;
        let now = Instant::now();
        seen.retain(|instant| now.duration_since(*instant) < Duration::from_secs(1));
        seen.push(now);
        (seen.len() > *most).then_some(Act::Error(code))
    }

    fn chance_for(&self, seen: &Seen) -> Option<Act> {
        let mut chance = self.chance.lock().expect("not poisoned");
        let chance = chance.as_mut()?;
        let about = format!("{}{}", seen.code, seen.account.as_deref().unwrap_or_default());
        let count = chance.seen.entry(about.clone()).or_default();
        *count += 1;
        let mut drawn = drawn(chance.seed, &format!("{about}/{count}")) % 1000;
        for (share, act) in &chance.acts {
            match drawn.checked_sub(*share) {
                None => return Some(act.clone()),
                Some(rest) => drawn = rest,
            }
        }
        None
    }
}

/// A number from a seed and a text (FNV-1a, then mixed).
pub fn drawn(seed: u64, about: &str) -> u32 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ seed;
    for byte in about.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (hash >> 33) as u32
}
