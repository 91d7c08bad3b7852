//! `chappe rates`: a sheet is shown, approved, applied, undone and rejected.

use serde_json::{Value, json};

use super::{midnight, text};
use crate::api::rig::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn sheets_are_imported_and_taken_through_their_steps_on_the_command_line() {
    let rig = Rig::new().await;
    let (ann, bob) =
        (rig.person(rig.world.house, "ann@h.example").await, rig.person(rig.world.house, "bob@h.example").await);
    let run = async |token: &str, arguments: &[&str]| rig.chappe(token, &[&["rates"], arguments].concat()).await;
    let count = async || rig.world.count("SELECT count(*) FROM operator_rates").await;
    let folder = testkit::temp_dir();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let good = file("good.csv", "mcc;mnc;price\n436;;5\n436;01;6\n");
    let broken = file("broken.csv", "mcc;mnc;price\n437;;5\n437;01;much\n");
    rig.rules(&json!({"mapping": {"currency": "UZS"}})).await;
    let before = count().await;

    // It shows what would change, and changes nothing; rows without a date hold from when the command says.
    let from = text(midnight(3));
    let (done, told) = run(&rig.house, &["import", "Ucell", &good, "--dry-run", "--effective-from", &from]).await;
    assert!(done && told.contains("2 new") && told.contains(&from[..16]) && told.contains("is draft"), "{told}");
    let (done, told) = run(&rig.house, &["import", "Ucell", &good, "--effective-from", &from, "--json"]).await;
    assert!(done, "{told}");
    let shown: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&shown["sheet"]["state"], &shown["lines"][0]["effective_from"]), (&json!("draft"), &json!(from)));
    assert_eq!(count().await, before);

    // Each step says where the sheet is then.
    let id = shown["sheet"]["id"].as_str().unwrap();
    assert_eq!(run(&rig.house, &["apply", id]).await, (true, format!("{id} is applied\n")));
    assert_eq!(count().await, before + 2);
    assert_eq!(run(&rig.house, &["undo", id, "--reason", "a mistake"]).await, (true, format!("{id} is undone\n")));
    assert_eq!(count().await, before);
    let (done, told) = run(&rig.house, &["undo", id, "--reason", "again"]).await;
    assert!(!done && told.contains("the sheet is undone"), "{told}");

    // A broken row holds the sheet up, unless it is left out.
    let (done, told) = run(&rig.house, &["import", "Ucell", &broken, "--apply"]).await;
    assert!(!done && told.contains("is not applied"), "{told}");
    let (done, told) = run(&rig.house, &["import", "Ucell", &broken, "--apply", "--leave-out"]).await;
    assert!(done && told.contains("1 broken") && told.contains("is applied"), "{told}");
    assert_eq!(count().await, before + 1);
    let (done, told) = run(&rig.house, &["import", "Nobody", &good]).await;
    assert!(!done && told.contains("Nobody"), "{told}");

    // Where two people must, the one who uploaded it cannot approve it.
    let rules = json!({"mapping": {"currency": "UZS"}, "second_person": true});
    rig.call("PUT", &rig.rules_path(), Some(&ann), Some(&rules)).await.expect(200);
    let (done, told) = run(&ann, &["import", "Ucell", &good, "--effective-from", &from, "--whole", "--json"]).await;
    assert!(done, "{told}");
    let shown: Value = serde_json::from_str(&told).unwrap();
    assert!(shown["sheet"]["summary"]["closed"].as_u64().unwrap() > 0, "{told}");
    let id = shown["sheet"]["id"].as_str().unwrap();
    let (done, told) = run(&ann, &["approve", id]).await;
    assert!(!done && told.contains("may not approve"), "{told}");
    assert_eq!(run(&bob, &["approve", id]).await, (true, format!("{id} is approved\n")));
    assert_eq!(run(&bob, &["reject", id, "--reason", "late"]).await, (true, format!("{id} is rejected\n")));
}
