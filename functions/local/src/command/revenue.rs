//! `chappe revenue`: what a seller earned, and how it goes out.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

use crate::cli::{Api, Common};
use crate::client::{Client, list, text};
use crate::output::{Mood, Output, Value, print_json};

const EXAMPLES: &str = "\
Examples:
  chappe revenue                                           earned, paid out and open, by currency
  chappe revenue credit 300.00 --reason \"earned in November\"
  chappe revenue payout acc_01k2v7p0w3c4b8e9s6m1f5h7ja 300.00 --reference \"bank order 4711\"

A seller puts what it earned into its own wallet; the house records what it paid to a seller outside. Neither exceeds what
is open.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    api: Api,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put what was earned into the own wallet
    Credit {
        /// How much, in the currency of the wallet
        amount: String,
        /// Why; it stands on the statement
        #[arg(long)]
        reason: String,
        /// A customer that paid outside: the money goes on into its wallet
        #[arg(long)]
        account: Option<String>,
        #[command(flatten)]
        api: Api,
    },
    /// Record that what a seller earned was paid to it outside
    Payout {
        /// The seller
        account: String,
        /// How much, in the currency of its wallet
        amount: String,
        /// How the payment is found again
        #[arg(long)]
        reference: String,
        #[command(flatten)]
        api: Api,
    },
}

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    match options.command {
        None => balance(&Client::new(common, &options.api)?, out).await,
        Some(Command::Credit { amount, reason, account, api }) => {
            let mut body = json!({"amount": amount, "reason": reason});
            if let Some(account) = account {
                body["account_id"] = json!(account);
            }
            moved(&Client::new(common, &api)?.post("/v1/revenue-balance/credits", &body).await?, out)
        }
        Some(Command::Payout { account, amount, reference, api }) => {
            let body = json!({"amount": amount, "reference": reference});
            moved(&Client::new(common, &api)?.post(&format!("/v1/accounts/{account}/payouts"), &body).await?, out)
        }
    }
}

async fn balance(client: &Client, out: &Output) -> Result<()> {
    let balance = client.get("/v1/revenue-balance", &[]).await?;
    if out.is_json() {
        return print_json(&balance);
    }
    let row = |one: &Json| -> Vec<Value> {
        let open = text(one, "open");
        let mood = if open.starts_with('-') { Mood::Bad } else { Mood::Good };
        let cells = ["currency", "earned", "paid_out", "uncollected"].map(|name| text(one, name).into());
        cells.into_iter().chain([Value::with(mood, &open)]).collect()
    };
    let rows = list(&balance, "data").iter().map(row).collect();
    out.table(&["currency", "earned", "paid out", "uncollected", "open"], rows, "nothing was earned yet");
    Ok(())
}

/// The sides of what went out.
fn moved(moved: &Json, out: &Output) -> Result<()> {
    if out.is_json() {
        return print_json(moved);
    }
    let names = ["kind", "account_id", "amount", "currency", "reason", "id"];
    let row = |side: &Json| -> Vec<Value> { names.map(|name| text(side, name).into()).into() };
    out.table(&names, list(moved, "transactions").iter().map(row).collect(), "nothing moved");
    Ok(())
}
