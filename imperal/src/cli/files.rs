//! `files`: the caller's files: lists, downloads, uploads, deletes.
//!
//! Bytes are streamed both ways. A download never replaces a file unless its name was given.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc;

use super::client::{Client, Needs};
use super::exit::{CliError, Exit};
use super::out::{self, OutputStyle, Paint, count};
use super::table::{Cell, Table};
use super::user_args::{FilesAction, FilesArgs};
use super::when;
use crate::app::App;
use crate::function::{Extension, Registry};

/// Bytes that are read from a file at once.
const CHUNK: usize = 256 << 10;

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    file_id: String,
    name: String,
    content_type: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Page {
    files: Vec<Row>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Deleted {
    deleted: bool,
}

/// `files`.
pub(super) async fn files(app: App, registry: Registry, args: FilesArgs) -> Result<Exit, CliError> {
    let known: Vec<String> = registry.extensions().map(Extension::app_id).map(str::to_owned).collect();
    let needs = if args.action == FilesAction::Put { Needs::Nothing } else { Needs::Ledger };
    let client = Client::connect(app, registry, &args.connect, needs).await?;
    let done = match args.action {
        FilesAction::List => list(&client, &args).await,
        FilesAction::Get => get(&client, &args).await,
        FilesAction::Put => put(&client, &args, &known).await,
        FilesAction::Rm => remove(&client, &args).await,
    };
    client.close().await;
    done
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

async fn list(client: &Client, args: &FilesArgs) -> Result<Exit, CliError> {
    let (mut rows, mut after) = (Vec::new(), None::<String>);
    let limit = args.limit as usize;
    let has_more = loop {
        let app = args.app.as_deref().map_or_else(String::new, |app| format!("&app={}", encoded(app)));
        let from = after.map_or_else(String::new, |after| format!("&after={}", encoded(&after)));
        let most = (limit - rows.len()).min(1000);
        let page: Page = client.get(&format!("/v1/files?limit={most}{app}{from}")).await?;
        rows.extend(page.files);
        match page.next {
            Some(next) if rows.len() < limit => after = Some(next),
            next => break next.is_some(),
        }
    };
    if args.connect.json {
        rows.iter().for_each(out::print_json);
        return Ok(Exit::Success);
    }
    if rows.is_empty() {
        out::print_line("No file.");
        return Ok(Exit::Success);
    }
    let style = OutputStyle::of_stdout();
    let created = if style.terminal { "CREATED" } else { "CREATED (UTC)" };
    let mut table = Table::new(&["ID", "NAME", "TYPE", "BYTES", created, "STATE"]).spare(&["STATE", "CREATED"]);
    for row in &rows {
        table.add_row([
            Cell::plain(&row.file_id),
            Cell::plain(&row.name),
            Cell::plain(&row.content_type),
            Cell::plain(row.size.to_string()),
            Cell::painted(row.created_at.map_or_else(String::new, |at| when::format_time(at, style)), Paint::Dim),
            Cell::painted(row.state.clone().unwrap_or_default(), Paint::Dim),
        ]);
    }
    table.lines(style).iter().for_each(|line| out::print_line(line));
    if has_more {
        out::print_note("there are more: use -n");
    }
    Ok(Exit::Success)
}

/// The one id or file that the command names.
fn only<'a>(args: &'a FilesArgs, example: &str) -> Result<&'a str, CliError> {
    match &*args.names {
        [one] => Ok(one),
        _ => Err(CliError::usage(format!("name one: files {example}"))),
    }
}

async fn get(client: &Client, args: &FilesArgs) -> Result<Exit, CliError> {
    let path = format!("/v1/files/{}", encoded(only(args, "get ID")?));
    let mut answer = client.api().get_bytes(&path).await?;
    let file = args.file.clone();
    let (send, mut chunks) = mpsc::channel::<Bytes>(4);
    let to = file.clone();
    let writing = tokio::task::spawn_blocking(move || -> std::io::Result<u64> {
        let mut written = 0;
        let mut target: Box<dyn Write> = match &to {
            Some(path) => Box::new(std::fs::File::create(path)?),
            None => Box::new(std::io::stdout().lock()),
        };
        while let Some(bytes) = chunks.blocking_recv() {
            target.write_all(&bytes)?;
            written += bytes.len() as u64;
        }
        target.flush()?;
        Ok(written)
    });
    while let Some(bytes) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        if send.send(bytes).await.is_err() {
            break;
        }
    }
    drop(send);
    let shown = file.as_deref().map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
    let written = writing.await?.map_err(|error| CliError::refused(format!("cannot write {shown}: {error}")))?;
    if file.is_some() {
        out::print_note(&format!("wrote {} to {shown}", count(written, "byte")));
    }
    Ok(Exit::Success)
}

async fn put(client: &Client, args: &FilesArgs, known: &[String]) -> Result<Exit, CliError> {
    let path = PathBuf::from(only(args, "put FILE")?);
    let app = match (&args.app, known) {
        (Some(app), _) | (None, [app]) => app.clone(),
        (None, several) => {
            return Err(CliError::usage(format!("choose an extension with --app: {}", several.join(", "))));
        }
    };
    let name = match (&args.name, path.file_name()) {
        (Some(name), _) => name.clone(),
        (None, Some(name)) => name.to_string_lossy().into_owned(),
        (None, None) => return Err(CliError::usage("give the file a name with --name")),
    };
    let (size, body) = read(&path)?;
    let place = format!("/v1/files?app={}&name={}", encoded(&app), encoded(&name));
    let row: Row = client.api().upload(&place, args.content_type.as_deref(), size, body).await?;
    if args.connect.json {
        out::print_json(&row);
    } else {
        let text = format!("{}  {}, {}", row.file_id, row.name, count(row.size, "byte"));
        out::print_line(&OutputStyle::of_stdout().sanitize_line(&text));
        out::print_note("a call that takes this id keeps the file; without one it is removed after 24 hours");
    }
    Ok(Exit::Success)
}

/// The bytes of a file, read by a thread of its own.
fn read(path: &Path) -> Result<(u64, reqwest::Body), CliError> {
    let refused = |error: std::io::Error| CliError::refused(format!("cannot read {}: {error}", path.display()));
    let mut file = std::fs::File::open(path).map_err(refused)?;
    let about = file.metadata().map_err(refused)?;
    if !about.is_file() {
        return Err(CliError::refused(format!("{} is no file", path.display())));
    }
    let (send, chunks) = mpsc::channel::<std::io::Result<Bytes>>(4);
    drop(tokio::task::spawn_blocking(move || {
        loop {
            let mut chunk = vec![0; CHUNK];
            let next = match file.read(&mut chunk) {
                Ok(0) => return,
                Ok(read) => {
                    chunk.truncate(read);
                    Ok(Bytes::from(chunk))
                }
                Err(error) => Err(error),
            };
            let is_last = next.is_err();
            if send.blocking_send(next).is_err() || is_last {
                return;
            }
        }
    }));
    let stream = futures_util::stream::unfold(chunks, async |mut chunks| Some((chunks.recv().await?, chunks)));
    Ok((about.len(), reqwest::Body::wrap_stream(stream)))
}

async fn remove(client: &Client, args: &FilesArgs) -> Result<Exit, CliError> {
    if args.names.is_empty() {
        return Err(CliError::usage("name the files: files rm ID.."));
    }
    let mut removed = 0_u64;
    for id in &args.names {
        let done: Deleted = client.delete(&format!("/v1/files/{}", encoded(id))).await?;
        removed += u64::from(done.deleted);
    }
    if args.connect.json {
        out::print_json(&json!({ "files": removed }));
    } else {
        out::print_line(&format!("{} deleted.", count(removed, "file")));
    }
    Ok(Exit::Success)
}
