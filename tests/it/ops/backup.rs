//! A backup under load, and a restore into a server that has never seen the platform.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use testkit::eventually;

use crate::chappe::{Backend, Chappe, Company, Leftovers, Load, ON_SUBMIT, OperatorIs, binary, smsc};

/// Messages that are on their way around the backup.
const MESSAGES: u64 = 1_000;
/// Everything that was open has ended by then.
const END: Duration = Duration::from_mins(2);
/// A moment under load comes by then.
const MOMENT: Duration = Duration::from_mins(1);
/// Slow enough that much is still open at the backup.
const CARRIER: OperatorIs =
    OperatorIs { binds: 2, window: 10, tps: 200, ..OperatorIs::simple("Ucell", ON_SUBMIT, "50") };

/// A script of infra/backup on the database at `url`; answers what it printed.
fn script(name: &str, argument: &Path, url: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/backup").join(name);
    let mut command = Command::new(script);
    command.arg(argument).env("DATABASE_URL", url).env("CHAPPE", binary::chappe());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_restores_to_right_books_and_open_messages_come_to_an_end() {
    let (chappe, dir) = (Chappe::durable_on(Backend::Postgres).await, testkit::temp_dir());
    let company = Company::found(&chappe).await;
    let carrier = smsc(smsc::Profile::default()).await;
    company.operator(&carrier, CARRIER).await;
    let (load, url) = (Load::new(MESSAGES), chappe.server().url());
    let (dump, ()) = tokio::join!(
        async {
            eventually(MOMENT, async || carrier.counters().accepted >= 200).await;
            let (folder, url) = (dir.path().to_owned(), url.clone());
            tokio::task::spawn_blocking(move || script("backup.sh", &folder, &url)).await.unwrap()
        },
        load.run(&company.sender)
    );
    let accepted = chappe.count("SELECT count(*) FROM messages").await;
    // The host is gone, with everything that came after the backup.
    drop(chappe);

    let server = testkit::durable_postgres().await;
    let (dump, url) = (std::path::PathBuf::from(dump.trim()), server.url());
    tokio::task::spawn_blocking(move || script("restore.sh", &dump, &url)).await.unwrap();
    let restored = Chappe::on_this_server(server).await;
    let kept = restored.count("SELECT count(*) FROM messages").await;
    assert!((200..=accepted).contains(&kept), "{kept} of {accepted} messages were kept");
    // What was open goes on; what the operator had taken before waits for receipts that went to the lost host.
    let open = "SELECT count(*) FROM messages WHERE state_rank < 8 AND state <> 'sent'";
    eventually(END, async || restored.count(open).await == 0).await;
    restored.execute("UPDATE messages SET due_at = now() WHERE state = 'sent'").await;
    restored.until_ended(END).await;
    // What was sent between the backup and the end is sent again, and some receipts come for messages that are lost.
    restored.assert_settled(END, Leftovers { receipts: true }).await;
}
