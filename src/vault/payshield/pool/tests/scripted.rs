//! A device that answers as it is told, right or wrong.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// An answer to NC.
pub(super) const NC: &[u8] = b"ND009D04A000000000001500-0023";

/// What a device does with one request.
pub(super) enum Act {
    /// Answers under the request's header.
    Answer(&'static [u8]),
    /// Answers under another header.
    Foreign(&'static [u8]),
    /// Answers, and sends more.
    AndMore(&'static [u8], &'static [u8]),
    /// Byte by byte.
    Split(&'static [u8]),
    /// Sends so much of the answer and ends the connection.
    Cut(&'static [u8], usize),
    /// Says nothing until whoever asked has closed the connection, then answers.
    Late(&'static [u8]),
}

/// What was asked: number of the connection, header, letters.
pub(super) type Asked = (usize, String, String);

#[derive(Debug)]
pub(super) struct Scripted {
    pub(super) address: SocketAddr,
    pub(super) asked: Arc<Mutex<Vec<Asked>>>,
    pub(super) ended: Arc<AtomicUsize>,
    pub(super) listening: JoinHandle<()>,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Scripted {
    /// A device; `act` is told how many requests came before, and the letters.
    pub(super) async fn device(act: impl Fn(usize, &str) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (act, noted) = (Arc::new(act), Arc::clone(&asked));
        let ended: Arc<AtomicUsize> = Arc::default();
        let counted = Arc::clone(&ended);
        let listening = tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (act, noted, counted) = (Arc::clone(&act), Arc::clone(&noted), Arc::clone(&counted));
                tokio::spawn(async move {
                    let end = serve(connection, stream, &*act, &noted).await;
                    counted.fetch_add(1, Ordering::SeqCst);
                    end
                });
            }
        });
        Self { address, asked, ended, listening }
    }

    /// One that answers NC rightly, and the rest by the script, whose first request has number 0.
    pub(super) async fn of(script: impl Fn(usize) -> Act + Send + Sync + 'static) -> Self {
        let number = Mutex::new(0);
        Self::device(move |_, letters| match letters {
            "NC" => Act::Answer(NC),
            _ => {
                let mut number = number.lock().unwrap();
                *number += 1;
                script(*number - 1)
            }
        })
        .await
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Connection and letters of every request.
    pub(super) fn letters(&self) -> Vec<(usize, String)> {
        self.asked().into_iter().map(|(connection, _, letters)| (connection, letters)).collect()
    }
}

pub(super) async fn serve(
    connection: usize,
    mut stream: TcpStream,
    act: &(impl Fn(usize, &str) -> Act + Sync),
    noted: &Mutex<Vec<Asked>>,
) -> std::io::Result<()> {
    loop {
        let length = stream.read_u16().await?;
        let mut request = vec![0; usize::from(length)];
        stream.read_exact(&mut request).await?;
        let header = String::from_utf8(request[..4].to_vec()).unwrap();
        let letters = String::from_utf8(request[4..6].to_vec()).unwrap();
        let before = {
            let mut noted = noted.lock().unwrap();
            noted.push((connection, header.clone(), letters.clone()));
            noted.len() - 1
        };
        match act(before, &letters) {
            Act::Answer(answer) => stream.write_all(&framed(&header, answer)).await?,
            Act::Foreign(answer) => stream.write_all(&framed("ZZZZ", answer)).await?,
            Act::AndMore(answer, more) => {
                stream.write_all(&[framed(&header, answer), more.to_vec()].concat()).await?;
            }
            Act::Split(answer) => {
                for byte in framed(&header, answer) {
                    stream.write_all(&[byte]).await?;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            Act::Cut(answer, bytes) => return stream.write_all(&framed(&header, answer)[..bytes]).await,
            Act::Late(answer) => {
                let mut end = [0];
                assert_eq!(stream.read(&mut end).await?, 0, "nothing more is asked over this connection");
                return stream.write_all(&framed(&header, answer)).await;
            }
        }
    }
}

pub(super) fn framed(header: &str, answer: &[u8]) -> Vec<u8> {
    let length = u16::try_from(header.len() + answer.len()).unwrap();
    [&length.to_be_bytes(), header.as_bytes(), answer].concat()
}
