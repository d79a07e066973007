//! Where the broker is and how to log in, read from one URL. Passwords are never shown, whatever is printed.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::error::ConfigError;

/// The user and password of a broker that nobody has set up. It is no secret.
const NOBODY: &str = "guest";
/// The longest password line that is read, in bytes.
const MAX_PASSWORD_BYTES: u64 = 4096;

/// A text that is not for anybody's eyes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the broker.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A broker: where it is, and what the URL says of the login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Whether the line is encrypted (`amqps://`).
    pub secure: bool,
    /// The host's name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The virtual host.
    pub vhost: String,
    /// The only authority whose certificates are trusted, as a PEM file; none: the usual ones.
    pub ca: Option<PathBuf>,
    user: Option<String>,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
}

/// Who logs in at the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: Secret,
}

impl Broker {
    /// Where the broker is if nobody says.
    pub const DEFAULT_URL: &'static str = "amqp://127.0.0.1:5672";

    /// Reads `amqp://USER:PASSWORD@HOST:PORT/VHOST`, or `amqps://`; all but the host can be left out. `None` if the text is anything else.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.trim().split_once("://")?;
        let (secure, usual_port) = match scheme.to_ascii_lowercase().as_str() {
            "amqp" => (false, 5672),
            "amqps" => (true, 5671),
            _ => return None,
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, address) = match authority.rsplit_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, authority),
        };
        let (host, port) = split_port(address, usual_port)?;
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            Some((user, password)) => (Some(decode(user)?), Some(decode(password)?)),
            None => (None, None),
        };
        let vhost = decode(path)?;
        Some(Self {
            secure,
            host,
            port,
            vhost: if vhost.is_empty() { "/".into() } else { vhost },
            ca: None,
            user: user.filter(|user| !user.is_empty()),
            password: password.filter(|password| !password.is_empty()).map(Secret),
            password_file: None,
        })
    }

    /// The same broker with what other options say of it.
    #[must_use]
    pub fn with(mut self, ca: Option<PathBuf>, password_file: Option<PathBuf>) -> Self {
        self.ca = ca;
        self.password_file = password_file;
        self
    }

    /// Whether the URL holds a password that is a secret.
    #[must_use]
    pub fn holds_secret(&self) -> bool {
        self.password.as_ref().is_some_and(|password| password.0 != NOBODY)
    }

    /// Whether what is said can be heard on the way: the line is not encrypted and leaves this machine.
    #[must_use]
    pub fn is_overheard(&self) -> bool {
        !self.secure && !is_loopback(&self.host)
    }

    /// Who logs in: the URL's user, or else `own` (the branch's code, `hq`) where there is a password file, or else the broker's `guest`.
    ///
    /// # Errors
    /// When the password file can't be read, is empty, or is open to everybody.
    pub fn login(&self, own: &str) -> Result<Login, ConfigError> {
        if let Some(path) = &self.password_file {
            return Ok(Login {
                user: self.user.clone().unwrap_or_else(|| own.to_owned()),
                password: read_password(path)?,
            });
        }
        Ok(Login {
            user: self.user.clone().unwrap_or_else(|| NOBODY.to_owned()),
            password: self.password.clone().unwrap_or_else(|| Secret(NOBODY.to_owned())),
        })
    }
}

impl fmt::Display for Broker {
    /// The address without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "amqps" } else { "amqp" };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)?;
        if self.vhost == "/" {
            Ok(())
        } else {
            write!(f, "/{}", self.vhost)
        }
    }
}

fn split_port(address: &str, usual: u16) -> Option<(String, u16)> {
    let (host, port) = if let Some(bracketed) = address.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        (
            host,
            if rest.is_empty() {
                None
            } else {
                Some(rest.strip_prefix(':')?)
            },
        )
    } else {
        match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        }
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if host.is_empty() || !host.chars().all(allowed) {
        return None;
    }
    let port = port.map_or(Some(usual), |port| port.parse().ok().filter(|port| *port > 0))?;
    Some((host.to_owned(), port))
}

/// Turns `%2f` into `/`; `None` if it is not UTF-8 then, or has characters that must be written as `%XX`.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
            }
            b'/' | b'?' | b'#' | b'@' | b' ' => return None,
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn read_password(path: &Path) -> Result<Secret, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(ConfigError::Exposed {
            path: path.to_owned(),
            mode,
            shared: true,
        });
    }
    let password = first_line(path).map_err(unreadable)?;
    if password.is_empty() {
        return Err(ConfigError::NoPassword { path: path.to_owned() });
    }
    Ok(Secret(password))
}

fn first_line(path: &Path) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(File::open(path)?.take(MAX_PASSWORD_BYTES)).read_line(&mut line)?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_can_leave_out_all_but_the_host() {
        let broker = Broker::parse("amqp://hq.example").unwrap();
        assert_eq!((broker.port, broker.vhost.as_str(), broker.secure), (5672, "/", false));
        let login = broker.login("TUNIS-01").unwrap();
        assert_eq!((login.user.as_str(), login.password.expose()), ("guest", "guest"));
        assert_eq!(Broker::parse("AMQPS://hq.example/").unwrap().port, 5671);
    }

    #[test]
    fn a_full_url_is_taken_apart_and_shown_without_its_login() {
        let broker = Broker::parse("amqps://TUNIS-01:p%40ss%2fword@[::1]:5999/sales%2Ftest").unwrap();
        let login = broker.login("other").unwrap();
        assert_eq!(
            (login.user.as_str(), login.password.expose()),
            ("TUNIS-01", "p@ss/word")
        );
        assert_eq!(broker.to_string(), "amqps://[::1]:5999/sales/test");
        let debug = format!("{broker:?} {login:?}");
        assert!(!debug.contains("p@ss"), "{debug}");
    }

    #[test]
    fn what_is_no_broker_url_is_refused() {
        for bad in [
            "127.0.0.1:5672",
            "http://hq.example",
            "amqp://",
            "amqp://host:0",
            "amqp://host:99999",
            "amqp://host:5672/a/b",
            "amqp://me:p@ss@host",
            "amqp://me:100%@host",
            "amqp://host?heartbeat=1",
            "amqp://[1.2.3.4]",
            "amqp://ho st",
        ] {
            assert_eq!(Broker::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_a_plain_line_that_leaves_the_machine_is_overheard() {
        let is_overheard = |url| Broker::parse(url).unwrap().is_overheard();
        for near in [
            "amqp://127.0.0.1",
            "amqp://127.9.9.9",
            "amqp://[::1]",
            "amqp://LOCALHOST",
            "amqps://hq.example",
        ] {
            assert!(!is_overheard(near), "{near}");
        }
        assert!(is_overheard("amqp://hq.example") && is_overheard("amqp://10.0.0.1"));
    }

    #[test]
    fn the_password_is_the_first_line_of_a_file_that_is_not_open_to_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let broker = Broker::parse("amqp://127.0.0.1")
            .unwrap()
            .with(None, Some(path.clone()));
        let says = |broker: &Broker| broker.login("TUNIS-01").unwrap_err().to_string();
        assert!(says(&broker).contains("can't be read"));

        fs::write(&path, "s3cret word\r\nnot this\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(
            says(&broker).contains("others can read it (mode 644)"),
            "{}",
            says(&broker)
        );

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let login = broker.login("TUNIS-01").unwrap();
        assert_eq!(
            (login.user.as_str(), login.password.expose()),
            ("TUNIS-01", "s3cret word")
        );

        fs::write(&path, "\n").unwrap();
        assert!(says(&broker).contains("no password"));
    }
}
