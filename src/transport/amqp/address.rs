//! Where the broker is and as whom to log in. The password goes to the broker and nowhere else: neither `Display` nor `Debug` shows it.

use std::fmt;
use std::net::IpAddr;

use lapin::uri::{AMQPScheme, AMQPUri};

/// After how many seconds of silence a peer is asked whether it lives; twice this, and the line counts as dead.
const HEARTBEAT_S: u16 = 10;

/// The largest frame, in bytes. The library keeps room for 64 of them for each connection; a batch rarely fills one.
const FRAME_MAX: u32 = 32 * 1024;

/// A broker's address with the login, ready to be used.
#[derive(Clone)]
pub struct Address {
    uri: AMQPUri,
    names_password: bool,
    trust: Trust,
}

/// Whose signature makes a broker's certificate good.
#[derive(Clone)]
pub(super) enum Trust {
    /// That of any authority which this system trusts.
    System,
    /// Only that of an authority in this PEM text.
    Only(String),
}

/// A text that is not a broker's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the broker's address can't be used: {reason}; it looks like amqp://USER@HOST:5672 or amqps://USER@HOST:5671/VHOST"
)]
pub struct BadAddress {
    reason: String,
}

impl Address {
    /// Reads an `amqp://` or `amqps://` URL. `heartbeat` (seconds) and `frame_max` (bytes) may be given as parameters of the URL.
    ///
    /// # Errors
    /// Says what is wrong with the text; never repeats it, because it may contain a password.
    pub fn parse(url: &str) -> Result<Self, BadAddress> {
        let rest = url.strip_prefix("amqp://").or_else(|| url.strip_prefix("amqps://"));
        let Some(rest) = rest else {
            return Err(BadAddress {
                reason: "it does not begin with amqp:// or amqps://".to_owned(),
            });
        };
        let mut uri: AMQPUri = url.parse().map_err(|reason| BadAddress { reason })?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (login, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        // The parser takes an IPv6 address for no host at all, and goes to localhost instead.
        if let Some((host, _)) = host.strip_prefix('[').and_then(|host| host.split_once(']')) {
            host.clone_into(&mut uri.authority.host);
        }
        if uri.vhost.is_empty() {
            "/".clone_into(&mut uri.vhost);
        }
        uri.query.heartbeat = uri.query.heartbeat.filter(|seconds| *seconds > 0).or(Some(HEARTBEAT_S));
        uri.query.frame_max = uri.query.frame_max.or(Some(FRAME_MAX));
        Ok(Self {
            uri,
            names_password: login.contains(':'),
            trust: Trust::System,
        })
    }

    /// The same address with this password instead of the URL's.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        password.clone_into(&mut self.uri.authority.userinfo.password);
        self
    }

    /// The same address, for which only the authorities in this PEM text are trusted.
    #[must_use]
    pub fn with_authorities(mut self, pem: String) -> Self {
        self.trust = Trust::Only(pem);
        self
    }

    /// The user to log in as.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.uri.authority.userinfo.username
    }

    /// Whether the URL itself had a password in it.
    #[must_use]
    pub const fn names_password(&self) -> bool {
        self.names_password
    }

    /// Whether passwords and sales would cross a network in the clear.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        let host = &self.uri.authority.host;
        let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        !self.is_encrypted() && !local
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.uri.scheme == AMQPScheme::AMQPS
    }

    pub(super) const fn uri(&self) -> &AMQPUri {
        &self.uri
    }

    pub(super) const fn trust(&self) -> &Trust {
        &self.trust
    }
}

/// Host, port and virtual host, if it is not the default one.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.uri.authority.host;
        let port = self.uri.authority.port;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")?;
        } else {
            write!(f, "{host}:{port}")?;
        }
        match self.uri.vhost.as_str() {
            "/" => Ok(()),
            vhost => write!(f, "/{vhost}"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self} as {})", self.user())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_printed_has_the_password() {
        let address = Address::parse("amqps://TUNIS-01:s3cret@hq.example/till").unwrap();
        assert!(address.names_password());
        for address in [address.clone(), address.with_password("other3")] {
            let shown = format!("{address} {address:?}");
            assert!(!shown.contains("s3cret") && !shown.contains("other3"), "{shown}");
            assert_eq!(address.to_string(), "hq.example:5671/till");
            assert_eq!(address.user(), "TUNIS-01");
        }
        for url in [
            "amqp://u:s3cret@host:port",
            "http://u:s3cret@host",
            "amqp:u:s3cret",
            "amqp://u:s3cret@h?heartbeat=s",
        ] {
            let shown = format!("{0} {0:?}", Address::parse(url).unwrap_err());
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }

    #[test]
    fn an_address_without_details_means_the_usual_ones() {
        for url in ["amqp://127.0.0.1", "amqp://127.0.0.1/", "amqp://127.0.0.1:5672/%2f"] {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.to_string(), "127.0.0.1:5672");
            assert_eq!(address.user(), "guest");
            assert_eq!(address.uri().query.heartbeat, Some(HEARTBEAT_S));
            assert!(!address.names_password());
        }
    }

    #[test]
    fn an_ipv6_address_is_not_taken_for_localhost() {
        let address = Address::parse("amqp://u@[2001:db8::7]:5672").unwrap();
        assert_eq!(address.to_string(), "[2001:db8::7]:5672");
        assert!(address.is_exposed());
    }

    #[test]
    fn only_a_plain_line_to_another_machine_is_exposed() {
        let exposed = |url| Address::parse(url).unwrap().is_exposed();
        assert!(exposed("amqp://hq.example"));
        for url in [
            "amqp://127.0.0.1",
            "amqp://localhost",
            "amqp://[::1]",
            "amqps://hq.example",
        ] {
            assert!(!exposed(url), "{url}");
        }
    }
}
