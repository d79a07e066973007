//! What a session leaves behind: nothing. Counted in a process of its own, because the other tests have threads and sockets, too.

use std::fs;
use std::process::Command;

use branchline::transport::amqp::Address;
use branchline::transport::{HqLink, Transport};

use crate::support::broker::Broker;
use crate::support::proxy::{Door, Proxy};
use crate::support::session::{branch, head_office, trouble, up};
use crate::support::until;

const CODE: &str = "TUNIS-01";

/// In the process that counts: the branch's URL.
const ALONE: &str = "BRANCHLINE_TEST_ALONE_WITH";

#[tokio::test(flavor = "multi_thread")]
async fn threads_and_sockets_are_back_where_they_began_after_failed_and_good_sessions() {
    if let Ok(url) = std::env::var(ALONE) {
        return count(&url).await;
    }
    let vhost = Broker::shared().vhost();
    head_office(vhost.admin()).await.close().await;
    vhost.branch(CODE);
    let url = vhost.url(
        &format!("{CODE}:{}", crate::support::broker::PASSWORD),
        vhost.port(),
        "",
    );
    let name = "amqp_leaks::threads_and_sockets_are_back_where_they_began_after_failed_and_good_sessions";
    let mut alone = Command::new(std::env::current_exe().unwrap());
    alone
        .args(["--exact", name, "--test-threads=1", "--nocapture"])
        .env(ALONE, url);
    let output = tokio::task::spawn_blocking(move || alone.output().unwrap())
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn count(url: &str) {
    let address = Address::parse(url).unwrap();
    let port: u16 = url
        .rsplit_once(':')
        .unwrap()
        .1
        .split_once('/')
        .unwrap()
        .0
        .parse()
        .unwrap();
    let proxy = Proxy::start(port, 1).await;
    let through = Address::parse(&url.replace(&format!(":{port}/"), &format!(":{}/", proxy.port()))).unwrap();
    let transport = branch(through, CODE);
    // The client library starts a thread of its own at the first connection, once for the process.
    drop(up(&transport).await);
    trouble(&branch(address.clone().with_password("wrong"), CODE)).await;
    until("the first session is gone", || {
        proxy.connections() == 0 && io_threads() == 0
    })
    .await;
    let before = (threads(), sockets());

    for door in [Door::Closed, Door::Portal] {
        proxy.weather(|weather| weather.door = door);
        for _ in 0..20 {
            trouble(&transport).await;
        }
    }
    for _ in 0..20 {
        trouble(&branch(address.clone().with_password("wrong"), CODE)).await;
    }
    // Somebody who never answers: the sessions end at their own limit, all at the same time.
    proxy.weather(|weather| weather.door = Door::Silent);
    let silent: Vec<_> = (0..20).map(|_| transport.open()).collect();
    for mut session in silent {
        while session.events.recv().await.is_some() {}
    }
    // And lines that go silent later.
    proxy.weather(|weather| weather.door = Door::Broker);
    for _ in 0..5 {
        let session = up(&transport).await;
        proxy.weather(|weather| weather.frozen = true);
        drop(session);
        until("the frozen session is gone", || io_threads() == 0).await;
        proxy.weather(|weather| weather.frozen = false);
    }
    for _ in 0..20 {
        drop(up(&transport).await);
    }
    until("all connections are gone", || proxy.connections() == 0).await;
    until(&format!("threads and sockets are {before:?} again"), || {
        // Blocking threads of the runtime come and go by themselves.
        threads() <= before.0 && sockets() <= before.1
    })
    .await;
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// The threads that the client library starts for each connection.
fn io_threads() -> usize {
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks
        .flatten()
        .map(name)
        .filter(|name| name.starts_with("lapin"))
        .count()
}

fn sockets() -> usize {
    let target = |file: fs::DirEntry| fs::read_link(file.path()).unwrap_or_default();
    let files = fs::read_dir("/proc/self/fd").unwrap();
    files
        .flatten()
        .map(target)
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}
