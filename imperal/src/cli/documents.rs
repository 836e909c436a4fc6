//! `documents`: a user's documents for operators: lists, one document, export and import as JSON lines, deletes.
//!
//! The platform audits each of these requests. A line of an export is what an import takes.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Client, Needs};
use super::exit::{CliError, Exit};
use super::operator_args::{DocumentsAction, DocumentsArgs};
use super::out::{self, OutputStyle, Paint, count};
use super::table::{Cell, Table};
use super::{data, when};
use crate::app::App;
use crate::function::{Extension, Registry};
use crate::platform::{OperatorCollection, OperatorDocument, OperatorDocuments};
use crate::private_file;
use crate::server::local_user;

/// Documents and bytes of one import. The platform takes larger bytes, because a document may have 1 MiB.
const BATCH: usize = 100;
const BATCH_BYTES: usize = 512 << 10;
/// Longest line of an import.
const LINE: u64 = 3 << 20;
/// Longest value in a list.
const SHOWN: usize = 200;

#[derive(Deserialize)]
struct CollectionList {
    collections: Vec<OperatorCollection>,
}

#[derive(Deserialize)]
struct Changed {
    documents: u64,
}

/// Whose documents, of which extension.
struct Place {
    tenant: String,
    user: String,
    app: String,
}

/// `documents`.
pub(super) async fn documents(app: App, registry: Registry, args: DocumentsArgs) -> Result<Exit, CliError> {
    let place = Place::of(&args, &registry)?;
    let client = Client::connect(app, registry, &args.connect, Needs::Ledger).await?;
    let done = run(&client, &args, &place).await;
    client.close().await;
    done
}

async fn run(client: &Client, args: &DocumentsArgs, place: &Place) -> Result<Exit, CliError> {
    match args.action {
        DocumentsAction::List => match &args.collection {
            None => list_collections(client, args, place).await,
            Some(collection) => list_documents(client, args, place, collection).await,
        },
        DocumentsAction::Show => show(client, args, place).await,
        DocumentsAction::Export => export(client, args, place).await,
        DocumentsAction::Import => import(client, args, place).await,
        DocumentsAction::Delete => delete(client, args, place).await,
    }
}

impl Place {
    fn of(args: &DocumentsArgs, registry: &Registry) -> Result<Self, CliError> {
        let known: Vec<&str> = registry.extensions().map(Extension::app_id).collect();
        let app = match (&args.app, known.as_slice()) {
            (Some(app), _) => app.clone(),
            (None, [app]) => (*app).to_owned(),
            (None, several) => {
                return Err(CliError::usage(format!("choose an extension with --app: {}", several.join(", "))));
            }
        };
        let me = local_user();
        let (tenant, user) = match args.user.as_deref() {
            None if args.connect.url.is_some() => {
                return Err(CliError::usage("name the user of the documents: --user ID, or --user TENANT/ID"));
            }
            None => (me.tenant_id, me.id),
            Some(named) => match named.split_once('/') {
                Some((tenant, user)) => (tenant.to_owned(), user.to_owned()),
                None => (me.tenant_id, named.to_owned()),
            },
        };
        Ok(Self { tenant, user, app })
    }

    fn query(&self) -> String {
        let [tenant, user, app] = [&self.tenant, &self.user, &self.app].map(|text| encoded(text));
        format!("tenant={tenant}&user={user}&app={app}")
    }

    fn body(&self) -> Value {
        json!({ "tenant": self.tenant, "user": self.user, "app": self.app })
    }

    async fn collections(&self, client: &Client) -> Result<Vec<OperatorCollection>, CliError> {
        let CollectionList { collections } = client.get(&format!("/v1/operator/documents?{}", self.query())).await?;
        Ok(collections)
    }

    async fn page(
        &self,
        client: &Client,
        collection: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<OperatorDocuments, CliError> {
        let after = after.map_or_else(String::new, |after| format!("&after={}", encoded(after)));
        let (whose, collection) = (self.query(), encoded(collection));
        client.get(&format!("/v1/operator/documents/page?{whose}&collection={collection}&limit={limit}{after}")).await
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

async fn list_collections(client: &Client, args: &DocumentsArgs, place: &Place) -> Result<Exit, CliError> {
    let collections = place.collections(client).await?;
    if args.connect.json {
        collections.iter().for_each(out::print_json);
    } else if collections.is_empty() {
        let text = format!("{}/{} has no documents of {}.", place.tenant, place.user, place.app);
        out::print_line(&OutputStyle::of_stdout().sanitize_line(&text));
    } else {
        let style = OutputStyle::of_stdout();
        let mut table = Table::new(&["COLLECTION", "DOCUMENTS", "BYTES"]);
        for one in &collections {
            let numbers = [one.documents, one.bytes].map(|number| Cell::plain(number.to_string()));
            let [documents, bytes] = numbers;
            table.add_row([Cell::plain(&one.collection), documents, bytes]);
        }
        table.lines(style).iter().for_each(|line| out::print_line(line));
    }
    Ok(Exit::Success)
}

async fn list_documents(
    client: &Client,
    args: &DocumentsArgs,
    place: &Place,
    collection: &str,
) -> Result<Exit, CliError> {
    let (mut documents, mut after) = (Vec::new(), None::<String>);
    let limit = args.limit as usize;
    let has_more = loop {
        let page = place.page(client, collection, after.as_deref(), (limit - documents.len()).min(BATCH)).await?;
        documents.extend(page.documents);
        match page.next {
            Some(next) if documents.len() < limit => after = Some(next),
            next => break next.is_some(),
        }
    };
    if args.connect.json {
        documents.iter().for_each(out::print_json);
        return Ok(Exit::Success);
    }
    if documents.is_empty() {
        out::print_line("No document.");
        return Ok(Exit::Success);
    }
    let style = OutputStyle::of_stdout();
    let updated = if style.terminal { "UPDATED" } else { "UPDATED (UTC)" };
    let mut table = Table::new(&["ID", "VERSION", updated, "VALUE"]).spare(&["VERSION", "UPDATED"]);
    for one in &documents {
        table.add_row([
            Cell::plain(&one.id),
            Cell::painted(one.version.to_string(), Paint::Dim),
            Cell::painted(one.updated_at.map_or_else(String::new, |at| when::format_time(at, style)), Paint::Dim),
            match &one.unreadable {
                Some(_) => Cell::painted("cannot be read", Paint::Red),
                None => Cell::plain(crate::truncate::truncate_line(&one.value.to_string(), SHOWN)),
            },
        ]);
    }
    table.lines(style).iter().for_each(|line| out::print_line(line));
    if has_more {
        out::print_note("there are more: use -n, or export");
    }
    Ok(Exit::Success)
}

async fn show(client: &Client, args: &DocumentsArgs, place: &Place) -> Result<Exit, CliError> {
    let (Some(collection), [id]) = (&args.collection, &*args.ids) else {
        return Err(CliError::usage("name one document: documents show COLLECTION ID"));
    };
    let (whose, encoded_name, encoded_id) = (place.query(), encoded(collection), encoded(id));
    let path = format!("/v1/operator/documents/page?{whose}&collection={encoded_name}&id={encoded_id}");
    let mut found: OperatorDocuments = client.get(&path).await?;
    let Some(document) = found.documents.pop() else {
        return Err(CliError::refused(format!("there is no document {id} in {collection}")));
    };
    if args.connect.json {
        out::print_json(&document);
        return Ok(Exit::Success);
    }
    let style = OutputStyle::of_stdout();
    let time = |at: Option<jiff::Timestamp>| at.map_or_else(|| "never".to_owned(), |at| when::format_time(at, style));
    let head = format!(
        "{collection}/{id}  version {}, shape {}, written {}, expires {}",
        document.version,
        document.shape,
        time(document.updated_at),
        time(document.expires_at)
    );
    out::print_line(&style.sanitize_line(&head));
    if let Some(why) = &document.unreadable {
        return Err(CliError::refused(format!("its stored JSON cannot be read: {why}")));
    }
    for line in data::lines(&document.value, style) {
        out::print_line(&line);
    }
    Ok(Exit::Success)
}

async fn export(client: &Client, args: &DocumentsArgs, place: &Place) -> Result<Exit, CliError> {
    let names = match &args.collection {
        Some(collection) => vec![collection.clone()],
        None => place.collections(client).await?.into_iter().map(|one| one.collection).collect(),
    };
    let mut lines = Vec::new();
    let (mut written, mut unreadable) = (0, 0);
    for name in &names {
        let mut after = None;
        loop {
            let page = place.page(client, name, after.as_deref(), BATCH).await?;
            for document in &page.documents {
                if let Some(why) = &document.unreadable {
                    unreadable += 1;
                    let text = format!("{name}/{} cannot be read and is left out: {why}", document.id);
                    out::print_note(&OutputStyle::of_stderr().sanitize_line(&text));
                    continue;
                }
                written += 1;
                if args.file.is_some() {
                    serde_json::to_writer(&mut lines, document)?;
                    lines.push(b'\n');
                } else {
                    out::print_json(document);
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    if let Some(file) = &args.file {
        private_file::replace(file, &lines)
            .map_err(|error| CliError::refused(format!("cannot write {}: {error}", file.display())))?;
        out::print_note(&format!("wrote {} to {}", count(written, "document"), file.display()));
    }
    Ok(if unreadable > 0 { Exit::Failure } else { Exit::Success })
}

async fn import(client: &Client, args: &DocumentsArgs, place: &Place) -> Result<Exit, CliError> {
    let file = args.file.clone();
    let documents = tokio::task::spawn_blocking(move || read_lines(file.as_deref())).await??;
    if let Some(only) = &args.collection
        && let Some((line, other)) = documents.iter().find(|(_, one)| one.collection != *only)
    {
        let text = format!("line {line} is a document of {}: import it without naming {only}", other.collection);
        return Err(CliError::refused(text));
    }
    let (mut written, mut at) = (0, 0);
    while at < documents.len() {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for (_, document) in documents[at..].iter().take(BATCH) {
            let size = serde_json::to_string(document)?.len();
            if !batch.is_empty() && bytes + size > BATCH_BYTES {
                break;
            }
            bytes += size;
            batch.push(document);
        }
        let mut body = place.body();
        body["documents"] = json!(batch);
        body["replace"] = args.replace.into();
        let sent: Result<Changed, CliError> = client.post("/v1/operator/documents/import", &body).await;
        let done = sent.map_err(|error| {
            let lines = format!("lines {} to {}", documents[at].0, documents[at + batch.len() - 1].0);
            error.hint(format!("{lines} were not written, nor those after them; {} were", count(written, "document")))
        })?;
        written += done.documents;
        at += batch.len();
    }
    let expired = documents.len() as u64 - written;
    if args.connect.json {
        out::print_json(&json!({ "documents": written, "expired": expired }));
        return Ok(Exit::Success);
    }
    out::print_line(&format!("{} imported.", count(written, "document")));
    if expired > 0 {
        out::print_line(&format!("{} left out: their time is over.", count(expired, "document")));
    }
    Ok(Exit::Success)
}

/// The documents of a file or of standard input, with the numbers of their lines.
fn read_lines(file: Option<&Path>) -> Result<Vec<(usize, OperatorDocument)>, CliError> {
    let reader: Box<dyn Read> = match file {
        None => Box::new(std::io::stdin()),
        Some(path) if path.as_os_str() == "-" => Box::new(std::io::stdin()),
        Some(path) => {
            let opened = std::fs::File::open(path);
            Box::new(opened.map_err(|error| CliError::refused(format!("cannot read {}: {error}", path.display())))?)
        }
    };
    let (mut reader, mut documents) = (BufReader::new(reader), Vec::new());
    for number in 1.. {
        let mut line = Vec::new();
        let read = reader.by_ref().take(LINE).read_until(b'\n', &mut line);
        match read.map_err(|error| CliError::refused(format!("line {number} cannot be read: {error}")))? {
            0 => break,
            _ if line.trim_ascii().is_empty() => continue,
            _ => {}
        }
        let document = crate::json::read(&line)
            .map_err(|error| CliError::refused(format!("line {number} is no document: {error}")))?;
        documents.push((number, document));
    }
    Ok(documents)
}

async fn delete(client: &Client, args: &DocumentsArgs, place: &Place) -> Result<Exit, CliError> {
    let Some(collection) = &args.collection else {
        return Err(CliError::usage("name the collection: documents delete COLLECTION [ID..]"));
    };
    let ids = if args.ids.is_empty() { all_ids(client, place, collection).await? } else { args.ids.clone() };
    if !args.yes {
        let text = format!(
            "{} of {}/{} in {collection}. Add --yes to delete.",
            count(ids.len(), "document"),
            place.tenant,
            place.user
        );
        out::print_line(&OutputStyle::of_stdout().sanitize_line(&text));
        return Ok(Exit::Success);
    }
    let mut deleted = 0;
    for some in ids.chunks(BATCH) {
        let mut body = place.body();
        body["collection"] = collection.as_str().into();
        body["ids"] = json!(some);
        let done: Changed = client.post("/v1/operator/documents/delete", &body).await?;
        deleted += done.documents;
    }
    if args.connect.json {
        out::print_json(&json!({ "documents": deleted }));
    } else {
        out::print_line(&format!("{} deleted.", count(deleted, "document")));
    }
    Ok(Exit::Success)
}

async fn all_ids(client: &Client, place: &Place, collection: &str) -> Result<Vec<String>, CliError> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = place.page(client, collection, after.as_deref(), BATCH).await?;
        ids.extend(page.documents.into_iter().map(|one| one.id));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(ids),
        }
    }
}
