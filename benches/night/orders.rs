//! Orders as a stream: createCustomer, createAccount and createCard for each card, made while they are read.

use std::io::{self, BufRead, Read};

use chrono::{DateTime, SecondsFormat, Utc};

use crate::configured::institution_of;
use crate::mix::Mix;
use crate::people::Person;

/// The stream.
#[derive(Debug)]
pub(crate) struct Orders {
    mix: Mix,
    /// When the orders for the earlier night were made, and those for the timed one.
    at: [String; 2],
    next: u64,
    buffer: Vec<u8>,
    read: usize,
    /// Bytes handed over so far.
    pub(crate) bytes: u64,
}

impl Orders {
    pub(crate) fn new(mix: Mix, early: DateTime<Utc>, late: DateTime<Utc>) -> Self {
        let at = [early, late].map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
        Self { mix, at, next: 0, buffer: Vec::new(), read: 0, bytes: 0 }
    }

    fn write_next(&mut self) {
        let person = Person::of(self.next);
        let at = &self.at[usize::from(self.next >= self.mix.earlier)];
        self.next += 1;
        self.buffer.clear();
        self.read = 0;
        let institution = institution_of(person.number, self.mix.institutions);
        let issuer = Issuer { institution: &institution, at };
        for line in [issuer.customer(person), issuer.account(person), issuer.card(person)] {
            self.buffer.extend_from_slice(line.as_bytes());
            self.buffer.push(b'\n');
        }
        self.bytes += self.buffer.len() as u64;
    }
}

impl Read for Orders {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Orders {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read == self.buffer.len() {
            if self.next == self.mix.cards {
                return Ok(&[]);
            }
            self.write_next();
        }
        Ok(&self.buffer[self.read..])
    }

    fn consume(&mut self, count: usize) {
        self.read += count;
    }
}

/// Whose orders, and when they were made.
struct Issuer<'a> {
    institution: &'a str,
    at: &'a str,
}

impl Issuer<'_> {
    fn envelope(&self, person: Person, op: &str, rest: &str) -> String {
        let Self { institution, at } = self;
        let n = person.number;
        let customer = 1_000_000_000 + n;
        format!(
            r#"{{"orderId":"{op}-{n}","op":"{op}","institutionId":"{institution}","at":"{at}","auditUser":"bench","customerId":"{customer}",{rest}}}"#
        )
    }

    fn customer(&self, person: Person) -> String {
        let salutation = person.salutation().map_or_else(String::new, |text| format!(r#""salutation":"{text}","#));
        let rest = format!(
            r#""body":{{"customerNumber":"C{n}","locale":"{locale}","regNo":"R{n}",{salutation}"firstName":"{first}","lastName":"{last}","mobileNumber":"{mobile}","address":{address}}}"#,
            n = person.number,
            locale = person.locale(),
            first = person.first_name(),
            last = person.last_name(),
            mobile = person.mobile(),
            address = person.address(0),
        );
        self.envelope(person, "createCustomer", &rest)
    }

    fn account(&self, person: Person) -> String {
        self.envelope(
            person,
            "createAccount",
            &format!(r#""accountId":"{}","body":{{}}"#, 2_000_000_000 + person.number),
        )
    }

    fn card(&self, person: Person) -> String {
        let company = person.company().map_or_else(String::new, |text| format!(r#","companyName":"{text}""#));
        let address =
            if person.has_card_address() { format!(r#","cardAddress":{}"#, person.address(3)) } else { String::new() };
        let rest = format!(
            r#""accountId":"{account}","cardId":"{id}","cardRole":"MAIN","scheme":"VISA","body":{{"productCode":"VISA_CARD","embossing":{{"firstName":"{first}","lastName":"{last}","externalLayoutCode":"BlueCard"{company}}},"segment":"SEGMENT_A","additionalValues":[{{"key":"PROMO","value":"Été 2026"}},{{"key":"BRANCH","value":"{branch}|3"}}]{address}}}"#,
            account = 2_000_000_000 + person.number,
            id = 3_000_000_000 + person.number,
            first = person.first_name(),
            last = person.last_name(),
            branch = person.number % 97,
        );
        self.envelope(person, "createCard", &rest)
    }
}
