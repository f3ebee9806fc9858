//! A TCP proxy that breaks: connections through it are slow, are reset, or fall silent after so many bytes from the
//! client.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

/// What happens after the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Both ends are closed.
    Reset,
    /// Nothing moves any more, in either direction.
    Silence,
}

/// What is wrong with the line.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// So many connections break, the first ones; later ones are whole.
    pub connections: u32,
    /// After so many bytes from the client; with 0 not even the banner comes through.
    pub bytes: u64,
    /// How they break.
    pub then: Break,
    /// How long bytes are on their way, in each direction.
    pub latency: Duration,
    /// How long 32 KiB take to get onto the line.
    pub pace: Duration,
}

impl Line {
    /// One that breaks always.
    pub fn breaking(bytes: u64, then: Break) -> Self {
        Self { connections: u32::MAX, bytes, then, latency: Duration::ZERO, pace: Duration::ZERO }
    }

    /// One that is only slow.
    pub fn slow(latency: Duration, pace: Duration) -> Self {
        Self { connections: 0, bytes: u64::MAX, then: Break::Silence, latency, pace }
    }
}

/// A listening proxy; its threads end with their connections, silent ones with the value.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    connected: Arc<Mutex<Vec<Instant>>>,
    ended: Arc<AtomicBool>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
    }
}

impl Proxy {
    /// Forwards to a local port until a client has sent `bytes`.
    pub fn to(port: u16, bytes: u64, then: Break) -> Self {
        Self::over(port, Line::breaking(bytes, then))
    }

    /// Forwards to a local port over such a line.
    pub fn over(port: u16, line: Line) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let connected: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let noted = Arc::clone(&connected);
        let ended = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ended);
        std::thread::spawn(move || {
            for (number, client) in (1..).zip(listener.incoming().flatten()) {
                noted.lock().expect("not poisoned").push(Instant::now());
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
                let bytes = if number <= line.connections { line.bytes } else { u64::MAX };
                carry(client, server, Line { bytes, ..line }, &told);
            }
        });
        Self { port: own, connected, ended }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// When each connection was made.
    pub fn connected(&self) -> Vec<Instant> {
        self.connected.lock().expect("not poisoned").clone()
    }
}

fn carry(client: TcpStream, server: TcpStream, line: Line, ended: &Arc<AtomicBool>) {
    // The line's own delay is the only one.
    for end in [&client, &server] {
        end.set_nodelay(true).expect("set");
    }
    let left = Arc::new(AtomicU64::new(line.bytes));
    let (from_client, to_server) = (client.try_clone().expect("cloned"), server.try_clone().expect("cloned"));
    let spent = Arc::clone(&left);
    let (there, back) = (Arc::clone(ended), Arc::clone(ended));
    std::thread::spawn(move || {
        pump(from_client, to_server, line, &there, |read| {
            let before = spent.load(Ordering::SeqCst);
            spent.store(before.saturating_sub(read), Ordering::SeqCst);
            before > read
        });
    });
    std::thread::spawn(move || pump(server, client, line, &back, |_| left.load(Ordering::SeqCst) > 0));
}

fn pump(mut from: TcpStream, to: TcpStream, line: Line, ended: &AtomicBool, mut go_on: impl FnMut(u64) -> bool) {
    let ends = (from.try_clone().expect("cloned"), to.try_clone().expect("cloned"));
    let (send, on_their_way) = mpsc::channel();
    let arriving = std::thread::spawn(move || arrive(to, &on_their_way));
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if !go_on(read as u64) {
            if line.then == Break::Silence {
                keep_silent(ended);
            }
            break;
        }
        std::thread::sleep(line.pace * u32::try_from(read).expect("a buffer") / (32 * 1024));
        if send.send((Instant::now() + line.latency, buffer[..read].to_vec())).is_err() {
            break;
        }
    }
    drop(send);
    drop(arriving.join());
    drop(ends.0.shutdown(Shutdown::Both));
    drop(ends.1.shutdown(Shutdown::Both));
}

/// Until the proxy ends, and no longer than any test.
fn keep_silent(ended: &AtomicBool) {
    let begun = Instant::now();
    while !ended.load(Ordering::SeqCst) && begun.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Bytes come in their order, each when it is due.
fn arrive(mut to: TcpStream, on_their_way: &mpsc::Receiver<(Instant, Vec<u8>)>) {
    for (due, bytes) in on_their_way {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
}
