//! `chappe smpp trace`: what a session says, in words, and as a capture for Wireshark.

use std::collections::HashMap;
use std::fs::File;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::json;
use smpp::describe::{Show, describe};
use smpp::pcap::{self, Flow};
use smpp::{Policy, decode};

use super::house::House;
use crate::cli::Common;
use crate::edge::watch::{Line, NAMES, Name, TRACE};
use crate::exit::Misused;
use crate::output::{Mood, Output, Value, line, print_json};
use crate::signals;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// A session (`ses_…`), a customer's name, an operator by id or name, or one bind of it (`op_…/0`)
    #[arg(required_unless_present = "list")]
    what: Option<String>,
    /// List what can be traced on this edge instead
    #[arg(long)]
    list: bool,
    /// Show numbers and texts of people; without it they are told by their length
    #[arg(long)]
    full: bool,
    /// Write the PDUs to this file, as packets for Wireshark or tshark; numbers and texts are in it
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Stop after so many PDUs
    #[arg(long, value_name = "PDUS")]
    count: Option<u64>,
    /// Stop after this time
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// Where the edge is watched: the internal API of `chappe up`, or the --watch-addr of `chappe edge`
    #[arg(long, env = "CHAPPE_WATCH_URL", default_value = "http://127.0.0.1:8081", value_name = "URL")]
    watch_url: String,
}

pub(super) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    let house = House::new(common, &options.watch_url)?;
    if options.list {
        return list(&house, out).await;
    }
    let limit = options.seconds.map_or(Duration::MAX, Duration::from_secs);
    tokio::select! {
        traced = follow(&house, &options, out) => traced,
        () = signals::stop() => Ok(()),
        () = tokio::time::sleep(limit) => Ok(()),
    }
}

async fn list(house: &House, out: &Output) -> Result<()> {
    let names: Vec<Name> = serde_json::from_value(house.get(NAMES).await?)?;
    if out.is_json() {
        return print_json(&names);
    }
    let rows = names.iter().map(|name| vec![name.names.join("  ").into(), name.peer.into()]).collect();
    out.table(&["names", "peer"], rows, "no session on this edge");
    Ok(())
}

async fn follow(house: &House, options: &Options, out: &Output) -> Result<()> {
    let what = options.what.as_deref().unwrap_or_default();
    let mut capture = options.pcap.as_ref().map(Capture::create).transpose()?;
    let mut answer = house.open(TRACE, &[("what", what)]).await?;
    if std::io::stderr().is_terminal() {
        let _ = writeln!(std::io::stderr(), "following {what}; Ctrl-C stops");
    }
    let show = if options.full { Show::Full } else { Show::Hidden };
    let mut rest = Vec::new();
    let mut seen = 0;
    while let Some(chunk) = answer.chunk().await.context("the edge is gone")? {
        rest.extend_from_slice(&chunk);
        while let Some(end) = rest.iter().position(|octet| *octet == b'\n') {
            let text: Vec<u8> = rest.drain(..=end).collect();
            if text.len() <= 1 {
                continue;
            }
            let traced: Line = serde_json::from_slice(&text).context("the edge's line cannot be read")?;
            let pdu = STANDARD.decode(&traced.pdu).context("the edge's line cannot be read")?;
            if let Some(capture) = &mut capture {
                capture.write(&traced, &pdu)?;
            }
            tell(&traced, &pdu, show, out)?;
            seen += 1;
            if options.count == Some(seen) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// One PDU for a person or for a program.
fn tell(traced: &Line, pdu: &[u8], show: Show, out: &Output) -> Result<()> {
    let Some(frame) = decode(pdu, Policy::Lenient) else { return Ok(()) };
    let said = describe(&frame, show);
    if out.is_json() {
        let details: HashMap<_, _> = said.details.iter().cloned().collect();
        line(&serde_json::to_string(&json!({
            "at": traced.at, "session": traced.session, "peer": traced.peer, "received": traced.received,
            "left_out": traced.left_out, "line": said.line, "details": details,
        }))?);
        return Ok(());
    }
    if traced.left_out > 0 {
        line(&format!("… {} left out: they came faster than they were shown", traced.left_out));
    }
    let arrow = if traced.received { "◀" } else { "▶" };
    let mood = match frame.header.command_status {
        smpp::Status::ROK if traced.received => Mood::Good,
        smpp::Status::ROK => Mood::Plain,
        _ => Mood::Bad,
    };
    let at = traced.at.format("%H:%M:%S%.3f");
    line(&out.coloured(&Value::with(mood, &format!("{at} {arrow} {} {}", traced.session, said.line))));
    for (name, value) in &said.details {
        line(&format!("               {name}: {value}"));
    }
    Ok(())
}

/// A capture file.
struct Capture {
    file: File,
    flows: HashMap<String, Flow>,
}

impl Capture {
    fn create(path: &PathBuf) -> Result<Self> {
        let say = |error| Misused(format!("cannot write {}: {error}", path.display()));
        let mut file = File::create(path).map_err(say)?;
        file.write_all(&pcap::file_header())?;
        Ok(Self { file, flows: HashMap::new() })
    }

    fn write(&mut self, traced: &Line, pdu: &[u8]) -> Result<()> {
        let (client, server) = if traced.we_listen { (traced.peer, traced.local) } else { (traced.local, traced.peer) };
        let flow = self.flows.entry(format!("{client} {server}")).or_insert_with(|| Flow::new(client, server));
        let from = if traced.received == traced.we_listen { pcap::From::Client } else { pcap::From::Server };
        let at = Duration::from_micros(u64::try_from(traced.at.timestamp_micros()).unwrap_or(0));
        let mut packets = Vec::new();
        flow.say(&mut packets, at, from, pdu);
        // Whole after every PDU: a trace that is broken off leaves a file that can be read.
        self.file.write_all(&packets).context("cannot write the capture")
    }
}
