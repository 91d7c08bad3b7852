//! What a private server promises, against the PostgreSQL of this machine.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pgserver::{Lifetime, Listen, Options, Server};

/// A folder that the server's account can reach, removed at the end of the test.
struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { dir }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn options(&self) -> Options {
        let small = [("shared_buffers".to_owned(), "16MB".to_owned())];
        Options { durable: false, settings: small.into(), ..Options::durable(self.data()) }
    }
}

fn port_of(url: &str) -> u16 {
    let after_host = url.split_once("@127.0.0.1:").unwrap().1;
    after_host.split_once('/').unwrap().0.parse().unwrap()
}

fn takes_connections(url: &str) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port_of(url))).is_ok()
}

fn mode_of(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn stop_and_resume_keep_the_address_and_a_second_start_keeps_the_cluster() {
    let folder = Folder::new();
    let server = Server::start(folder.options()).await.unwrap();
    let url = server.url();
    assert!(server.is_running() && takes_connections(&url));
    server.stop().await.unwrap();
    assert!(!server.is_running() && !takes_connections(&url));
    server.resume().await.unwrap();
    assert!(takes_connections(&url), "the address is the same after a stop");
    drop(server);
    assert!(!takes_connections(&url), "dropped means stopped");

    let inode = std::fs::read(folder.data().join("cluster/global/pg_control")).unwrap()[..8].to_vec();
    let again = Server::start(folder.options()).await.unwrap();
    let after = std::fs::read(folder.data().join("cluster/global/pg_control")).unwrap()[..8].to_vec();
    assert_eq!(inode, after, "the system identifier of the cluster is kept");
    let password = |url: &str| url.split_once('@').unwrap().0.to_owned();
    assert_eq!(password(&again.url()), password(&url), "and so is the password");
}

#[tokio::test]
async fn folder_and_password_are_closed_to_others() {
    let folder = Folder::new();
    let _server = Server::start(folder.options()).await.unwrap();
    assert_eq!(mode_of(&folder.data()), 0o700);
    assert_eq!(mode_of(&folder.data().join("password")), 0o600);
}

#[tokio::test]
async fn a_folder_in_use_is_refused_and_its_server_can_be_found() {
    let folder = Folder::new();
    assert_eq!(pgserver::running_url(&folder.data()).unwrap(), None);
    let server = Server::start(folder.options()).await.unwrap();
    let refused = Server::start(folder.options()).await.unwrap_err();
    assert!(refused.to_string().contains("another process uses"), "{refused:#}");
    assert_eq!(pgserver::running_url(&folder.data()).unwrap(), Some(server.url()));
}

#[tokio::test]
async fn a_server_that_outlived_its_owner_is_stopped_before_the_next_start() {
    let folder = Folder::new();
    let first = Server::start(folder.options()).await.unwrap();
    let orphan = first.process_id().unwrap();
    first.stop().await.unwrap();
    drop(first);
    let programs = pgserver::Programs::find(None).unwrap();
    start_without_owner(&programs, &folder.data());
    let second = Server::start(folder.options()).await.unwrap();
    assert!(second.is_running());
    assert_ne!(second.process_id(), Some(orphan));
}

/// What is left when `kill -9` hits an owner: a running server, and no lock.
fn start_without_owner(programs: &pgserver::Programs, data: &Path) {
    use std::os::unix::process::CommandExt;
    let mut pg_ctl = Command::new(programs.path("pg_ctl"));
    pg_ctl.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let pgserver::Account::Other { uid, gid, .. } = pgserver::Account::choose().unwrap() {
        pg_ctl.uid(uid).gid(gid);
    }
    pg_ctl.args(["start", "--wait", "--pgdata"]).arg(data.join("cluster"));
    assert!(pg_ctl.status().unwrap().success());
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_the_cause() {
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let folder = Folder::new();
    let listen = Listen::Port(taken.local_addr().unwrap().port());
    let error = Server::start(Options { listen, ..folder.options() }).await.unwrap_err();
    assert!(format!("{error:#}").contains("TCP/IP sockets"), "{error:#}");
}

#[tokio::test]
async fn a_throwaway_server_takes_its_folder_with_it() {
    let folder = Folder::new();
    let options = Options { lifetime: Lifetime::Process, ..folder.options() };
    let server = Server::start(options).await.unwrap();
    let url = server.url();
    drop(server);
    assert!(!takes_connections(&url));
    assert!(!folder.data().exists());
}

#[tokio::test]
async fn a_server_may_listen_on_its_socket_alone() {
    let folder = Folder::new();
    let server = Server::start(Options { listen: Listen::SocketOnly, ..folder.options() }).await.unwrap();
    assert!(server.url().contains("host=/"), "the address is a folder");
    assert_eq!(server.socket_url(), Some(server.url()));
}
