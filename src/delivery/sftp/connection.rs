//! TCP, SSH, the pinned host key and one try to authenticate.

use std::fmt;
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use ssh2::{ErrorCode, MethodType, Session, Sftp};

use crate::delivery::host_key::{KINDS, fingerprint, is_pinned};
use crate::delivery::settings::SftpSettings;
use crate::delivery::{DeliveryError, DestinationSecrets, Refusal, Step};

/// An authenticated SSH session and its socket.
pub(super) struct Connection {
    session: Session,
    tcp: TcpStream,
    destination: String,
    address: String,
    host_key: String,
    is_cut: bool,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.address)
    }
}

impl Connection {
    pub(super) fn open(settings: &SftpSettings, secrets: &DestinationSecrets) -> Result<Self, DeliveryError> {
        let connection = pinned(settings)?;
        connection.session.set_timeout(milliseconds(Duration::from_secs(settings.inactivity_timeout_s)));
        connection.authenticate(settings, secrets)?;
        Ok(connection)
    }

    pub(super) fn host_key(&self) -> &str {
        &self.host_key
    }

    pub(super) fn sftp(&self) -> Result<Sftp, DeliveryError> {
        self.session.sftp().map_err(|error| match error.code() {
            // CHANNEL_FAILURE, CHANNEL_REQUEST_DENIED: an account without SFTP.
            ErrorCode::Session(-21 | -22) => DeliveryError::Refused {
                destination: self.destination.clone(),
                step: Step::OpenSftp,
                subject: self.address.clone(),
                refusal: Refusal::Unsupported,
            },
            _ => self.lost(Step::OpenSftp, &error),
        })
    }

    /// libssh2's number of the last error.
    pub(super) fn last_code(&self) -> Option<i32> {
        match ssh2::Error::last_session_error(&self.session)?.code() {
            ErrorCode::Session(code) | ErrorCode::SFTP(code) => Some(code),
        }
    }

    /// Shuts the socket: whatever libssh2 still wants to say fails at once.
    pub(super) fn cut(&mut self) {
        self.is_cut = true;
        // A socket that is shut already is what we want.
        let _ = self.tcp.shutdown(Shutdown::Both);
    }

    /// Tells the server that we leave, if that takes no time.
    pub(super) fn say_goodbye(&self) {
        if !self.is_cut {
            self.session.set_timeout(500);
            // It is only polite.
            let _ = self.session.disconnect(None, "done", None);
        }
    }

    /// One try: houses lock accounts (fault 19).
    fn authenticate(&self, settings: &SftpSettings, secrets: &DestinationSecrets) -> Result<(), DeliveryError> {
        let passphrase = secrets.passphrase.as_ref().map(|passphrase| passphrase.as_str());
        let tried = self.session.userauth_pubkey_memory(&settings.user, None, &secrets.private_key, passphrase);
        let destination = || self.destination.clone();
        tried.map_err(|error| match error.code() {
            code if is_connection_trouble(code) => self.lost(Step::Authenticate, &error),
            // FILE, METHOD_NONE, KEYFILE_AUTH_FAILED: our side could not use its own key.
            ErrorCode::Session(-16 | -17 | -48) => {
                DeliveryError::PrivateKey { destination: destination(), reason: error.message().to_owned() }
            }
            _ => DeliveryError::Authentication {
                destination: destination(),
                user: settings.user.clone(),
                reason: error.message().to_owned(),
            },
        })
    }

    fn lost(&self, step: Step, error: &ssh2::Error) -> DeliveryError {
        lost(&self.destination, step, &self.address, error.message())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.cut();
    }
}

/// Connects until a pinned host key is shown. A server shows one key per connection, so the other kinds are asked for
/// only where the first one is not pinned: a mismatch is reported when none of them is.
fn pinned(settings: &SftpSettings) -> Result<Connection, DeliveryError> {
    let mut found = Vec::new();
    for kinds in std::iter::once(KINDS.join(",")).chain(KINDS.map(str::to_owned)) {
        let connection = match negotiate(settings, &kinds) {
            Ok(connection) => connection,
            Err(error) if found.is_empty() => return Err(error),
            // No key of this kind, or no answer any more: the unknown key already shown is the news.
            Err(_) => continue,
        };
        if is_pinned(&connection.host_key, &settings.host_keys) {
            return Ok(connection);
        }
        if !found.contains(&connection.host_key) {
            found.push(connection.host_key.clone());
        }
    }
    Err(DeliveryError::HostKey {
        destination: settings.name.clone(),
        address: address(settings),
        expected: settings.host_keys.join(" or "),
        found: found.join(", "),
    })
}

/// One connection up to the host key.
fn negotiate(settings: &SftpSettings, kinds: &str) -> Result<Connection, DeliveryError> {
    let limit = Duration::from_secs(settings.connect_timeout_s);
    let started = Instant::now();
    let address = address(settings);
    let failed = |step: Step, reason: &str| lost(&settings.name, step, &address, reason);
    let tcp = dial(settings, limit).map_err(|error| failed(Step::Connect, &error.to_string()))?;
    let mut session = Session::new().map_err(|error| failed(Step::Negotiate, error.message()))?;
    let ours = tcp.try_clone().map_err(|error| failed(Step::Connect, &error.to_string()))?;
    session.set_tcp_stream(ours);
    // Before the handshake: a server that accepts and says nothing would hold us for ever (fault 13).
    session.set_timeout(milliseconds(limit.saturating_sub(started.elapsed())));
    let shaken = session.method_pref(MethodType::HostKey, kinds).and_then(|()| session.handshake());
    let host_key = session.host_key().map(|(key, _)| fingerprint(key)).unwrap_or_default();
    let connection = Connection {
        session,
        tcp,
        destination: settings.name.clone(),
        address: address.clone(),
        host_key,
        is_cut: false,
    };
    shaken.map(|()| connection).map_err(|error| failed(Step::Negotiate, error.message()))
}

/// The first address of the host that answers, all within the limit.
fn dial(settings: &SftpSettings, limit: Duration) -> std::io::Result<TcpStream> {
    let started = Instant::now();
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for address in (settings.host.as_str(), settings.port).to_socket_addrs()? {
        let left = limit.saturating_sub(started.elapsed()).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(&address, left) {
            Ok(tcp) => {
                tcp.set_nodelay(true)?;
                return Ok(tcp);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn address(settings: &SftpSettings) -> String {
    format!("{}:{}", settings.host, settings.port)
}

fn lost(destination: &str, step: Step, subject: &str, reason: &str) -> DeliveryError {
    let (destination, subject) = (destination.to_owned(), subject.to_owned());
    DeliveryError::Lost { destination, step, subject, reason: reason.to_owned() }
}

/// SOCKET_SEND, INVALID_MAC, TIMEOUT, SOCKET_DISCONNECT, SOCKET_TIMEOUT, SOCKET_RECV, BAD_SOCKET.
fn is_connection_trouble(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::Session(-7 | -4 | -9 | -13 | -30 | -43 | -45))
}

/// At least one: nought means no limit at all to libssh2.
fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX).max(1)
}
