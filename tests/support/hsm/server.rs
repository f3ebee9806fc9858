//! The line: connections, frames, and what a fault does to an answer.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use openssl::ssl::SslAcceptor;

use super::commands::{Inside, Made};
use super::faults::{Act, Faults, Seen};
use super::journal::{Entry, Journal};

/// What all connections of a device share.
pub struct Device {
    /// What commands do.
    pub inside: Inside,
    /// What goes wrong.
    pub faults: Faults,
    /// What came in.
    pub journal: Journal,
    /// PINs made, in their order.
    pub made: Mutex<Vec<Made>>,
    /// Characters of the message header.
    pub header_length: usize,
    /// TLS, where the device wants it.
    pub tls: Option<SslAcceptor>,
    listener: Mutex<Option<TcpListener>>,
    open: Mutex<BTreeMap<u64, TcpStream>>,
    ended: AtomicBool,
    dies_at: AtomicU64,
    /// Answers that shall come on another connection, with the letters of their commands.
    crossed: Mutex<Vec<(String, Vec<u8>)>>,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Device")
    }
}

/// A stream of either kind.
trait Line: Read + Write {}
impl<T: Read + Write> Line for T {}

impl Device {
    /// A device that hears nothing yet.
    pub fn new(inside: Inside, header_length: usize, tls: Option<SslAcceptor>) -> Self {
        Self {
            inside,
            faults: Faults::default(),
            journal: Journal::default(),
            made: Mutex::default(),
            header_length,
            tls,
            listener: Mutex::default(),
            open: Mutex::default(),
            ended: AtomicBool::new(false),
            dies_at: AtomicU64::new(u64::MAX),
            crossed: Mutex::default(),
        }
    }

    /// Listens on a port, 0 for any; gives the port.
    pub fn listen(&self, port: u16) -> u16 {
        let begun = Instant::now();
        let listener = loop {
            match TcpListener::bind(("127.0.0.1", port)) {
                Ok(listener) => break listener,
                Err(error) if begun.elapsed() > Duration::from_secs(20) => panic!("port {port}: {error}"),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        listener.set_nonblocking(true).expect("set");
        let port = listener.local_addr().expect("an address").port();
        *self.listener.lock().expect("not poisoned") = Some(listener);
        port
    }

    /// Refuses connections from now on and closes those that are open.
    pub fn die(&self) {
        *self.listener.lock().expect("not poisoned") = None;
        self.hang_up();
    }

    /// Closes every connection.
    pub fn hang_up(&self) {
        for stream in self.open.lock().expect("not poisoned").values() {
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    /// Ends for good, with all threads.
    pub fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.die();
    }

    /// Dies when the next `commands` are answered and another one comes.
    pub fn die_after(&self, commands: u64) {
        self.dies_at.store(self.journal.count() + commands, Ordering::SeqCst);
    }

    /// No longer meant to die.
    pub fn live(&self) {
        self.dies_at.store(u64::MAX, Ordering::SeqCst);
    }

    /// Takes connections until the end.
    pub fn serve(self: Arc<Self>) {
        let mut numbers = 1..;
        while !self.ended.load(Ordering::SeqCst) {
            let taken = self.listener.lock().expect("not poisoned").as_ref().map(TcpListener::accept);
            let Some(Ok((stream, _))) = taken else {
                std::thread::sleep(Duration::from_millis(2));
                continue;
            };
            stream.set_nonblocking(false).expect("set");
            stream.set_nodelay(true).expect("set");
            let number = numbers.next().expect("endless");
            let mut open = self.open.lock().expect("not poisoned");
            open.insert(number, stream.try_clone().expect("cloned"));
            self.journal.opened(open.len());
            drop(open);
            let device = Arc::clone(&self);
            std::thread::spawn(move || {
                device.converse(number, stream);
                device.open.lock().expect("not poisoned").remove(&number);
            });
        }
    }

    fn converse(&self, number: u64, stream: TcpStream) {
        let tcp = stream.try_clone().expect("cloned");
        // The client waits as long as it likes; the test does not.
        tcp.set_read_timeout(Some(Duration::from_secs(300))).expect("set");
        let mut connection = Connection { device: self, number, tcp, late: Vec::new() };
        match &self.tls {
            None => connection.answer_all(&mut { stream }),
            Some(acceptor) => match acceptor.accept(stream) {
                Ok(mut tls) => {
                    connection.answer_all(&mut tls);
                    drop(tls.shutdown());
                }
                Err(_) => self.journal.refused(),
            },
        }
        drop(connection.tcp.shutdown(Shutdown::Both));
    }

    fn wait(&self, long: Duration) {
        let until = Instant::now() + long;
        while !self.ended.load(Ordering::SeqCst) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2).min(until - Instant::now().min(until)));
        }
    }
}

/// One client's line.
struct Connection<'a> {
    device: &'a Device,
    number: u64,
    tcp: TcpStream,
    /// Answers that come before the next one.
    late: Vec<u8>,
}

/// What was read.
struct Message {
    header: Vec<u8>,
    code: String,
    fields: Vec<u8>,
}

impl Connection<'_> {
    fn answer_all(&mut self, line: &mut dyn Line) {
        while let Some(message) = self.read(line) {
            if !self.answer(line, &message) {
                return;
            }
        }
    }

    fn read(&self, line: &mut dyn Line) -> Option<Message> {
        let mut length = [0; 2];
        line.read_exact(&mut length).ok()?;
        let mut whole = vec![0; usize::from(u16::from_be_bytes(length))];
        line.read_exact(&mut whole).ok()?;
        let (header, rest) = whole.split_at_checked(self.device.header_length)?;
        let (code, fields) = rest.split_at_checked(2)?;
        let code = String::from_utf8(code.to_vec()).ok()?;
        Some(Message { header: header.to_vec(), code, fields: fields.to_vec() })
    }

    /// Whether the connection lives on.
    fn answer(&mut self, line: &mut dyn Line, message: &Message) -> bool {
        let device = self.device;
        let done = device.inside.perform(&message.code, &message.fields);
        let order = device.journal.next_order();
        let seen = Seen { connection: self.number, order, code: message.code.clone(), account: done.account.clone() };
        if order > device.dies_at.load(Ordering::SeqCst) {
            device.journal.add(Entry::of(&seen, &message.header, None, Some(Act::Reset(0)), self.is_pressed()));
            device.die();
            return false;
        }
        let act = device.faults.of(&seen);
        let undone = matches!(act, Some(Act::Error(_)));
        let body = match &act {
            Some(Act::Error(code) | Act::ErrorAfter(code)) => (*code).to_owned(),
            _ => done.answer,
        };
        if let Some(made) = done.made.filter(|_| !undone) {
            device.made.lock().expect("not poisoned").push(made);
        }
        let own = frame(&message.header, &message.code, &body);
        let answer = if act == Some(Act::Crossed) { own.clone() } else { self.with_kept(&message.code, own.clone()) };
        // Whoever is given another's answer must not use that connection again either.
        let noted = if answer == own { act.clone() } else { Some(Act::Crossed) };
        device.journal.add(Entry::of(&seen, &message.header, body.get(..2), noted, self.is_pressed()));
        self.send(line, message, act, answer, &body).is_some()
    }

    /// Whether the client has sent more before its answer came. Only where the line is plain: TLS sends other things.
    fn is_pressed(&self) -> bool {
        if self.device.tls.is_some() {
            return false;
        }
        drop(self.tcp.set_nonblocking(true));
        let waiting = self.tcp.peek(&mut [0]).is_ok_and(|read| read > 0);
        drop(self.tcp.set_nonblocking(false));
        waiting
    }

    /// Answers that were kept for this moment come first, or instead.
    fn with_kept(&mut self, code: &str, answer: Vec<u8>) -> Vec<u8> {
        let mut crossed = self.device.crossed.lock().expect("not poisoned");
        if let Some(at) = crossed.iter().position(|(letters, _)| letters == code) {
            return crossed.remove(at).1;
        }
        [std::mem::take(&mut self.late), answer].concat()
    }

    /// `None` where the connection ends with it.
    fn send(
        &mut self,
        line: &mut dyn Line,
        message: &Message,
        act: Option<Act>,
        answer: Vec<u8>,
        body: &str,
    ) -> Option<()> {
        match act {
            None | Some(Act::Error(_) | Act::ErrorAfter(_)) => write(line, &answer),
            Some(Act::Delay(long)) => {
                self.device.wait(long);
                write(line, &answer)
            }
            Some(Act::Stall) => Some(()),
            Some(Act::Late) => {
                self.late = answer;
                Some(())
            }
            Some(Act::Crossed) => {
                self.device.crossed.lock().expect("not poisoned").push((message.code.clone(), answer));
                Some(())
            }
            Some(Act::Reset(bytes)) => {
                write(line, &answer[..bytes.min(answer.len() - 1)])?;
                None
            }
            Some(Act::Split) => answer.iter().try_for_each(|byte| {
                std::thread::sleep(Duration::from_micros(200));
                write(line, &[*byte])
            }),
            Some(Act::Twice) => write(line, &answer.repeat(2)),
            Some(Act::WrongHeader) => {
                let other: Vec<u8> =
                    message.header.iter().map(|byte| if *byte == b'0' { b'1' } else { b'0' }).collect();
                write(line, &frame(&other, &message.code, body))
            }
            Some(Act::WrongLetters) => {
                let other = if message.code == "NO" { "NC" } else { "NO" };
                write(line, &frame(&message.header, other, body))
            }
            Some(Act::Bytes(bytes)) => write(line, &bytes),
        }
    }
}

fn write(line: &mut dyn Line, bytes: &[u8]) -> Option<()> {
    line.write_all(bytes).and_then(|()| line.flush()).ok()
}

/// An answer as it goes over the line.
fn frame(header: &[u8], code: &str, body: &str) -> Vec<u8> {
    let letters = code.as_bytes();
    let mut message = header.to_vec();
    message.extend([letters[0], letters[1] + 1]);
    message.extend(body.as_bytes());
    let length = u16::try_from(message.len()).expect("a short answer");
    [length.to_be_bytes().to_vec(), message].concat()
}
