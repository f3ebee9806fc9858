//! A long line to a server on this host: what goes in comes out half a round trip later, in either direction.
//!
//! Only the delay is that of a long line: the bandwidth is the loopback's, and bytes that are under way are kept in
//! memory, up to a bound that no transfer on this host reaches.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks under way in one direction: 64 MiB.
const CHUNKS: usize = 1024;

/// The line; its threads end with their connections.
#[derive(Debug)]
pub(crate) struct SlowLine {
    /// Where it begins, on 127.0.0.1.
    pub(crate) port: u16,
}

impl SlowLine {
    /// Leads to a local port.
    pub(crate) fn to(port: u16, round_trip: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let own = listener.local_addr()?.port();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
                // A connection that cannot be carried is closed; the client tells.
                let _ = carry(client, server, round_trip / 2);
            }
        });
        Ok(Self { port: own })
    }
}

fn carry(client: TcpStream, server: TcpStream, delay: Duration) -> io::Result<()> {
    for (from, to) in [(&client, &server), (&server, &client)] {
        from.set_nodelay(true)?;
        let (from, to) = (from.try_clone()?, to.try_clone()?);
        let (entrance, exit) = sync_channel(CHUNKS);
        thread::spawn(move || take_in(from, &entrance, delay));
        thread::spawn(move || let_out(&exit, to));
    }
    Ok(())
}

fn take_in(mut from: TcpStream, entrance: &SyncSender<(Instant, Vec<u8>)>, delay: Duration) {
    let mut buffer = vec![0; CHUNK_BYTES];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if entrance.send((Instant::now() + delay, buffer[..read].to_vec())).is_err() {
            return;
        }
    }
}

fn let_out(exit: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream) {
    for (due, bytes) in exit {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
