//! Fetching the file of an export. A download that breaks off goes on where it stopped, in this call and in a later one.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::time::timeout;

use crate::client::{ANSWER_LIMIT, Client, Refused, text};
use crate::progress::Progress;

/// Tries one after the other that bring nothing, then the download has failed.
const TRIES_MAX: u32 = 5;
/// How long a broken download waits before it goes on.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Fetches the file of the export `done` at `path` into `output`, or to standard output where there is none.
pub(super) async fn fetch(client: &Client, path: &str, done: &Value, output: Option<&Path>) -> Result<()> {
    let total = done.get("bytes").and_then(Value::as_u64).context("the answer does not tell the size")?;
    let mut sink = Sink::open(output, &text(done, "id"), total)?;
    // Standard output may be the terminal that the bar is drawn on.
    let mut progress = output.map(|_| Progress::new("fetching"));
    let mut show = |written| {
        if let Some(progress) = &mut progress {
            progress.show(written, total);
        }
    };
    let mut tries = 0;
    while sink.written < total {
        let before = sink.written;
        let broke = part(client, &format!("{path}/download"), &mut sink, &mut show).await?;
        tries = if sink.written > before { 0 } else { tries + 1 };
        match broke {
            Some(error) if tries == TRIES_MAX => return Err(error),
            Some(_) => tokio::time::sleep(AGAIN_AFTER).await,
            None if sink.written != total => bail!("the file has {} bytes and not {total}", sink.written),
            None => {}
        }
    }
    sink.close()
}

/// Fetches from where `sink` stands. Answers why it broke off where another try may go on.
async fn part(
    client: &Client,
    path: &str,
    sink: &mut Sink,
    show: &mut impl FnMut(u64),
) -> Result<Option<anyhow::Error>> {
    let mut answer = match client.download(path, sink.written).await {
        Ok(answer) => answer,
        Err(error) if error.is::<Refused>() => return Err(error),
        Err(error) => return Ok(Some(error)),
    };
    loop {
        match timeout(ANSWER_LIMIT, answer.chunk()).await {
            Ok(Ok(Some(chunk))) => sink.write(&chunk)?,
            Ok(Ok(None)) => return Ok(None),
            Ok(Err(error)) => return Ok(Some(anyhow::Error::new(error).context("the answer broke off"))),
            Err(error) => return Ok(Some(anyhow::Error::new(error).context("the answer stopped"))),
        }
        show(sink.written);
    }
}

/// Where a file goes: until it is whole, beside its place, under a name that tells of which export it is a part.
struct Sink {
    out: Box<dyn Write + Send>,
    written: u64,
    /// The part, and what it becomes.
    place: Option<(PathBuf, PathBuf)>,
}

impl Sink {
    /// Goes on behind what an earlier call left of the same export.
    fn open(output: Option<&Path>, id: &str, total: u64) -> Result<Self> {
        let Some(output) = output else {
            return Ok(Self { out: Box::new(std::io::stdout()), written: 0, place: None });
        };
        let mut name = output.file_name().context("the output is not the name of a file")?.to_owned();
        name.push(format!(".{id}.part"));
        let part = output.with_file_name(name);
        let cannot = || format!("cannot write {}", part.display());
        let file = File::options().create(true).append(true).open(&part).with_context(cannot)?;
        let mut written = file.metadata().with_context(cannot)?.len();
        if written > total {
            file.set_len(0).with_context(cannot)?;
            written = 0;
        }
        Ok(Self { out: Box::new(file), written, place: Some((part, output.to_owned())) })
    }

    fn write(&mut self, octets: &[u8]) -> Result<()> {
        self.out.write_all(octets).context("cannot write the file")?;
        self.written += u64::try_from(octets.len())?;
        Ok(())
    }

    /// The file is whole: it takes its name.
    fn close(mut self) -> Result<()> {
        self.out.flush().context("cannot write the file")?;
        let Some((part, output)) = self.place.take() else { return Ok(()) };
        fs::rename(&part, &output).with_context(|| format!("cannot write {}", output.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_goes_on_and_becomes_the_file_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("cdr.csv");
        let mut sink = Sink::open(Some(&output), "exp_1", 10).unwrap();
        sink.write(b"12345").unwrap();
        drop(sink);
        assert!(!output.exists());
        assert_eq!(Sink::open(Some(&output), "exp_2", 10).unwrap().written, 0, "another export begins anew");
        let mut sink = Sink::open(Some(&output), "exp_1", 10).unwrap();
        assert_eq!(sink.written, 5);
        sink.write(b"67890").unwrap();
        sink.close().unwrap();
        assert_eq!(fs::read(&output).unwrap(), b"1234567890");
    }
}
