//! `chappe smsc`: the simulated operator on its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use smsc::{Account, Config, Format, Mobile, Outcomes, Profile, Refusal, Smsc, Tls};

use crate::exit::Misused;
use crate::output::line;
use crate::signals;

const EXAMPLES: &str = "\
Examples:
  chappe smsc                                                 a good operator on port 2775 that takes every bind
  chappe smsc --account chappe:secret --latency-ms 50 --receipt-delay-ms 2000
  chappe smsc --refuse 0x58=200 --undelivered-per-mille 30    every fifth submit throttled, 3 % undelivered
  chappe smsc --profile vendor.json                           every quirk that an operator can have, from a file
  chappe smsc --mobile chappe:998901234567:1234:STOP          a handset writes as soon as chappe can receive
  chappe smsc --tls-cert cert.pem --tls-key key.pem           SMPP over TLS
  chappe smsc --config operator.json --report 5               everything else; a line of counters every 5 s

Profiles are described in crates/smsc/README.md; examples are in crates/smsc/profiles. The configuration is JSON with the members of smsc::Config; options win over it. Statuses are those of SMPP 3.4:
0x58 is ESME_RTHROTTLED, 0x0b ESME_RINVDSTADR, 0x08 ESME_RSYSERR.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Where to listen; port 0 takes a free one
    #[arg(long, env = "CHAPPE_SMSC_ADDR", value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// A JSON file with everything that can be set
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A JSON file that says how it behaves; wins over the configuration's profile
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// The certificate (PEM, with those between it and its root) for TLS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Authorities (PEM) of the certificates that clients then must have
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
    /// A message from a handset, sent as soon as the account can receive; again for each
    #[arg(long, value_name = "SYSTEM_ID:FROM:TO:TEXT", value_parser = parse_mobile)]
    mobile: Vec<(String, Mobile)>,
    /// Who may bind, again for each; without it everybody may
    #[arg(long, value_name = "SYSTEM_ID:PASSWORD", value_parser = parse_account)]
    account: Vec<Account>,
    /// Time from a submit to its answer
    #[arg(long, value_name = "MS")]
    latency_ms: Option<u64>,
    /// At most this much is added to the latency, by chance
    #[arg(long, value_name = "MS")]
    jitter_ms: Option<u64>,
    /// Submits per second and bind before they are throttled
    #[arg(long, value_name = "COUNT")]
    submits_per_second: Option<u32>,
    /// Refuse a share of submits, in thousandths, with a status
    #[arg(long, value_name = "STATUS=PER_MILLE", value_parser = parse_refusal)]
    refuse: Vec<Refusal>,
    /// Time from a submit to its receipt
    #[arg(long, value_name = "MS")]
    receipt_delay_ms: Option<u64>,
    /// What receipts look like
    #[arg(long, value_enum)]
    receipt_format: Option<ReceiptFormat>,
    /// Send no receipts
    #[arg(long)]
    no_receipts: bool,
    /// The share of receipts that say UNDELIV, in thousandths
    #[arg(long, value_name = "PER_MILLE")]
    undelivered_per_mille: Option<u32>,
    /// The share of messages without any receipt, in thousandths
    #[arg(long, value_name = "PER_MILLE")]
    silent_per_mille: Option<u32>,
    /// Print the counters as a line of JSON every so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    report: Option<u64>,
}

/// What receipts look like.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ReceiptFormat {
    /// The text of the specification's appendix B, and TLVs
    Standard,
    /// The same text without TLVs
    TextOnly,
    /// TLVs and no text
    TlvOnly,
    /// Few keys, no TLVs
    Terse,
    /// Keys in another order and case
    Reordered,
}

impl ReceiptFormat {
    fn format(self) -> Format {
        match self {
            Self::Standard => Format::Standard,
            Self::TextOnly => Format::TextOnly,
            Self::TlvOnly => Format::TlvOnly,
            Self::Terse => Format::Terse,
            Self::Reordered => Format::Reordered,
        }
    }
}

fn parse_account(text: &str) -> Result<Account, String> {
    let (system_id, password) = text.split_once(':').ok_or("expected system_id:password")?;
    Ok(Account::new(system_id, password))
}

fn parse_mobile(text: &str) -> Result<(String, Mobile), String> {
    let parts: Vec<&str> = text.splitn(4, ':').collect();
    let &[system_id, from, to, text] = parts.as_slice() else {
        return Err("expected system_id:from:to:text".to_owned());
    };
    Ok((system_id.to_owned(), Mobile::new(from, to, text)))
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn parse_refusal(text: &str) -> Result<Refusal, String> {
    let (status, per_mille) = text.split_once('=').ok_or("expected status=per_mille, such as 0x58=200")?;
    let status = match status.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => status.parse(),
    };
    let status = status.map_err(|_| "the status is a number, such as 0x58 or 88")?;
    let per_mille = per_mille.parse().map_err(|_| "the share is a number of thousandths")?;
    Ok(Refusal { status, per_mille })
}

impl Options {
    /// The file's configuration with the options on top.
    fn configuration(self) -> Result<Config> {
        let mut config = match &self.config {
            Some(file) => {
                Config::from_json(&read(file)?).map_err(|error| Misused(format!("{}: {error}", file.display())))?
            }
            None => Config { listen: SocketAddr::from(([127, 0, 0, 1], 2775)), ..Config::default() },
        };
        config.listen = self.listen.unwrap_or(config.listen);
        config.accounts.extend(self.account);
        if let Some(file) = &self.profile {
            let profile = Profile::from_json(&read(file)?);
            config.profile = profile.map_err(|problems| Misused(format!("{}:\n{problems}", file.display())))?;
        }
        if let Some((certificate, key)) = self.tls_cert.zip(self.tls_key) {
            let client_ca_pem = self.tls_client_ca.as_deref().map(read).transpose()?;
            config.tls = Some(Tls { certificate_pem: read(&certificate)?, key_pem: read(&key)?, client_ca_pem });
        }
        let profile = &mut config.profile;
        profile.latency_ms = self.latency_ms.unwrap_or(profile.latency_ms);
        profile.jitter_ms = self.jitter_ms.unwrap_or(profile.jitter_ms);
        profile.submits_per_second_max = self.submits_per_second.or(profile.submits_per_second_max);
        profile.refusals.extend(self.refuse);
        let receipts = &mut profile.receipts;
        receipts.enabled &= !self.no_receipts;
        receipts.delay_ms = self.receipt_delay_ms.unwrap_or(receipts.delay_ms);
        receipts.format = self.receipt_format.map_or(receipts.format, ReceiptFormat::format);
        let outcomes: &mut Outcomes = &mut receipts.outcomes;
        outcomes.undelivered_per_mille = self.undelivered_per_mille.unwrap_or(outcomes.undelivered_per_mille);
        outcomes.silent_per_mille = self.silent_per_mille.unwrap_or(outcomes.silent_per_mille);
        config.profile.check().map_err(|problems| Misused(problems.to_string()))?;
        Ok(config)
    }
}

pub(crate) async fn run(mut options: Options) -> Result<()> {
    let mobile = std::mem::take(&mut options.mobile);
    let report_every = options.report.map(Duration::from_secs);
    let config = options.configuration()?;
    let listen = config.listen;
    let operator = Smsc::start(config).await.map_err(|error| Misused(format!("cannot start on {listen}: {error}")))?;
    for (system_id, mobile) in mobile {
        let sent = operator.send_mo(&system_id, &mobile);
        sent.map_err(|error| Misused(format!("cannot send to {system_id}: {error}")))?;
    }
    line(&format!("simulated operator on {}; Ctrl-C stops it", operator.addr()));
    tokio::select! {
        () = signals::stop() => {}
        () = report(&operator, report_every) => {}
    }
    line(&serde_json::to_string(&operator.counters())?);
    operator.stop().await;
    Ok(())
}

/// Prints the counters now and then, for ever.
async fn report(operator: &Smsc, every: Option<Duration>) {
    let Some(every) = every else { return std::future::pending().await };
    loop {
        tokio::time::sleep(every).await;
        line(&serde_json::to_string(&operator.counters()).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_read_in_either_base() {
        let rows = [("0x58=200", Some((88, 200))), ("11=5", Some((11, 5))), ("58", None), ("x=1", None), ("1=x", None)];
        for (text, expected) in rows {
            let read = parse_refusal(text).ok().map(|refusal| (refusal.status, refusal.per_mille));
            assert_eq!(read, expected, "{text}");
        }
    }
}
