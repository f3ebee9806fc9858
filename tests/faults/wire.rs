//! A TCP proxy in front of the database that loses one COMMIT, or the answer to one, when it is told to.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What becomes of the next message of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It is never forwarded.
    Request,
    /// It is forwarded and answered; the answer is not.
    Answer,
}

/// A listening proxy; its threads end with their connections.
#[derive(Debug)]
pub(crate) struct Wire {
    port: u16,
    next: Arc<Mutex<Option<Loss>>>,
}

impl Wire {
    /// Forwards to a local port.
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let next = Arc::new(Mutex::new(None));
        let told = Arc::clone(&next);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
                let loss = Arc::new(Mutex::new(None));
                let (requests, answers) = ((clone(&client), clone(&server)), (server, client));
                let (told, lost) = (Arc::clone(&told), Arc::clone(&loss));
                std::thread::spawn(move || forward_requests(requests, &told, &lost));
                std::thread::spawn(move || forward_answers(answers, &loss));
            }
        });
        Self { port: own, next }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Loses what comes next, and breaks the connection it comes on.
    pub(crate) fn lose_next(&self, loss: Loss) {
        *self.next.lock().expect("not poisoned") = Some(loss);
    }

    /// Whether it has lost what it was told to lose.
    pub(crate) fn has_lost(&self) -> bool {
        self.next.lock().expect("not poisoned").is_none()
    }
}

fn clone(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("cloned")
}

fn forward_requests(
    (mut client, mut server): (TcpStream, TcpStream),
    next: &Mutex<Option<Loss>>,
    lost: &Mutex<Option<Loss>>,
) {
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(read @ 1..) = client.read(&mut buffer) {
        let loss = next.lock().expect("not poisoned").take();
        *lost.lock().expect("not poisoned") = loss;
        if loss == Some(Loss::Request) || server.write_all(&buffer[..read]).is_err() {
            break;
        }
        if loss == Some(Loss::Answer) {
            // The other thread breaks it, once the server has answered.
            return;
        }
    }
    shut(&client, &server);
}

fn forward_answers((mut server, mut client): (TcpStream, TcpStream), lost: &Mutex<Option<Loss>>) {
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(read @ 1..) = server.read(&mut buffer) {
        let lost = lost.lock().expect("not poisoned").is_some();
        if lost || client.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    shut(&client, &server);
}

fn shut(client: &TcpStream, server: &TcpStream) {
    drop(client.shutdown(Shutdown::Both));
    drop(server.shutdown(Shutdown::Both));
}
