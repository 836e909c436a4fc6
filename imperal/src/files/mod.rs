//! Files of users: the reference that results and parameters hold, and the store of their bytes.
//!
//! Owns [`FileRef`] and how it is written and read, the types that a browser may show, and [`Blobs`]. Knows neither
//! ledger nor HTTP.

mod blobs;
mod content_type;
mod file_ref;

pub(crate) use blobs::{BlobError, BlobStream, Blobs};
#[cfg(feature = "platform")]
pub(crate) use content_type::can_be_shown;
pub(crate) use content_type::{HEAD, accepts, essence, guess};
pub use file_ref::FileRef;
pub(crate) use file_ref::{ParamFiles, check_name};
