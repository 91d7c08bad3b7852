//! Where customers bind over SMPP: the options, the listeners, and what the edge serves them with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::Args;
use host::secrets::Keys;
use smpp_edge::{Bounds, Listener, Server, server_tls};

use crate::edge::Link;
use crate::exit::Misused;

/// What `up` and `edge` share.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Where customers bind over SMPP in TLS, such as 0.0.0.0:3550
    #[arg(long = "smpp-tls-addr", env = "CHAPPE_SMPP_TLS_ADDR", value_name = "ADDR", requires_all = ["tls_cert", "tls_key"])]
    tls_addr: Option<SocketAddr>,
    /// The certificate for it and those above it, in PEM
    #[arg(long = "smpp-tls-cert", env = "CHAPPE_SMPP_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key, in PEM
    #[arg(long = "smpp-tls-key", env = "CHAPPE_SMPP_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// A load balancer in front tells who connects, by the PROXY protocol of version 2
    #[arg(long = "smpp-proxy-protocol", env = "CHAPPE_SMPP_PROXY_PROTOCOL")]
    is_proxied: bool,
}

/// The ports for SMPP, opened before anything else starts: one that is taken is told at once.
#[derive(Debug)]
pub(crate) struct Ports {
    listeners: Vec<Listener>,
}

impl Ports {
    /// Opens `addr`, where there is one, and the port for TLS that `options` name.
    pub(crate) async fn open(addr: Option<SocketAddr>, options: &Options) -> Result<Self> {
        let mut listeners = Vec::new();
        if let Some(addr) = addr {
            listeners.push(listen("CHAPPE_SMPP_ADDR", addr).await?);
        }
        if let Some(addr) = options.tls_addr {
            let (chain, key) = (read(options.tls_cert.as_deref())?, read(options.tls_key.as_deref())?);
            let tls = server_tls(&chain, &key).map_err(|error| Misused(format!("CHAPPE_SMPP_TLS_CERT: {error:#}")))?;
            listeners.push(listen("CHAPPE_SMPP_TLS_ADDR", addr).await?.with_tls(tls));
        }
        if options.is_proxied {
            listeners = listeners.into_iter().map(Listener::behind_proxy).collect();
        }
        Ok(Self { listeners })
    }

    /// Where the first of them listens: the chosen port where port 0 was asked for.
    pub(crate) fn addr(&self) -> Result<Option<SocketAddr>> {
        Ok(self.listeners.first().map(Listener::addr).transpose()?)
    }

    /// What an edge serves customers with; `None` where it listens nowhere.
    pub(crate) fn server(
        self,
        limits: &limits::Opened,
        link: &Arc<Link>,
        keys: &Arc<Keys>,
        edge: &str,
    ) -> Option<Server> {
        if self.listeners.is_empty() {
            return None;
        }
        Some(Server {
            listeners: self.listeners,
            intake: Arc::<Link>::clone(link),
            directory: Arc::clone(&limits.directory),
            limiter: Arc::clone(&limits.limiter),
            keys: Arc::clone(keys),
            edge: edge.to_owned(),
            bounds: Bounds::default(),
        })
    }
}

async fn listen(setting: &str, addr: SocketAddr) -> Result<Listener, Misused> {
    let say = |error| Misused(format!("cannot listen on {addr}: {error}; stop what listens there, or set {setting}"));
    Listener::bind(addr).await.map_err(say)
}

fn read(file: Option<&Path>) -> Result<Vec<u8>> {
    let file = file.context("SMPP in TLS needs a certificate and its key")?;
    let octets = std::fs::read(file).map_err(|error| Misused(format!("cannot read {}: {error}", file.display())))?;
    ensure!(!octets.is_empty(), Misused(format!("{} is empty", file.display())));
    Ok(octets)
}
