//! Private RabbitMQ brokers, started by the same script as the demo's. A broker ends with the process that started it, however that ends.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use branchline::domain::ids::BranchCode;
use branchline::transport::amqp::Address;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

/// The password of every branch that a test makes.
pub(crate) const PASSWORD: &str = "sesame";

/// A broker of our own.
pub(crate) struct Broker {
    dir: TempDir,
    running: Option<Running>,
    ports: Ports,
    authority: String,
}

struct Running {
    launcher: Child,
    /// The broker runs until this closes.
    leash: ChildStdin,
}

struct Ports {
    amqp: u16,
    amqps: u16,
}

/// A virtual host: for the test that made it, a broker to itself.
#[derive(Clone)]
pub(crate) struct Vhost {
    pub(crate) name: String,
    script: Script,
    ports: (u16, u16),
    authority: String,
}

#[derive(Clone)]
struct Script {
    dir: PathBuf,
}

impl Script {
    fn command(&self, verb: &str) -> Command {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/broker/broker.sh");
        let mut command = Command::new(path);
        command.arg(verb).arg(&self.dir);
        command
    }

    fn run(&self, verb: &str, arguments: &[&str]) {
        let output = self.command(verb).args(arguments).output().expect("bash runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "broker.sh {verb} {arguments:?}: {said}");
    }
}

impl Broker {
    /// The broker that all tests share; each takes a virtual host of its own. Nothing may be done to it that others would feel.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Broker> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// The broker that tests kill, wipe or choke, one after the other; it is started again where the last one left it dead.
    pub(crate) async fn in_turn() -> MutexGuard<'static, Self> {
        static VICTIM: OnceLock<Mutex<Broker>> = OnceLock::new();
        let mut broker = VICTIM.get_or_init(|| Mutex::new(Self::start())).lock().await;
        if !broker.is_alive() {
            broker.restart();
        }
        broker
    }

    /// A broker for a test that needs it all the time.
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let authority = certify(&dir.path().join("tls"));
        let mut broker = Self {
            dir,
            running: None,
            ports: Ports { amqp: 0, amqps: 0 },
            authority,
        };
        broker.launch();
        broker
    }

    fn script(&self) -> Script {
        Script {
            dir: self.dir.path().to_owned(),
        }
    }

    fn launch(&mut self) {
        let mut run = self.script().command("run");
        run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut launcher = run.spawn().expect("bash runs");
        let leash = launcher.stdin.take().expect("it was asked for");
        let mut ready = String::new();
        let stdout = launcher.stdout.take().expect("it was asked for");
        BufReader::new(stdout)
            .read_line(&mut ready)
            .expect("the launcher speaks UTF-8");
        if !ready.starts_with("ready") {
            let mut said = String::new();
            let stderr = launcher.stderr.take().expect("it was asked for");
            let _ = BufReader::new(stderr).read_to_string(&mut said);
            panic!("the tests need a RabbitMQ of their own, and it did not start: {said}");
        }
        let ports = std::fs::read_to_string(self.dir.path().join("ports")).expect("the launcher writes its ports");
        let port = |name: &str| {
            let line = ports
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.and_then(|port| port.parse().ok()).expect("each port has a line")
        };
        self.ports = Ports {
            amqp: port("AMQP_PORT"),
            amqps: port("TLS_PORT"),
        };
        self.running = Some(Running { launcher, leash });
    }

    /// A virtual host that no other test uses.
    pub(crate) fn vhost(&self) -> Vhost {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let vhost = Vhost {
            name: format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed)),
            script: self.script(),
            ports: (self.ports.amqp, self.ports.amqps),
            authority: self.authority.clone(),
        };
        vhost.make();
        vhost
    }

    fn is_alive(&mut self) -> bool {
        let launcher = self.running.as_mut().map(|running| &mut running.launcher);
        launcher.is_some_and(|launcher| matches!(launcher.try_wait(), Ok(None)))
    }

    /// Waits until the broker's own directory names a quorum queue: killed before that, it would forget how to lead it.
    pub(crate) async fn until_written_down(&self, vhost: &Vhost, queue: &str) {
        let name = format!("{}_{queue}", vhost.name);
        let node = "branchline@localhost";
        let directory = self
            .dir
            .path()
            .join("data")
            .join(node)
            .join("quorum")
            .join(node)
            .join("names.dets");
        super::until("the queue is written down", || {
            let written = std::fs::read(&directory).unwrap_or_default();
            written.windows(name.len()).any(|window| window == name.as_bytes())
        })
        .await;
    }

    /// Ends the broker as a power cut would: nothing is written down, nobody is told.
    pub(crate) fn kill(&mut self) {
        let pid = std::fs::read_to_string(self.dir.path().join("pid")).expect("a running broker has a pid file");
        let status = Command::new("kill")
            .args(["-KILL", pid.trim()])
            .status()
            .expect("kill runs");
        assert!(status.success(), "there was no broker to kill");
        self.end();
    }

    /// Starts the broker again, on the same ports, with what it has kept.
    pub(crate) fn restart(&mut self) {
        self.end();
        self.launch();
    }

    /// Starts the broker again with nothing of what it has kept, users and virtual hosts included.
    pub(crate) fn wipe(&mut self) {
        self.end();
        std::fs::remove_dir_all(self.dir.path().join("data")).expect("a broker that has run has data");
        self.launch();
    }

    /// Makes the broker refuse messages for want of memory, or take them again.
    pub(crate) fn memory_alarm(&self, on: bool) {
        self.script()
            .run("ctl", &["set_vm_memory_high_watermark", if on { "0" } else { "0.4" }]);
    }

    fn end(&mut self) {
        if let Some(Running { mut launcher, leash }) = self.running.take() {
            drop(leash);
            let _ = launcher.wait();
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.end();
    }
}

impl Vhost {
    /// Makes it on its broker: at first, and when the broker was wiped.
    pub(crate) fn make(&self) {
        self.script.run("vhost", &[&self.name]);
    }

    /// The address for the administrator, as head office has it.
    pub(crate) fn admin(&self) -> Address {
        self.address("guest:guest", self.ports.0, "")
    }

    /// Makes a branch with the rights of a branch; returns its address.
    pub(crate) fn branch(&self, code: &str) -> Address {
        self.branch_through(code, self.ports.0, "")
    }

    /// The same, by way of another port and with parameters of the URL.
    pub(crate) fn branch_through(&self, code: &str, port: u16, parameters: &str) -> Address {
        self.script.run("branch", &[code, PASSWORD, &self.name]);
        self.address(&format!("{code}:{PASSWORD}"), port, parameters)
    }

    /// The address with any login and port.
    pub(crate) fn address(&self, login: &str, port: u16, parameters: &str) -> Address {
        Address::parse(&self.url(login, port, parameters)).expect("a good URL")
    }

    /// The same as text.
    pub(crate) fn url(&self, login: &str, port: u16, parameters: &str) -> String {
        format!("amqp://{login}@127.0.0.1:{port}/{}{parameters}", self.name)
    }

    /// A client that does what it is told, right or wrong.
    pub(crate) async fn raw(&self, login: &str) -> lapin::Channel {
        let url = self.url(login, self.ports.0, "");
        let connection = lapin::Connection::connect(&url, lapin::ConnectionProperties::default()).await;
        connection
            .expect("the login is good")
            .create_channel()
            .await
            .expect("a fresh connection has a channel")
    }

    /// Waits until a queue has this many consumers.
    pub(crate) async fn until_consumers(&self, queue: &str, consumers: u32) {
        self.until_queue(queue, |found| found.consumer_count() == consumers)
            .await;
    }

    /// Waits until this many messages wait in a queue.
    pub(crate) async fn until_messages(&self, queue: &str, messages: u32) {
        self.until_queue(queue, |found| found.message_count() == messages).await;
    }

    async fn until_queue(&self, queue: &str, is_so: impl Fn(&lapin::Queue) -> bool) {
        let raw = self.raw("guest:guest").await;
        let passive = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        super::soon("the queue is as expected", async {
            loop {
                let found = raw.queue_declare(queue.into(), passive, FieldTable::default()).await;
                if is_so(&found.expect("the queue is there")) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// The address of the encrypted port, by this name of the host, and the authority that signed its certificate.
    pub(crate) fn encrypted(&self, login: &str, host: &str) -> (Address, String) {
        let url = format!("amqps://{login}@{host}:{}/{}", self.ports.1, self.name);
        (Address::parse(&url).expect("a good URL"), self.authority.clone())
    }

    /// The port on which it listens.
    pub(crate) fn port(&self) -> u16 {
        self.ports.0
    }
}

/// A branch code.
pub(crate) fn code(text: &str) -> BranchCode {
    BranchCode::parse(text).expect("a good code")
}

/// Writes a certificate for `localhost` and the authority that signed it; returns the authority's.
fn certify(dir: &Path) -> String {
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("no names are good names");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let signed = authority.self_signed(&authority_key).expect("it can sign itself").pem();
    let key = rcgen::KeyPair::generate().expect("a key");
    let server = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a good name");
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let certificate = server.signed_by(&key, &issuer).expect("it can sign others").pem();
    std::fs::create_dir_all(dir).expect("a directory for certificates");
    for (name, text) in [
        ("ca.pem", &signed),
        ("cert.pem", &certificate),
        ("key.pem", &key.serialize_pem()),
    ] {
        std::fs::write(dir.join(name), text).expect("a certificate is written");
    }
    signed
}
