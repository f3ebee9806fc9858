//! Where a payShield is: `HOST:PORT`, as the configuration writes it and errors name it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Host and port of a device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// Name or IP address; of version 6 without its brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Address {
    /// Whether what is sent there stays on this host.
    pub fn is_local(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }
}

/// `HOST:PORT`; a version 6 address in brackets. Names are the same in any case, and kept in lower case.
impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "must be HOST:PORT, for example hsm1.bank.example:1500 or [2001:db8::1]:1500";
        let (host, port) = text.rsplit_once(':').ok_or(FORM)?;
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port != 0).ok_or(FORM)?;
        if let Some(host) = host.strip_prefix('[') {
            let host = host.strip_suffix(']').and_then(|host| host.parse::<Ipv6Addr>().ok()).ok_or(FORM)?;
            return Ok(Self { host: host.to_string(), port });
        }
        let of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let sound = !host.is_empty() && !host.starts_with('-') && host.bytes().all(of_name);
        if sound { Ok(Self { host: host.to_ascii_lowercase(), port }) } else { Err(FORM) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_a_host_and_a_port() {
        for (text, host, port, local) in [
            ("hsm1.bank.example:1500", "hsm1.bank.example", 1500, false),
            ("HSM1:9998", "hsm1", 9998, false),
            ("10.0.0.7:1500", "10.0.0.7", 1500, false),
            ("127.0.0.1:1500", "127.0.0.1", 1500, true),
            ("localhost:1500", "localhost", 1500, true),
            ("[::1]:1500", "::1", 1500, true),
            ("[2001:DB8::1]:65535", "2001:db8::1", 65535, false),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((&*address.host, address.port, address.is_local()), (host, port, local), "{text}");
            assert_eq!(address.to_string(), text.to_lowercase());
        }
        for text in [
            "",
            ":",
            "hsm1",
            "hsm1:",
            ":1500",
            "hsm1:0",
            "hsm1:65536",
            "hsm1:+15",
            "hsm1:1500 ",
            "hsm 1:1500",
            "::1:1500",
            "[::1]",
            "[hsm1]:1500",
            "[::1:1500",
            "tcp://hsm1:1500",
            "user@hsm1:1500",
            "-v:1500",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
