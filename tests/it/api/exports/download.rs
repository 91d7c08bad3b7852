//! A file is fetched whole over a line that breaks, by who continues downloads and by the command line.

use std::time::Duration;

use axum::body::Body;
use chrono::{TimeDelta, Utc};
use http::{Request, header};
use serde_json::{Value, json};
use testkit::eventually;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::ROWS;
use crate::api::rig::{Answer, Rig};

impl Rig {
    async fn part(&self, path: &str, range: &str) -> Answer {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {}", self.client));
        self.raw(request.header(header::RANGE, range).body(Body::empty()).unwrap()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_goes_on_where_it_broke_off() {
    let rig = Rig::new().await;
    rig.cdrs().await;
    let path = rig.export(&rig.client, &json!({})).await;
    rig.export_all(400).await;
    let path = format!("{path}/download");
    let whole = rig.get(&rig.client, &path).await.expect(200).bytes;
    let bytes = whole.len();
    for from in [1, bytes / 2, bytes - 1] {
        let part = rig.part(&path, &format!("bytes={from}-")).await.expect(206);
        assert!(part.bytes == whole[from..], "{from}");
        assert_eq!(part.headers["content-range"], format!("bytes {from}-{}/{bytes}", bytes - 1));
    }
    for range in ["bytes=0-", "bytes=0-5", &format!("bytes={bytes}-")] {
        let all = rig.part(&path, range).await.expect(200);
        assert!(all.bytes == whole, "{range}");
    }
}

/// The API over HTTP, behind a line that goes dead after so many bytes of every connection's answers.
async fn over_a_bad_line(rig: &Rig, bytes: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, rig.router.clone()).into_future());
    let line = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", line.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((caller, _)) = line.accept().await {
            let api = TcpStream::connect(api).await.unwrap();
            tokio::spawn(async move {
                let ((mut asked, mut told), (answered, mut asks)) = (caller.into_split(), api.into_split());
                let asking = tokio::spawn(async move { tokio::io::copy(&mut asked, &mut asks).await });
                let _ = tokio::io::copy(&mut answered.take(bytes), &mut told).await;
                asking.abort();
            });
        }
    });
    url
}

async fn chappe(arguments: &[&str], url: &str, key: &str) -> std::process::Output {
    let mut command = tokio::process::Command::new(crate::chappe::binary::chappe());
    command.env_clear().args(arguments).args(["--url", url, "--key", key]).output().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_fetches_what_the_platform_made_over_a_line_that_breaks() {
    let rig = Rig::new().await;
    rig.cdrs().await;
    let url = over_a_bad_line(&rig, 400_000).await;
    let folder = testkit::temp_dir();
    let file = folder.path().join("cdr.csv");
    let (from, to) = (Utc::now() - TimeDelta::hours(1), Utc::now() + TimeDelta::hours(1));
    let (from, to, output) = (from.to_rfc3339(), to.to_rfc3339(), file.to_str().unwrap());
    let arguments = ["cdr", "export", "--from", &from, "--to", &to, "-o", output];
    let working = async {
        eventually(Duration::from_secs(30), async || rig.world.count("SELECT count(*) FROM exports").await == 1).await;
        rig.export_all(400).await;
    };
    let (said, ()) = tokio::join!(chappe(&arguments, &url, &rig.client), working);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), format!("{ROWS} records in {output}"));
    assert!(std::fs::metadata(&file).unwrap().len() > 800_000, "the line broke twice");
    assert_eq!(csv::Reader::from_path(&file).unwrap().into_records().count(), ROWS);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no part is left");

    let listed = chappe(&["exports", "--json"], &url, &rig.client).await;
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let id = listed["data"][0]["id"].as_str().unwrap();
    // What an earlier call left behind is not fetched again.
    let whole = std::fs::read(&file).unwrap();
    let left = [&b"x"[..], &whole[1..whole.len() - 10]].concat();
    std::fs::write(folder.path().join(format!("again.csv.{id}.part")), left).unwrap();
    let again = folder.path().join("again.csv");
    let said = chappe(&["cdr", "fetch", id, "-o", again.to_str().unwrap()], &url, &rig.client).await;
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(std::fs::read(&again).unwrap(), [&b"x"[..], &whole[1..]].concat());
    // Wrong arguments, and what the API will not do.
    let nowhere = folder.path().join("nowhere/cdr.csv");
    let rows: [(&[&str], i32); 4] = [
        (&["cdr", "fetch", id, "-o", nowhere.to_str().unwrap()], 64),
        (&["cdr", "export", "--from", &from], 64),
        (&["cdr", "export", "--from", &to, "--to", &from], 1),
        (&["cdr", "fetch", "exp_00000000000000000000000000"], 1),
    ];
    for (arguments, code) in rows {
        let said = chappe(arguments, &url, &rig.client).await;
        assert_eq!(said.status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&said.stderr));
    }
}
