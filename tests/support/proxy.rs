//! A TCP proxy that breaks: connections through it are reset, or fall silent, after so many bytes from the client.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What happens after the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Both ends are closed.
    Reset,
    /// Nothing moves any more, in either direction.
    Silence,
}

/// A listening proxy; its threads end with their connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
}

impl Proxy {
    /// Forwards to a local port until a client has sent `bytes`.
    pub fn to(port: u16, bytes: u64, then: Break) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
                carry(client, server, bytes, then);
            }
        });
        Self { port: own }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn carry(client: TcpStream, server: TcpStream, bytes: u64, then: Break) {
    let left = Arc::new(AtomicU64::new(bytes));
    let (from_client, to_server) = (client.try_clone().expect("cloned"), server.try_clone().expect("cloned"));
    let spent = Arc::clone(&left);
    std::thread::spawn(move || {
        pump(from_client, to_server, then, |read| {
            let before = spent.load(Ordering::SeqCst);
            spent.store(before.saturating_sub(read), Ordering::SeqCst);
            before > read
        });
    });
    std::thread::spawn(move || pump(server, client, then, |_| left.load(Ordering::SeqCst) > 0));
}

fn pump(mut from: TcpStream, mut to: TcpStream, then: Break, mut go_on: impl FnMut(u64) -> bool) {
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if !go_on(read as u64) {
            if then == Break::Silence {
                std::thread::sleep(std::time::Duration::from_secs(30));
            }
            break;
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}
