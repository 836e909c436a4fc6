//! `ctx.documents(..)`: state that an extension keeps for its user.
//!
//! A document belongs to the user of the call; there is no way to name another. In a step of a durable task, writes
//! become visible with the step, and to the step itself at once.

mod answer;
mod change;
mod find;
mod pauses;
mod plan;
mod schema;
mod step;
mod stored;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::change::{ChangeKind, conflicting, exists, newer, not_found, of_document, patched, step_needed};
use super::Context;
use crate::codes;
use crate::error::Error;
use crate::result::{Result, storable};
use crate::rows::document_key::DOCUMENT_ID;
use crate::rows::{Expected, Expiry, StoredDocument};

pub(crate) use self::change::{Change, DocumentsWritten, merge_again, to_writes};
pub use self::find::{Cursor, Find, Found, UnreadableDocument};
pub use self::schema::Collection;
pub(crate) use self::schema::Schema;
pub(crate) use self::step::StepDocuments;
use self::step::is_unstored;
pub use self::stored::Document;
use self::stored::{decode, overlaid};

/// How often an update is tried whose document changes meanwhile.
const UPDATE_TRIES: u32 = 16;

/// A type of documents: any that serde writes and reads.
pub trait DocumentValue: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> DocumentValue for T {}

impl Context {
    /// The user's documents of a collection.
    ///
    /// They belong to this extension and the user of the call. A handler and a background task write each document in a
    /// transaction of its own, until the reply or the end. In a durable task, write in a step: what the step writes
    /// becomes visible together with its result, or not at all, and a body that runs again writes nothing twice.
    ///
    /// ```
    /// # use imperal::{prelude::*, documents::Collection};
    /// # #[derive(Serialize, Deserialize)] struct Package { name: String, status: String }
    /// const PACKAGES: Collection<Package> = Collection::new("packages").index(["status", "name"]);
    ///
    /// # async fn example(ctx: Context) -> Result<()> {
    /// let packages = ctx.documents(&PACKAGES);
    /// let id = packages.create(&Package { name: "Spring".into(), status: "draft".into() }).await?;
    /// packages.update(&id, |package| package.status = "ready".into()).await?;
    /// let ready = packages.find().eq("status", "ready").order_by("name").limit(20).await?;
    /// assert_eq!(ready.documents[0].name, "Spring");
    /// # Ok(()) }
    /// ```
    pub fn documents<T: DocumentValue>(&self, collection: &Collection<T>) -> Documents<T> {
        Documents { ctx: self.clone(), schema: collection.schema, expiry: None, of: std::marker::PhantomData }
    }
}

/// The user's documents of a collection. Made by [`Context::documents`].
pub struct Documents<T> {
    ctx: Context,
    schema: Schema,
    expiry: Option<Duration>,
    of: std::marker::PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Documents<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents").field("collection", &self.schema.name).finish_non_exhaustive()
    }
}

impl<T: DocumentValue> Documents<T> {
    /// What this writes is kept for this long; a patch or an update sets the time anew. Without it documents are kept
    /// until they are deleted.
    #[must_use]
    pub fn expires_in(self, time: Duration) -> Self {
        Self { expiry: Some(time), ..self }
    }

    /// Adds a document under a new id, which it returns. Ids of later documents are greater.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn create(&self, value: &T) -> Result<String> {
        let id = uuid::Uuid::now_v7().to_string();
        self.insert_at(&id, value, true).await?;
        Ok(id)
    }

    /// Adds a document under an id of 1 to 512 bytes.
    ///
    /// # Errors
    /// `DOCUMENT_EXISTS` if there is one; else as [`put`](Self::put).
    pub async fn insert(&self, id: &str, value: &T) -> Result<()> {
        self.insert_at(id, value, false).await
    }

    async fn insert_at(&self, id: &str, value: &T, is_new_id: bool) -> Result<()> {
        let change = self.change(id, Expected::Absent, self.put_of(id, value, self.new_expiry())?)?;
        let Some(step) = self.step_to_write()? else { return self.write(change).await.map(drop) };
        if !is_new_id && self.look(id, false).await?.is_some() {
            return Err(exists(&self.schema, id));
        }
        let expected = match (step.own(self.schema.name, id), step.expected(self.schema.name, id)) {
            (None, Expected::Any) => Expected::Absent,
            (_, read) => read,
        };
        step.add(Change { expected, ..change })
    }

    /// The document with this id.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the ledger cannot be read; `DOCUMENT_UNREADABLE` for one that does not fit the type.
    pub async fn get(&self, id: &str) -> Result<Option<Document<T>>> {
        self.ctx.check_active()?;
        match self.read(id).await? {
            Some(stored) => self.decode(stored).map(Some),
            None => Ok(None),
        }
    }

    /// Writes a document, whatever is stored under the id. In a step that has read the document, the step fails with
    /// `DOCUMENT_CONFLICT` if it was changed since.
    ///
    /// # Errors
    /// `DOCUMENT_TOO_LARGE` over 1 MiB as JSON; `DOCUMENTS_EXCEEDED` over the user's limits; `DOCUMENT_NEWER` for a
    /// document that a newer version of the program wrote; `STEP_NEEDED` in a durable task outside of a step;
    /// `UNAVAILABLE` when the ledger cannot write; [`Error::cancelled`] when the work was cancelled or is over. Nothing
    /// was written then.
    pub async fn put(&self, id: &str, value: &T) -> Result<()> {
        let kind = self.put_of(id, value, self.new_expiry())?;
        let Some(step) = self.step_to_write()? else {
            let stored = self.committed(id).await?;
            self.check_shape(id, stored.as_ref())?;
            let change = self.change(id, Expected::Any, kind)?;
            return self.write(Change { before: Some(version_of(stored.as_ref())), ..change }).await.map(drop);
        };
        self.check_shape(id, self.look(id, false).await?.as_ref())?;
        step.add(self.change(id, step.expected(self.schema.name, id), kind)?)
    }

    /// Writes a document that was read and changed.
    ///
    /// # Errors
    /// `DOCUMENT_CONFLICT` if it was changed since it was read; else as [`put`](Self::put).
    pub async fn save(&self, document: &Document<T>) -> Result<()> {
        let Document { id, version, value, .. } = document;
        let kind = self.put_of(id, value, self.kept_expiry())?;
        let Some(step) = self.step_to_write()? else {
            self.check_shape(id, self.committed(id).await?.as_ref())?;
            return self.write(self.change(id, Expected::Version(*version), kind)?).await.map(drop);
        };
        let there = self.look(id, false).await?;
        self.check_shape(id, there.as_ref())?;
        let is_as_read = there.is_some_and(|there| there.version == *version)
            && (is_unstored(*version) || step.note_read(self.schema.name, id, *version) == *version);
        if !is_as_read {
            return Err(conflicting(&self.schema, id));
        }
        step.add(self.change(id, step.expected(self.schema.name, id), kind)?)
    }

    /// Sets these fields of a document and leaves the others. `fields` is an object, for example `json!({"status":
    /// "ready"})`. It is merged with what is stored when it is written, so it never conflicts, and it keeps fields that
    /// this program does not know.
    ///
    /// # Errors
    /// `NOT_FOUND` if there is no document; `DOCUMENT_UNREADABLE` for one that is no object; else as [`put`](Self::put).
    pub async fn patch(&self, id: &str, fields: impl Serialize) -> Result<()> {
        let fields = match storable(&fields) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => return Err(Error::internal("the fields of a patch are no object")),
            Err(why) => return Err(Error::internal(format!("the fields of a patch cannot be stored as JSON: {why}"))),
        };
        let (expiry, mut bytes) = (self.kept_expiry(), 0);
        if self.step_to_write()?.is_some() {
            let there = self.look(id, false).await?.ok_or_else(|| not_found(&self.schema, id))?;
            bytes = patched(&self.schema, &there, &fields, expiry)?.body.len();
        }
        self.write(self.change(id, Expected::Any, ChangeKind::Patch { fields, expiry, bytes })?).await.map(drop)
    }

    /// Reads a document, changes it and writes it. `change` runs again if the document was changed meanwhile; in a step
    /// the step fails with `DOCUMENT_CONFLICT` instead, which [`retrying`](crate::TaskContext::retrying) repeats.
    ///
    /// # Errors
    /// `NOT_FOUND` if there is no document; `DOCUMENT_CONFLICT`; else as [`put`](Self::put).
    pub async fn update(&self, id: &str, change: impl FnMut(&mut T) + Send) -> Result<T> {
        self.update_from(id, None, change).await
    }

    /// As [`update`](Self::update), but begins with the default value if there is no document: for settings.
    ///
    /// ```
    /// # use imperal::{prelude::*, documents::Collection};
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct Settings { pages: Vec<String> }
    /// const SETTINGS: Collection<Settings> = Collection::new("settings");
    ///
    /// # async fn example(ctx: Context, page: String) -> Result<()> {
    /// let settings = ctx.documents(&SETTINGS);
    /// settings.update_or_default("settings", |settings| settings.pages.push(page.clone())).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `DOCUMENT_CONFLICT`; else as [`put`](Self::put).
    pub async fn update_or_default(&self, id: &str, change: impl FnMut(&mut T) + Send) -> Result<T>
    where
        T: Default,
    {
        self.update_from(id, Some(T::default), change).await
    }

    /// Changes a document, or what `absent` makes in its place.
    async fn update_from(
        &self,
        id: &str,
        absent: Option<fn() -> T>,
        mut change: impl FnMut(&mut T) + Send,
    ) -> Result<T> {
        let step = self.step_to_write()?;
        for tried in 1.. {
            let (read, expiry, mut value) = match (self.read(id).await?, absent) {
                (Some(there), _) => {
                    self.check_shape(id, Some(&there))?;
                    (Expected::Version(there.version), self.kept_expiry(), self.decode(there)?.value)
                }
                (None, Some(make)) => (Expected::Absent, self.new_expiry(), make()),
                (None, None) => return Err(not_found(&self.schema, id)),
            };
            // A step may have decided by the version that it read first.
            let expected = step.as_ref().map_or(read, |step| step.expected(self.schema.name, id));
            change(&mut value);
            let kind = self.put_of(id, &value, expiry)?;
            match self.write(self.change(id, expected, kind)?).await {
                Err(error) if was_changed(&error) && step.is_none() && tried < UPDATE_TRIES => {}
                written => return written.map(|_| value),
            }
        }
        Err(Error::internal("an update was tried without end"))
    }

    /// Deletes a document; whether there was one.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn delete(&self, id: &str) -> Result<bool> {
        let in_step = self.step_to_write()?.is_some();
        let there = self.look(id, false).await?;
        if there.is_none() {
            return Ok(false);
        }
        let change = self.change(id, Expected::Any, ChangeKind::Delete)?;
        let existed = self.write(Change { before: Some(version_of(there.as_ref())), ..change }).await?;
        Ok(existed || in_step)
    }

    /// Begins a query.
    pub fn find(&self) -> Find<T> {
        Find::new(Self { ctx: self.ctx.clone(), ..*self })
    }

    fn put_of(&self, id: &str, value: &T, expiry: Expiry) -> Result<ChangeKind> {
        ChangeKind::put(&self.schema, id, &self.to_json(id, value)?, expiry)
    }

    fn new_expiry(&self) -> Expiry {
        self.expiry.map_or(Expiry::Never, Expiry::In)
    }

    fn kept_expiry(&self) -> Expiry {
        self.expiry.map_or(Expiry::Keep, Expiry::In)
    }

    /// A value as JSON that this program can read again.
    fn to_json(&self, id: &str, value: &T) -> Result<Value> {
        let json = storable(value).and_then(|json| {
            let read = T::deserialize(&json);
            read.map_err(|error| format!("its JSON does not fit its type again: {error}")).map(|_| json)
        });
        json.map_err(|why| Error::internal(of_document(&self.schema, id, &format!("cannot be stored as JSON: {why}"))))
    }

    fn change(&self, id: &str, expected: Expected, kind: ChangeKind) -> Result<Change> {
        if id.is_empty() || id.len() > DOCUMENT_ID {
            return Err(Error::internal(format!(
                "the id of a document has 1 to {DOCUMENT_ID} bytes, not {}",
                id.len()
            )));
        }
        Ok(Change { schema: self.schema, id: id.to_owned(), expected, before: None, kind })
    }

    fn check_shape(&self, id: &str, there: Option<&StoredDocument>) -> Result<()> {
        match there.map(|there| there.shape).filter(|shape| *shape > self.schema.shape) {
            Some(shape) => Err(newer(&self.schema, id, shape)),
            None => Ok(()),
        }
    }

    /// The step that a write belongs to; `None` in a handler or a background task.
    fn step_to_write(&self) -> Result<Option<Arc<StepDocuments>>> {
        self.ctx.check_active()?;
        if !self.ctx.keeps_documents() {
            return Err(step_needed(&self.schema));
        }
        Ok(self.ctx.step_documents())
    }

    /// Whether there was a document before.
    async fn write(&self, change: Change) -> Result<bool> {
        if let Some(step) = self.step_to_write()? {
            step.add(change)?;
            return Ok(false);
        }
        let (host, origin) = (&self.ctx.services().host, self.ctx.origin());
        let _in_flight = self.ctx.in_flight();
        let changes = [change];
        loop {
            let writes = to_writes(&changes, |collection, ids| host.read_documents(origin, collection, ids)).await?;
            match host.write_documents(origin, writes).await? {
                DocumentsWritten::Written(written) => {
                    self.ctx.signal().touch();
                    return Ok(written.first().is_some_and(|one| one.existed));
                }
                DocumentsWritten::Conflict(conflict) => merge_again(&changes, conflict, false).await?,
            }
        }
    }

    /// The stored document of an id.
    async fn committed(&self, id: &str) -> Result<Option<StoredDocument>> {
        let (host, origin) = (&self.ctx.services().host, self.ctx.origin());
        let _in_flight = self.ctx.in_flight();
        let found = host.read_documents(origin, self.schema.name, vec![id.to_owned()]).await?.pop();
        self.ctx.signal().touch();
        Ok(found)
    }

    /// A document that the author gets to see.
    async fn read(&self, id: &str) -> Result<Option<StoredDocument>> {
        self.look(id, true).await
    }

    /// A document as the work sees it: in a step with the step's own changes. `notes`: the author may decide by the
    /// stored version, so the step expects it at its end.
    async fn look(&self, id: &str, notes: bool) -> Result<Option<StoredDocument>> {
        let Some(step) = self.ctx.step_documents() else { return self.committed(id).await };
        let own = step.own(self.schema.name, id);
        let (needs_stored, shows_stored) = match own.as_ref().map(|own| &own.change.kind) {
            None | Some(ChangeKind::Patch { .. }) => (true, true),
            Some(ChangeKind::Put(new)) => (new.expiry == Expiry::Keep, false),
            Some(ChangeKind::Delete) => (false, false),
        };
        let stored = if needs_stored { self.committed(id).await? } else { None };
        if notes && shows_stored {
            step.note_read(self.schema.name, id, stored.as_ref().map_or(0, |stored| stored.version));
        }
        own.map_or(Ok(stored.clone()), |own| overlaid(&own, stored))
    }

    /// The value of a stored document in the shape of this program.
    fn decode(&self, stored: StoredDocument) -> Result<Document<T>> {
        decode(&self.schema, stored).map_err(|(id, why)| {
            Error::platform(
                codes::DOCUMENT_UNREADABLE,
                format!("The document `{id}` of `{}` does not fit its type: {why}", self.schema.name),
            )
        })
    }
}

/// Whether a write was refused because another came before it.
fn was_changed(error: &Error) -> bool {
    [codes::DOCUMENT_CONFLICT, codes::DOCUMENT_EXISTS].contains(error.code())
}

/// Expects what is stored.
fn version_of(stored: Option<&StoredDocument>) -> Expected {
    stored.map_or(Expected::Absent, |stored| Expected::Version(stored.version))
}
