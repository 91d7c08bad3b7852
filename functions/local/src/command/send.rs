//! `chappe send`: one message over the HTTP API.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::{Api, Common};
use crate::client::{Client, money, text};
use crate::output::{Output, line, print_json};

const EXAMPLES: &str = "\
Examples:
  chappe send --to +998901234567 \"Hello\"
  chappe send --to +998931234567 --from 1234 --reference order-7 \"Your code is 4711\"
  chappe send --to +998991234567 --status-url https://example.com/sms \"Salom\" --json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The recipient: +998901234567, 00998901234567 or 998901234567
    #[arg(long)]
    to: String,
    /// The sender ID that the handset shows; it must be approved for the account
    #[arg(long, default_value = "TestCompany")]
    from: String,
    /// Your own reference, to find the message by
    #[arg(long)]
    reference: Option<String>,
    /// What kind of traffic it is, for prices and routes: otp, transactional, marketing, ...
    #[arg(long, value_name = "NAME")]
    traffic_class: Option<String>,
    /// The name of the template that the text was made of
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// Do not submit after this many seconds
    #[arg(long, value_name = "SECONDS")]
    validity: Option<u32>,
    /// The webhook that is told every change of state
    #[arg(long, value_name = "URL")]
    status_url: Option<String>,
    /// Refuse the message where it would cost more than this
    #[arg(long, value_name = "AMOUNT")]
    max_price: Option<String>,
    /// What the message says
    text: String,
    #[command(flatten)]
    api: Api,
}

impl Options {
    /// The request, without what was not asked for.
    fn request(&self) -> Value {
        let mut request = json!({ "to": self.to, "from": self.from, "text": self.text });
        let optional = [
            ("client_reference", self.reference.as_ref().map(|text| json!(text))),
            ("traffic_class", self.traffic_class.as_ref().map(|name| json!(name))),
            ("template", self.template.as_ref().map(|name| json!(name))),
            ("validity_seconds", self.validity.map(|seconds| json!(seconds))),
            ("status_url", self.status_url.as_ref().map(|url| json!(url))),
            ("max_price", self.max_price.as_ref().map(|amount| json!(amount))),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                request[name] = value;
            }
        }
        request
    }
}

pub(crate) async fn run(common: &Common, options: Options, out: &Output) -> Result<()> {
    let client = Client::new(common, &options.api)?;
    let message = client.post("/v1/messages", &options.request()).await?;
    if out.is_json() {
        return print_json(&message);
    }
    let row = vec![
        text(&message, "id").into(),
        text(&message, "state").into(),
        text(&message, "segments").into(),
        text(&message, "encoding").into(),
        text(&message, "mcc_mnc").into(),
        money(&message, "cost").into(),
    ];
    out.table(&["id", "state", "segments", "encoding", "network", "cost"], vec![row], "");
    line(&format!("\nWhat becomes of it: chappe messages {}", text(&message, "id")));
    Ok(())
}
