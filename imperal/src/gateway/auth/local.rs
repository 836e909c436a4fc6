//! This machine's own user: the key in the data folder that signs the page's cookie and the
//! terminal's tokens.
//!
//! Whoever can read the key file can read the ledger beside it, so it gives nothing away that was
//! not open already.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};

use super::jwt::{AuthError, Claims, SignedClaims};
use crate::context::User;
use crate::private_file;

/// Key id in the header of tokens signed by this key.
const KEY_ID: &str = "local";
/// A key has 32 bytes.
const LONGEST_KEY: u64 = 4096;
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// The user of the page that `dev` opens and of the terminal commands.
pub(crate) const LOCAL_USER: &str = "me";
pub(crate) const LOCAL_TENANT: &str = "default";

/// Signs and checks tokens of this machine's own user.
#[derive(Clone)]
pub struct LocalKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
    /// Browsers keep one cookie of a name for all ports of a machine: each data folder has its own.
    cookie_name: String,
}

impl LocalKey {
    /// A key that lives as long as the process: for tests and for a ledger in memory.
    pub fn ephemeral() -> Self {
        Self::from_bytes(&random_key())
    }

    /// The key of a data folder, made on first use and readable by its owner only.
    ///
    /// # Errors
    /// The file's own.
    pub fn of_folder(folder: &Path) -> io::Result<Self> {
        let path = folder.join("session.key");
        let key = match private_file::read(&path, LONGEST_KEY) {
            Ok(key) => key,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = random_key().to_vec();
                private_file::replace(&path, &key)?;
                key
            }
            Err(error) => return Err(error),
        };
        if key.len() < 32 {
            let text = format!("{} is damaged: delete it, and open the page by a fresh link", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(Self::from_bytes(&key))
    }

    fn from_bytes(key: &[u8]) -> Self {
        let mut digest = DefaultHasher::new();
        key.hash(&mut digest);
        Self {
            encoding: EncodingKey::from_secret(key),
            decoding: DecodingKey::from_secret(key),
            cookie_name: format!("imperal_session_{:08x}", digest.finish() >> 32),
        }
    }

    /// Name of the page's cookie.
    pub(in crate::gateway) fn cookie_name(&self) -> &str {
        &self.cookie_name
    }

    /// A token for a user of this machine.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn sign(&self, user: &User) -> Result<String, AuthError> {
        let header = Header { kid: Some(KEY_ID.to_owned()), ..Header::new(Algorithm::HS256) };
        SignedClaims::of(user, LIFETIME).encode(&header, &self.encoding)
    }

    /// Whether a token says that it was signed by a key of this kind.
    pub(super) fn signed_here(token: &str) -> bool {
        jsonwebtoken::decode_header(token).is_ok_and(|header| header.kid.as_deref() == Some(KEY_ID))
    }

    pub(super) fn check(&self, token: &str) -> Result<User, AuthError> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_aud = false;
        jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation)
            .map_err(|error| AuthError::new(&error))?
            .claims
            .into_user()
    }
}

/// Two version 4 UUIDs: 244 random bits from the system's generator.
fn random_key() -> [u8; 32] {
    let mut key = [0; 32];
    key[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    key[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    key
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalKey")
    }
}
