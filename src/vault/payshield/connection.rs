//! One connection to a payShield, and the one request that is in flight on it.
//!
//! Invariant: a connection belongs to the exchange it is used for, and comes out of it only beside a whole, checked
//! answer with nothing behind it. After a timeout, a mismatch, a reset, a byte too many, or when whoever asked has gone,
//! it is closed with the exchange: a late answer finds nobody, and never becomes another card's PIN.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_openssl::SslStream;
use zeroize::Zeroizing;

use super::address::Address;
use super::command::{Command, Reply};
use super::fault::Cause;
use super::frame;
use super::header::Header;
use super::tls::Tls;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open connection on which nothing is in flight.
pub(super) struct Connection(Box<dyn Stream>);

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

impl Connection {
    /// Connects, over TLS where there is one.
    pub(super) async fn open(device: &Address, tls: Option<&Tls>, patience: Duration) -> Result<Self, Cause> {
        match timeout(patience, Self::opened(device, tls, patience)).await {
            Ok(opened) => opened,
            Err(_) => Err(Cause::Silent(patience.as_millis())),
        }
    }

    async fn opened(device: &Address, tls: Option<&Tls>, patience: Duration) -> Result<Self, Cause> {
        let addresses = lookup_host((device.host.as_str(), device.port)).await.map_err(Cause::Unreachable)?;
        let stream = reached(&addresses.collect::<Vec<_>>(), patience).await?;
        // A command is one small segment, and waits for its answer.
        stream.set_nodelay(true).map_err(Cause::Unreachable)?;
        let Some(tls) = tls else { return Ok(Self(Box::new(stream))) };
        let session = tls.session(device).and_then(|session| SslStream::new(session, stream));
        let mut stream = session.map_err(Cause::TlsSettings)?;
        Pin::new(&mut stream).connect().await.map_err(Cause::Tls)?;
        Ok(Self(Box::new(stream)))
    }

    /// Sends a command and reads its answer. The connection comes back with it, and in no other case.
    pub(super) async fn exchange(
        self,
        header: &Header,
        command: &Command,
        patience: Duration,
    ) -> Result<(Self, Reply), Cause> {
        let request = frame::request(header.as_str(), command).map_err(Cause::Frame)?;
        match timeout(patience, self.exchanged(header, command, &request)).await {
            Ok(exchanged) => exchanged,
            Err(_) => Err(Cause::Silent(patience.as_millis())),
        }
    }

    async fn exchanged(mut self, header: &Header, command: &Command, request: &[u8]) -> Result<(Self, Reply), Cause> {
        self.0.write_all(request).await.map_err(Cause::Lost)?;
        self.0.flush().await.map_err(Cause::Lost)?;
        // One byte over the longest frame, so that what comes behind it is seen.
        let mut received = Zeroizing::new(vec![0; frame::ANSWER_MAX + 3]);
        let mut filled = 0;
        loop {
            match self.0.read(&mut received[filled..]).await.map_err(Cause::Lost)? {
                0 => return Err(Cause::Lost(io::ErrorKind::UnexpectedEof.into())),
                read => filled += read,
            }
            if let Some(reply) = frame::answer(&received[..filled], header.as_str(), command).map_err(Cause::Frame)? {
                return Ok((self, reply));
            }
        }
    }

    /// The connection, if it is still open and nothing came since the last answer.
    pub(super) async fn quiet(mut self) -> Option<Self> {
        let mut byte = [0];
        let quiet = poll_fn(|context| {
            let read = Pin::new(&mut *self.0).poll_read(context, &mut ReadBuf::new(&mut byte));
            Poll::Ready(read.is_pending())
        });
        quiet.await.then_some(self)
    }
}

/// A connection to the first address of a name that takes one. Each has its share of the time, so that one that does not
/// even refuse leaves some to the others.
async fn reached(addresses: &[SocketAddr], patience: Duration) -> Result<TcpStream, Cause> {
    let share = patience / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut cause = Cause::Unreachable(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    for address in addresses {
        cause = match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => Cause::Unreachable(error),
            Err(_) => Cause::Silent(patience.as_millis()),
        };
    }
    Err(cause)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    #[tokio::test]
    async fn an_address_that_does_not_even_refuse_leaves_time_for_the_others_of_the_name() {
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        // A queue that is full: whoever else connects hears nothing.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(local).unwrap();
        let mute = socket.listen(0).unwrap();
        let (mute_address, mut waiting) = (mute.local_addr().unwrap(), Vec::new());
        let short = Duration::from_millis(200);
        while let Ok(stream) = timeout(short, TcpStream::connect(mute_address)).await {
            waiting.push(stream.unwrap());
        }
        let hears = TcpListener::bind(local).await.unwrap();
        let hears_address = hears.local_addr().unwrap();
        let patience = Duration::from_secs(5);
        let stream = timeout(patience, reached(&[mute_address, hears_address], patience)).await;
        let stream = stream.expect("within the whole").unwrap();
        assert_eq!(stream.peer_addr().unwrap(), hears_address);
        assert!(matches!(reached(&[mute_address], short).await, Err(Cause::Silent(200))));
        drop(hears);
        let refused = reached(&[mute_address, hears_address], short).await;
        assert!(matches!(refused, Err(Cause::Unreachable(_))), "the last one says why");
    }
}
