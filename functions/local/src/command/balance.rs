//! `chappe balance`: what the account has, holds and may spend.

use anyhow::Result;

use crate::cli::{Api, Common};
use crate::client::{Client, text};
use crate::output::{Output, print_json};

pub(crate) async fn run(common: &Common, api: Api, out: &Output) -> Result<()> {
    let balance = Client::new(common, &api)?.get("/v1/balance", &[]).await?;
    if out.is_json() {
        return print_json(&balance);
    }
    let members = ["available", "balance", "held", "credit_limit", "currency"];
    let row = members.map(|member| text(&balance, member).into());
    out.table(&members, vec![row.into()], "no balance");
    Ok(())
}
