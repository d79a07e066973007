//! Where the broker is and how to log in, as the options say it. Passwords are never shown, whatever is printed.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use crate::transport::amqp::Address;

/// The login of a broker that nobody has set up, as it stands in a URL. It is no secret.
const NOBODY: &str = "://guest:guest@";
/// The longest password line that is read, in bytes.
const MAX_PASSWORD_BYTES: u64 = 4096;

/// What the options say of the broker.
#[derive(Clone, PartialEq, Eq)]
pub struct Broker {
    url: String,
    ca: Option<PathBuf>,
    password_file: Option<PathBuf>,
}

impl Broker {
    /// Where the broker is if nobody says.
    pub const DEFAULT_URL: &'static str = "amqp://127.0.0.1:5672";

    /// Reads a broker's URL; `None` if the text is none.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let url = url.trim().to_owned();
        Address::parse(&url).ok().map(|_| Self {
            url,
            ca: None,
            password_file: None,
        })
    }

    /// The same broker with what other options say of it: whom to trust, and where the password is.
    #[must_use]
    pub fn with(mut self, ca: Option<PathBuf>, password_file: Option<PathBuf>) -> Self {
        self.ca = ca;
        self.password_file = password_file;
        self
    }

    /// Whether the URL holds a password that is a secret.
    #[must_use]
    pub fn holds_secret(&self) -> bool {
        self.named().names_password() && !self.url.contains(NOBODY)
    }

    /// Whether what is said can be heard on the way: the line is not encrypted and leaves this machine.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        self.named().is_exposed()
    }

    /// The address with its login and the certificates to trust. Where there is a password file and the URL names no user, the user is `own`: the branch's code,
    /// or `hq`.
    ///
    /// # Errors
    /// When the password file can't be read, is empty, or is open to everybody, or the certificates can't be read.
    pub fn address(&self, own: &str) -> Result<Address, ConfigError> {
        let mut address = match &self.password_file {
            None => self.named(),
            Some(path) => self.named_for(own).with_password(&read_password(path)?),
        };
        if let Some(path) = &self.ca {
            let pem = fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
                path: path.clone(),
                source,
            })?;
            address = address.with_authorities(pem);
        }
        Ok(address)
    }

    fn named(&self) -> Address {
        Address::parse(&self.url).expect("the URL was read when it was taken")
    }

    fn named_for(&self, own: &str) -> Address {
        let (scheme, rest) = self.url.split_once("://").expect("the URL was read when it was taken");
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return self.named();
        }
        Address::parse(&format!("{scheme}://{own}@{rest}"))
            .expect("a branch's code and `hq` are made of letters that a URL takes")
    }
}

impl fmt::Display for Broker {
    /// The address without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.named().fmt(f)
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Broker({self})")
    }
}

fn read_password(path: &Path) -> Result<String, ConfigError> {
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
    Ok(password)
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

    fn parse(url: &str) -> Broker {
        Broker::parse(url).unwrap()
    }

    #[test]
    fn only_a_password_of_ones_own_is_a_secret() {
        assert!(parse("amqp://me:hunter2@host").holds_secret());
        for open in ["amqp://host", "amqp://me@host", "amqp://guest:guest@host"] {
            assert!(!parse(open).holds_secret(), "{open}");
        }
        assert_eq!(Broker::parse("127.0.0.1:5672"), None);
    }

    #[test]
    fn nothing_that_is_printed_has_the_password() {
        let broker = parse("amqps://me:hunter2@host/till");
        assert_eq!(format!("{broker} {broker:?}"), "host:5671/till Broker(host:5671/till)");
    }

    #[test]
    fn the_password_is_the_first_line_of_a_file_that_is_not_open_to_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let broker = parse("amqp://127.0.0.1").with(None, Some(path.clone()));
        let says = |broker: &Broker| broker.address("TUNIS-01").unwrap_err().to_string();
        assert!(says(&broker).contains("can't be read"));

        fs::write(&path, "s3cret word\r\nnot this\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(
            says(&broker).contains("others can read it (mode 644)"),
            "{}",
            says(&broker)
        );

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(broker.address("TUNIS-01").is_ok());
        assert_eq!(first_line(&path).unwrap(), "s3cret word");

        fs::write(&path, "\n").unwrap();
        assert!(says(&broker).contains("no password"));
    }

    #[test]
    fn with_a_password_file_the_user_is_the_branch_unless_the_url_names_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, "s3cret").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let user = |url| {
            parse(url)
                .with(None, Some(path.clone()))
                .address("TUNIS-01")
                .unwrap()
                .user()
                .to_owned()
        };
        assert_eq!(user("amqp://127.0.0.1/a@b"), "TUNIS-01");
        assert_eq!(user("amqp://other@127.0.0.1"), "other");
        assert_eq!(parse("amqp://127.0.0.1").address("TUNIS-01").unwrap().user(), "guest");
    }

    #[test]
    fn certificates_that_are_not_there_are_named() {
        let broker = parse("amqps://host").with(Some("/no/such/ca.pem".into()), None);
        assert!(broker.address("A").unwrap_err().to_string().contains("/no/such/ca.pem"));
    }
}
