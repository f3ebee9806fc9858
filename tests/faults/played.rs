//! Plays a schedule of faults on an installation: every run a child process, every wait with a limit, and after each of
//! them what must hold at every moment is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use emboss::fault::{ORDER, Point};
use emboss::settlement::FileState;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::books::Books;
use crate::house::{Greedy, House};
use crate::orders::{PRODUCED, order_at};
use crate::outage::{Outage, set_impatience};
use crate::process::{Running, until};
use crate::schedule::{Fault, MOST_TRIES, Manners, Schedule, Try};
use crate::site::{Database, Servers, Site, Special};
use crate::support::proxy::{Break, Proxy};
use crate::support::sshd::WRITE_ONLY;
use crate::support::trial::{Outcome, started};
use crate::whole::{Opened, Seen};

/// The nights; long past by the clock of whoever runs the tests.
const NIGHTS: [&str; MOST_TRIES + 2] =
    ["2026-02-21", "2026-02-22", "2026-02-23", "2026-02-24", "2026-02-25", "2026-02-26", "2026-02-27"];
/// The houses; the first one is the site's own.
const HOUSES: [&str; 3] = ["FACTORY_X", "FACTORY_Y", "FACTORY_Z"];

/// An installation in the middle of a schedule.
pub(crate) struct Play<'a> {
    schedule: &'a Schedule,
    site: Site,
    houses: Vec<(PathBuf, House)>,
    night: usize,
    due: BTreeSet<u32>,
    opened: BTreeMap<String, Opened>,
    story: Vec<String>,
}

/// Plays it to its end; what happened, run by run.
///
/// # Panics
/// With everything that is wrong, and the story of how it came to that.
pub(crate) fn play(servers: &Servers, schedule: &Schedule) -> Vec<String> {
    let mut play = Play::begin(servers, schedule);
    for one in &schedule.tries {
        play.perform(one);
    }
    play.settle();
    play.story
}

impl<'a> Play<'a> {
    fn begin(servers: &Servers, schedule: &'a Schedule) -> Self {
        let write_only = schedule.manners == Manners::WriteOnly;
        let special = Special {
            sftp: if write_only { WRITE_ONLY } else { "" },
            write_only,
            rename_proves_publication: schedule.proves,
            ..Special::default()
        };
        let site = Site::on(servers, special);
        let houses = HOUSES.iter().take(schedule.cards.len()).map(|house| {
            let folder =
                if *house == HOUSES[0] { site.sshd.incoming() } else { site.sshd.incoming().with_file_name(house) };
            fs::create_dir_all(&folder).expect("a folder");
            (folder.clone(), House::at(folder))
        });
        let houses = houses.collect();
        let due = PRODUCED.into_iter().collect();
        let mut play = Self { schedule, site, houses, night: 0, due, opened: BTreeMap::new(), story: Vec::new() };
        play.configure();
        for (house, cards) in HOUSES.iter().zip(&schedule.cards) {
            play.order(house, *cards);
        }
        play
    }

    /// More houses over the same server, each with a folder of its own; and how long a silence may last.
    fn configure(&self) {
        let text = fs::read_to_string(self.site.path("emboss.toml")).expect("read");
        let impatient = "attempts = 2\nconnect_timeout_s = 2\ninactivity_timeout_s = 2";
        let limit = format!("include_phone = true\nmax_records_per_file = {}", self.schedule.max_records_per_file);
        let mut text = text.replace("attempts = 2", impatient).replace("include_phone = true", &limit);
        let section = |from: &str| {
            let start = text.find(from).expect("a section");
            let end = text[start + 2..].find("\n[[").map_or(text.len(), |end| start + 2 + end);
            text[start..end].to_owned()
        };
        let parts = ["[[manufacturer]]", "[[agreement]]", "[[destination]]"].map(section);
        for (house, (folder, _)) in HOUSES.iter().zip(&self.houses).skip(1) {
            for part in &parts {
                let part = part
                    .replace("\"FACTORY_X\"", &format!("\"{house}\""))
                    .replace("\"factory-x\"", &format!("\"to-{house}\""));
                let own = self.houses[0].0.display().to_string();
                text += &format!("\n{}\n", part.replace(&format!("\"{own}\""), &format!("\"{}\"", folder.display())));
            }
        }
        fs::write(self.site.path("emboss.toml"), text).expect("written");
    }

    fn tell(&mut self, what: String) {
        self.story.push(what);
    }

    /// Cards that a house makes, ordered before every night.
    fn order(&mut self, house: &str, cards: u8) {
        let lines = self.new_cards(house, cards);
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        Outcome::fed(&mut self.site.emboss(&["import", "-"]), text.as_bytes()).exits(0);
    }

    fn new_cards(&mut self, house: &str, cards: u8) -> Vec<Value> {
        let first = 4001 + u32::try_from(self.due.len()).expect("few");
        let numbers = first..first + u32::from(cards);
        self.due.extend(numbers.clone());
        let body = json!({"productCode": "VISA_CARD",
            "embossing": {"firstName": "Monica", "lastName": "Liikamaa", "manufacturer": house}});
        let ids = |number: u32| {
            json!({"customerId": "1001", "accountId": "2001", "cardId": number.to_string(),
            "cardRole": "MAIN", "scheme": "VISA"})
        };
        numbers.map(|number| order_at(number, "createCard", ids(number), body.clone())).collect()
    }

    /// What is ordered, a run with its fault, and the check after it.
    fn perform(&mut self, one: &Try) {
        for place in 0..one.orders {
            let house = HOUSES[usize::from(place) % self.houses.len()];
            self.order(house, 1);
        }
        self.night += usize::from(one.next_night && !one.on_demand);
        let arguments: &[&str] =
            if one.on_demand { &["run", "--now", "--json"] } else { &["run", "--date", NIGHTS[self.night], "--json"] };
        let greedy = self.greedy(one.fault == Fault::FolderMissing);
        let mut outcome = self.with_fault(arguments, one.fault);
        // A server needs a moment to see that the run before this one is dead, and to free its lock.
        until("the lock is free", || {
            let is_free = outcome.code != Some(4);
            if !is_free {
                outcome = self.with_fault(arguments, one.fault);
            }
            is_free
        });
        drop(greedy);
        self.tell(format!("{one:?}, night {}: {}", NIGHTS[self.night], told(&outcome)));
        self.check_outcome(&outcome);
        self.sweep();
        self.check(false);
    }

    /// Houses that take each file at once; not the last one where its folder is about to be missing.
    fn greedy(&self, but_the_last: bool) -> Vec<Greedy> {
        let houses = self.houses.len() - usize::from(but_the_last);
        let greedy = if self.schedule.manners == Manners::Greedy { houses } else { 0 };
        self.houses.iter().take(greedy).map(|(_, house)| house.greedy()).collect()
    }

    /// And what they did not get hold of before the run ended.
    fn sweep(&self) {
        if self.schedule.manners == Manners::Greedy {
            self.houses.iter().for_each(|(_, house)| house.take());
        }
    }

    fn with_fault(&mut self, arguments: &[&str], fault: Fault) -> Outcome {
        match fault {
            Fault::None => self.start(arguments, "").ends(),
            Fault::Kill(point, time) => self.start(arguments, &order_to("kill", point, time)).ends(),
            Fault::Terminate(point, time) => self.paused_at(arguments, point, time, |_, run| run.send(Signal::TERM)),
            Fault::ImportAt(point, time) => self.import_at(arguments, point, time),
            Fault::DatabaseDies(point, time) => self.without_database(arguments, point, time),
            Fault::Reset(bytes) => self.through(arguments, bytes, Break::Reset),
            Fault::Silence(bytes) => self.through(arguments, bytes, Break::Silence),
            Fault::FolderMissing => {
                let folder = self.houses.last().expect("a house").0.clone();
                let away = folder.with_extension("away");
                fs::rename(&folder, &away).expect("moved");
                let outcome = self.start(arguments, "").ends();
                fs::rename(&away, &folder).expect("moved back");
                outcome
            }
        }
    }

    /// Starts the program, with an order to itself.
    fn start(&self, arguments: &[&str], fault: &str) -> Running {
        let mut command = self.site.emboss(arguments);
        Running::of(started(command.env(ORDER, fault)))
    }

    /// A run that stands still at a point while something happens, and then goes on.
    fn paused_at(
        &mut self,
        arguments: &[&str],
        point: Point,
        time: u8,
        happens: impl FnOnce(&mut Self, &mut Running),
    ) -> Outcome {
        let mut run = self.start(arguments, &order_to("stop", point, time));
        if run.stops() {
            happens(self, &mut run);
            run.send(Signal::CONT);
        }
        run.ends()
    }

    /// Fault 32: where the run holds the database's only writer, the import waits until it goes on.
    fn import_at(&mut self, arguments: &[&str], point: Point, time: u8) -> Outcome {
        let lines = self.new_cards(HOUSES[0], 2);
        let path = self.site.path("more-orders.jsonl");
        fs::write(&path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).expect("written");
        let mut import = None;
        let outcome = self.paused_at(arguments, point, time, |play, _| {
            import = Some(play.start(&["import", &path.display().to_string()], ""));
        });
        let import = import.unwrap_or_else(|| self.start(&["import", &path.display().to_string()], ""));
        import.ends().exits(0);
        outcome
    }

    /// Fault 11.
    fn without_database(&mut self, arguments: &[&str], point: Point, time: u8) -> Outcome {
        match self.site.database {
            // It comes back at once, so that the next statement finds its connection broken and the next one works.
            Database::Postgres => self.paused_at(arguments, point, time, |play, _| {
                play.site.server().cluster().crash();
                play.site.server().cluster().start();
            }),
            Database::Sqlite => {
                let config = fs::read_to_string(self.site.path("emboss.toml")).expect("read");
                set_impatience(&self.site);
                let mut outage = None;
                let outcome =
                    self.paused_at(arguments, point, time, |play, _| outage = Some(Outage::begin(&play.site)));
                drop(outage);
                fs::write(self.site.path("emboss.toml"), config).expect("written");
                outcome
            }
        }
    }

    /// Over a line that breaks.
    fn through(&mut self, arguments: &[&str], bytes: u64, then: Break) -> Outcome {
        let direct = self.site.sshd.port();
        let config = fs::read_to_string(self.site.path("emboss.toml")).expect("read");
        let proxy = Proxy::to(direct, bytes, then);
        let broken = config.replace(&format!("port = {direct}"), &format!("port = {}", proxy.port()));
        fs::write(self.site.path("emboss.toml"), broken).expect("written");
        let outcome = self.start(arguments, "").ends();
        fs::write(self.site.path("emboss.toml"), config).expect("written");
        outcome
    }

    /// Dead, or ended as it may: a report that adds up, or nothing but an exit code that says "run again".
    fn check_outcome(&self, outcome: &Outcome) {
        let told = || format!("{}\n{}", self.story.join("\n"), outcome.both());
        match outcome.code {
            None | Some(3) => {}
            Some(0 | 1) => assert_eq!(outcome.object()["addsUp"], true, "{}", told()),
            Some(_) => panic!("{}", told()),
        }
        assert!(!outcome.both().contains("panicked"), "{}", told());
    }

    fn check(&mut self, is_at_rest: bool) -> Books {
        let arrived: Vec<_> = self.houses.iter().flat_map(|(_, house)| house.has()).collect();
        let files: Vec<Opened> = arrived
            .iter()
            .map(|file| {
                let known = self.opened.get(&file.name).filter(|known| known.sha256 == Opened::digest(file));
                known.cloned().unwrap_or_else(|| Opened::of(file))
            })
            .collect();
        self.opened = files.iter().map(|file| (file.name.clone(), file.clone())).collect();
        self.site.audit_is_sound(&self.story.join("\n"));
        let books = self.site.books();
        let seen = Seen { files: &files, books: &books };
        let wrong = if is_at_rest { seen.at_rest(&self.due) } else { seen.always() };
        let uncertain = books.files.iter().any(|row| row.state == FileState::Uncertain);
        let story = || format!("{:#?}\n{}\nwrong:\n{}", self.schedule, self.story.join("\n"), wrong.join("\n"));
        assert!(wrong.is_empty(), "{}", story());
        assert!(!uncertain || self.schedule.may_be_uncertain(), "a person is needed\n{}", story());
        books
    }

    /// Everything works again: one run brings all to its end. Where only a person can tell, one does, truthfully.
    fn settle(&mut self) {
        self.night += 1;
        let books = self.run_once_more();
        let doubtful: Vec<String> = books
            .files
            .iter()
            .filter(|row| row.state == FileState::Uncertain)
            .filter_map(|row| row.file_name.clone())
            .collect();
        if !doubtful.is_empty() {
            self.resolve(&doubtful);
            self.run_once_more();
        }
        self.check(true);
        let last = self.start(&["run", "--date", NIGHTS[self.night], "--json"], "").ends();
        self.tell(format!("settled: {}", told(&last)));
        let report = last.exits(0).object();
        assert_eq!((&report["selected"], &report["addsUp"]), (&json!(0), &json!(true)), "{}", self.story.join("\n"));
        let standing: Vec<String> = self.houses.iter().flat_map(|(_, house)| house.standing()).collect();
        let parts: Vec<&String> = standing.iter().filter(|name| name.ends_with(".part")).collect();
        assert!(parts.is_empty(), "left at the house: {parts:?}\n{}", self.story.join("\n"));
    }

    fn run_once_more(&mut self) -> Books {
        let greedy = self.greedy(false);
        let arguments = ["run", "--date", NIGHTS[self.night], "--json"];
        let mut outcome = self.start(&arguments, "").ends();
        until("the lock is free", || {
            let is_free = outcome.code != Some(4);
            if !is_free {
                outcome = self.start(&arguments, "").ends();
            }
            is_free
        });
        drop(greedy);
        self.sweep();
        self.tell(format!("everything works: {}", told(&outcome)));
        self.check_outcome(&outcome);
        let books = self.check(false);
        let left: Vec<&FileState> =
            books.files.iter().map(|row| &row.state).filter(|state| **state != FileState::Settled).collect();
        assert!(left.iter().all(|state| **state == FileState::Uncertain), "{left:?}\n{}", self.story.join("\n"));
        // The dates that nobody ran between the schedule's and today's are told once.
        let missed = outcome.stdout.contains("MISSED_RUN");
        let code = i32::from(missed || !left.is_empty());
        assert_eq!(outcome.code, Some(code), "{:#?}\n{}\n{}", self.schedule, self.story.join("\n"), outcome.both());
        books
    }

    /// A person looks at what the houses have, and says so.
    fn resolve(&mut self, doubtful: &[String]) {
        let greedy = self.greedy(false);
        for name in doubtful {
            let has = self.houses.iter().any(|(_, house)| house.has().iter().any(|file| file.name == *name));
            let word = if has { "--delivered" } else { "--not-delivered" };
            let order = ["resolve", "--file", name, word, "--by", "a.person", "--reason", "asked the house"];
            let outcome = self.start(&order, "").ends();
            self.tell(format!("resolve {name} {word}: {}", told(&outcome)));
            assert_eq!(outcome.code, Some(0), "{:#?}\n{}", self.schedule, self.story.join("\n"));
        }
        drop(greedy);
        self.sweep();
    }
}

fn order_to(action: &str, point: Point, time: u8) -> String {
    format!("{action}@{}#{time}", point.name())
}

/// What a run came to, in a line or two.
fn told(outcome: &Outcome) -> String {
    let last: Vec<&str> = outcome.stderr.lines().rev().take(12).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    format!("exit {:?}\n    {}", outcome.code, last.join("\n    "))
}
