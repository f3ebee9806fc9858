//! The program as its users start it: an installation of its own, captured output, and no clear card number in it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use emboss::card::Pan;
use emboss::delivery::DestinationSecrets;
use emboss::delivery::settings::SftpSettings;
use emboss::seal::{self, OpeningKey};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};

use super::sshd::Sshd;

/// Card numbers of the trial's products begin so.
pub const RANGES: [&str; 2] = ["40000012", "40000034"];

/// The program, without anything of the environment that it would read.
pub fn emboss() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emboss"));
    command.env_remove("EMBOSS_CONFIG").env_remove("CREDENTIALS_DIRECTORY").stdin(Stdio::null());
    command
}

/// What a run of the program left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The exit code; none after a signal.
    pub code: Option<i32>,
    /// As printed.
    pub stdout: String,
    /// As printed.
    pub stderr: String,
}

impl Outcome {
    /// Runs the command to its end. Every output is searched for clear card numbers.
    pub fn of(command: &mut Command) -> Self {
        Self::from(command.output().expect("emboss starts"))
    }

    /// The same with something on standard input.
    pub fn fed(command: &mut Command, input: &[u8]) -> Self {
        let mut child = started(command.stdin(Stdio::piped()));
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.to_owned();
        let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().expect("emboss ends");
        feeder.join().expect("fed");
        Self::from(output)
    }

    /// What a started program leaves behind at its end.
    pub fn at_end(child: Child) -> Self {
        Self::from(child.wait_with_output().expect("emboss ends"))
    }

    /// Of a command that shows card numbers because it was asked to.
    pub fn unmasked(command: &mut Command) -> Self {
        Self::unsearched(command.output().expect("emboss starts"))
    }

    fn unsearched(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Fails unless the exit code is this one.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Fails unless both outputs together hold all of this.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Self {
        let both = self.both();
        for text in texts {
            assert!(both.contains(text), "{text:?} is missing in {both}");
        }
        self
    }

    /// Stdout and stderr.
    pub fn both(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// The one JSON object on stdout.
    #[track_caller]
    pub fn object(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is not one JSON object: {error}: {}\n{}", self.stdout, self.stderr));
        assert!(value.is_object(), "{value}");
        assert_eq!(self.stdout.lines().count(), 1, "one line: {}", self.stdout);
        value
    }

    /// The JSON lines on stdout.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }
}

impl From<Output> for Outcome {
    #[track_caller]
    fn from(output: Output) -> Self {
        let outcome = Self::unsearched(output);
        assert_eq!(clear_card_numbers(&outcome.both()), [""; 0], "a card number in clear");
        outcome
    }
}

/// Starts the command with both outputs captured.
pub fn started(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("emboss starts")
}

/// Every card number of the trial's ranges in a text: 16 digits with a right check digit.
pub fn clear_card_numbers(text: &str) -> Vec<&str> {
    let starts = RANGES.iter().flat_map(|range| text.match_indices(range)).map(|(start, _)| start);
    starts.filter_map(|start| text.get(start..start + 16)).filter(|digits| Pan::parse(digits).is_ok()).collect()
}

/// An installation that `emboss init` made.
#[derive(Debug)]
pub struct Trial {
    folder: tempfile::TempDir,
}

impl Trial {
    /// A new one.
    #[track_caller]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let trial = Self { folder };
        Outcome::of(emboss().arg("init").arg(trial.home())).exits(0);
        trial
    }

    /// A new one with the orders of [`orders`] taken.
    #[track_caller]
    pub fn with_orders() -> Self {
        let trial = Self::new();
        trial.import(&orders()).exits(0);
        trial
    }

    /// Its folder.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("trial")
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home().join(name)
    }

    /// `emboss --config ITS-OWN ...`.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = emboss();
        command.arg("--config").arg(self.path("emboss.toml")).args(arguments);
        command
    }

    /// Runs it.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(arguments))
    }

    /// Imports lines from standard input.
    #[track_caller]
    pub fn import(&self, lines: &[Value]) -> Outcome {
        Outcome::fed(&mut self.command(&["import", "-"]), text_of(lines).as_bytes())
    }

    /// Writes a file of order lines and gives its path.
    pub fn order_file(&self, name: &str, lines: &[Value]) -> String {
        let path = self.path(name);
        fs::write(&path, text_of(lines)).expect("written");
        path.display().to_string()
    }

    /// Changes the configuration; the text to be replaced must be there.
    #[track_caller]
    pub fn configure(&self, from: &str, to: &str) {
        let path = self.path("emboss.toml");
        let text = fs::read_to_string(&path).expect("read");
        assert!(text.contains(from), "{from:?} does not stand in the configuration");
        fs::write(&path, text.replace(from, to)).expect("written");
    }

    /// Adds to the end of the configuration.
    pub fn configure_more(&self, text: &str) {
        let path = self.path("emboss.toml");
        let known = fs::read_to_string(&path).expect("read");
        fs::write(&path, format!("{known}\n{text}\n")).expect("written");
    }

    /// A value of the configuration that stands alone on its line.
    pub fn configured(&self, key: &str) -> String {
        let text = fs::read_to_string(self.path("emboss.toml")).expect("read");
        let line = text.lines().find(|line| line.trim_start().starts_with(&format!("{key} ="))).expect("configured");
        line.split('"').nth(1).expect("a text").to_owned()
    }

    /// The fingerprint of the house's key.
    pub fn recipient_fingerprint(&self) -> String {
        let text = fs::read_to_string(self.path("emboss.toml")).expect("read");
        let place = text.split("factory-x.asc\", fingerprint = \"").nth(1).expect("a recipient");
        place[..40].to_owned()
    }

    /// The names in its folder of delivered files, sorted.
    pub fn delivered(&self) -> Vec<String> {
        names(&self.path("out"))
    }

    /// Everything a failed command must leave as it was.
    pub fn state(&self) -> State {
        let spool = names(&self.path("spool")).into_iter().filter(|name| name != "marker");
        State {
            database: rows(&self.path("emboss.db")),
            delivered: self.delivered(),
            spool: spool.map(|name| (fs::read(self.path("spool").join(&name)).expect("read"), name)).collect(),
        }
    }

    /// Sets the mode of a file.
    pub fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), PermissionsExt::from_mode(mode)).expect("a mode");
    }
}

/// What stands in database, destination and spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Every row, by table.
    pub database: BTreeMap<String, Vec<String>>,
    /// Names at the destination.
    pub delivered: Vec<String>,
    /// Sealed files and journal.
    pub spool: Vec<(Vec<u8>, String)>,
}

impl State {
    /// Fails where something changed, naming the place only.
    #[track_caller]
    pub fn is_still(&self, before: &Self, what: &str) {
        assert_eq!(self.delivered, before.delivered, "{what}: delivered");
        assert!(self.spool == before.spool, "{what}: the spool changed");
        for (table, rows) in &self.database {
            assert_eq!(Some(rows), before.database.get(table), "{what}: table {table}");
        }
    }

    /// Without the rows that every run writes about itself.
    pub fn besides_the_run(mut self) -> Self {
        for table in ["run", "agreement_night", "meta", "event", "audit", "sqlite_sequence"] {
            self.database.remove(table);
        }
        for (journal, _) in self.spool.iter_mut().filter(|(_, name)| name == "journal") {
            let of_files = journal.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"AUDIT "));
            *journal = of_files.flatten().copied().collect();
        }
        self.spool.retain(|(content, _)| !content.is_empty());
        self
    }
}

/// The names in a folder, sorted; none where there is no folder.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Every row of every table as text; nothing where there is no database.
pub fn rows(database: &Path) -> BTreeMap<String, Vec<String>> {
    if !database.is_file() {
        return BTreeMap::new();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(database);
        let mut connection = SqliteConnection::connect_with(&options).await.expect("opened");
        let mut all = BTreeMap::new();
        for table in texts(&mut connection, "SELECT name FROM sqlite_master WHERE type = 'table'").await {
            let columns = texts(&mut connection, &format!("SELECT name FROM pragma_table_info('{table}')")).await;
            let columns: Vec<String> = columns.iter().map(|column| format!("quote(\"{column}\")")).collect();
            let query = format!("SELECT {} FROM \"{table}\" ORDER BY 1", columns.join("||' '||"));
            all.insert(table, texts(&mut connection, &query).await);
        }
        connection.close().await.expect("closed");
        all
    })
}

async fn texts(connection: &mut SqliteConnection, query: &str) -> Vec<String> {
    let query = sqlx::query(sqlx::AssertSqlSafe(query.to_owned()));
    let rows = query.fetch_all(connection).await.expect("rows");
    rows.iter().map(|row| row.get::<String, _>(0)).collect()
}

/// Runs one statement on a database.
pub fn execute(database: &Path, statement: &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(database);
        let mut connection = SqliteConnection::connect_with(&options).await.expect("opened");
        sqlx::query(statement).execute(&mut connection).await.expect("executed");
        connection.close().await.expect("closed");
    });
}

/// Order lines as a file.
pub fn text_of(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Two days ago: due in the last night whatever the hour.
pub fn two_days_ago() -> DateTime<Utc> {
    // One instant per test program, so that the same order is the same twice.
    static INSTANT: LazyLock<DateTime<Utc>> = LazyLock::new(|| Utc::now() - TimeDelta::days(2));
    *INSTANT
}

/// An order of two days ago.
pub fn order(order_id: &str, operation: &str, ids: Value, body: Value) -> Value {
    let mut order = json!({
        "orderId": order_id,
        "op": operation,
        "institutionId": "246001",
        "at": two_days_ago().to_rfc3339_opts(SecondsFormat::Millis, true),
        "auditUser": "ops",
        "body": body,
    });
    for (key, id) in ids.as_object().expect("ids") {
        order[key] = id.clone();
    }
    order
}

/// A customer, with this first name and first address line.
pub fn customer(order_id: &str, customer_id: &str, first_name: &str, address1: &str) -> Value {
    order(
        order_id,
        "createCustomer",
        json!({ "customerId": customer_id }),
        json!({
            "customerNumber": format!("C{customer_id}"),
            "locale": "fi_FI",
            "regNo": "010190-123A",
            "firstName": first_name,
            "lastName": "Liikamaa",
            "mobileNumber": "+358401234567",
            "address": { "address1": address1, "city": "Mariehamn", "zipCode": "22100", "country": "FIN" },
        }),
    )
}

/// A card of customer 1001 with account 2001.
pub fn card(order_id: &str, card_id: &str, more: &Value) -> Value {
    let mut body = json!({
        "productCode": "VISA_CARD",
        "embossing": { "firstName": "Monica", "lastName": "Liikamaa" },
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    let ids =
        json!({ "customerId": "1001", "accountId": "2001", "cardId": card_id, "cardRole": "MAIN", "scheme": "VISA" });
    order(order_id, "createCard", ids, body)
}

/// A customer with an account and three cards: 3001 and 3002 are produced, 3003 waits for its PIN.
pub fn orders() -> Vec<Value> {
    vec![
        customer("o-1", "1001", "Monica", "Strandgatan 1"),
        order("o-2", "createAccount", json!({ "accountId": "2001", "customerId": "1001" }), json!({})),
        card("o-3", "3001", &json!({})),
        card("o-4", "3002", &json!({})),
        card("o-5", "3003", &json!({ "pinStatus": "W" })),
    ]
}

impl Trial {
    /// Sends the files to a server instead of the folder.
    #[track_caller]
    pub fn send_to(&self, server: &Sshd) {
        self.send_to_settings(&server.settings(), &server.secrets());
    }

    /// Sends the files where these settings say.
    #[track_caller]
    pub fn send_to_settings(&self, settings: &SftpSettings, secrets: &DestinationSecrets) {
        fs::write(self.path("keys/sftp.key"), secrets.private_key.as_bytes()).expect("written");
        self.set_mode("keys/sftp.key", 0o600);
        self.configure("destination = \"local\"", "destination = \"factory-x\"");
        let SftpSettings { host, port, user, host_keys, directory, connect_timeout_s, backoff_s, attempts, .. } =
            settings;
        self.configure_more(&format!(
            "[[destination]]\nname = \"factory-x\"\nkind = \"sftp\"\nenvironment = \"test\"\nhost = \"{host}\"\n\
             port = {port}\nuser = \"{user}\"\nkey_file = \"keys/sftp.key\"\nhost_keys = {host_keys:?}\n\
             directory = \"{directory}\"\nconnect_timeout_s = {connect_timeout_s}\nattempts = {attempts}\n\
             backoff_s = {{ first = {}, max = {} }}",
            backoff_s.first, backoff_s.max
        ));
    }

    /// Makes it one of real cards: LIVE files, which the software may make PINs for.
    #[track_caller]
    pub fn go_live(&self) {
        self.configure("environment = \"test\"", "environment = \"live\"");
        self.configure("provider = \"software\"", "provider = \"software\"\nallow_software_pin = true");
    }

    /// The path of the one delivered file.
    #[track_caller]
    pub fn delivered_file(&self) -> PathBuf {
        let delivered = self.delivered();
        let [name] = &delivered[..] else { panic!("not one file: {delivered:?}") };
        self.path("out").join(name)
    }

    /// `inspect` of a file with the house's key.
    #[track_caller]
    pub fn inspect(&self, file: &Path, more: &[&str]) -> Outcome {
        Outcome::of(&mut self.inspecting(file, more))
    }

    /// The command of [`Self::inspect`].
    pub fn inspecting(&self, file: &Path, more: &[&str]) -> Command {
        let mut command = self.command(&["inspect", "--key"]);
        command.arg(self.path("keys/factory-x.key")).arg(file).args(more);
        command
    }

    /// What the house reads in a delivered file.
    pub fn opened(&self, file: &Path) -> Vec<u8> {
        let key = fs::read(self.path("keys/factory-x.key")).expect("read");
        let key = OpeningKey::load(&key, None).expect("a key");
        let signer = fs::read(self.path("keys/signer.asc")).expect("read");
        let sealed = fs::File::open(file).expect("opened");
        let mut document = Vec::new();
        let mut opened = seal::open(sealed, &key, &signer, Utc::now()).expect("unsealed");
        std::io::Read::read_to_end(&mut opened, &mut document).expect("read");
        document
    }
}
