//! The key of this machine's own user, in the data folder, and the two kinds of tokens that it signs.
//!
//! The terminal sends bearer tokens, the page's sessions are cookies. Each names its purpose in `aud` and is refused for
//! the other purpose. Only the signature shows that a token was made with this key; its header can be forged.
//!
//! The key file is as private as the ledger in the same folder: a process that can read one can read the other.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::AuthError;
use super::claims::Claims;
use super::sessions::{EndedSessions, PageSession};
use super::signature::SecretKey;
use super::signed::{SignedClaims, now};
use super::token::UnverifiedToken;
use crate::private_file;
use crate::user::User;

/// Largest key file. A key has 32 bytes.
const LONGEST_KEY: u64 = 4096;
/// `aud` of the terminal's tokens.
const TERMINAL: &str = "imperal:terminal";
/// `aud` of the page's sessions.
const PAGE: &str = "imperal:page";
/// A command signs a new token when it starts.
const TERMINAL_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// How long an unused session is valid.
pub(super) const SESSION_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// Longest life of a session, renewals included.
const SESSION_LIMIT: i64 = 30 * 24 * 3600;
/// Age at which a session in use is renewed.
const RENEW_AFTER: i64 = 24 * 3600;

/// The user of the page that `dev` opens and of the terminal commands.
pub(crate) const LOCAL_USER: &str = "me";
pub(crate) const LOCAL_TENANT: &str = "default";

/// Whether this is the machine's own user. An issuer's token must not name it.
pub(super) fn is_local(user: &User) -> bool {
    user.id == LOCAL_USER && user.tenant_id == LOCAL_TENANT
}

/// Signs and checks tokens of this machine's own user.
#[derive(Clone)]
pub struct LocalKey {
    key: Arc<SecretKey>,
    /// Browsers share cookies between all ports of a host, so each data folder has a name of its own.
    cookie_name: String,
    ended: EndedSessions,
}

/// The result of checking a bearer token with the key of this machine.
#[derive(Debug)]
pub(super) enum TerminalToken {
    /// Another key signed the token.
    OtherKey,
    /// A terminal's token.
    Valid { user: User, until: Instant },
}

impl LocalKey {
    /// A key that exists only in this process: for tests and for ledgers in memory.
    pub fn ephemeral() -> Self {
        Self::from_bytes(&random_key(), EndedSessions::default())
    }

    /// The key of a data folder. Created on first use, readable by its owner only.
    ///
    /// # Errors
    /// The file cannot be read, written or is damaged.
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
        Ok(Self::from_bytes(&key, EndedSessions::of_folder(folder)?))
    }

    fn from_bytes(key: &[u8], ended: EndedSessions) -> Self {
        let mut digest = DefaultHasher::new();
        key.hash(&mut digest);
        Self {
            key: Arc::new(SecretKey::new(key)),
            cookie_name: format!("imperal_session_{:08x}", digest.finish() >> 32),
            ended,
        }
    }

    /// Name of the page's cookie without TLS.
    pub(super) fn cookie_name(&self) -> &str {
        &self.cookie_name
    }

    /// A bearer token for a user of this machine, as the terminal commands use it.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn sign(&self, user: &User) -> Result<String, AuthError> {
        let mut claims = SignedClaims::of(user, TERMINAL_LIFETIME);
        claims.aud = Some(TERMINAL);
        claims.encode(&self.key)
    }

    /// Checks a bearer token as a terminal's.
    ///
    /// # Errors
    /// If it was signed with this key and is not valid as a bearer token.
    pub(super) fn check_terminal_token(&self, token: &UnverifiedToken<'_>) -> Result<TerminalToken, AuthError> {
        if !token.is_signed_with(&self.key) {
            return Ok(TerminalToken::OtherKey);
        }
        let claims = Claims::read(&token.claims()?)?;
        if claims.check_audience(TERMINAL).is_err() {
            return Err(AuthError::invalid("This token is the page's cookie, and is not accepted as a bearer token."));
        }
        Ok(TerminalToken::Valid { user: claims.user()?, until: claims.valid_until()? })
    }

    /// A new session, as the value of its cookie.
    pub(super) fn new_session(&self, user: &User) -> Result<String, AuthError> {
        self.sign_session(user, &uuid::Uuid::new_v4().simple().to_string(), now())
    }

    /// The session with a later end. `None` if it is too early to renew it, or too late.
    pub(super) fn renewed(&self, session: &PageSession) -> Option<String> {
        let later = session.begun + SESSION_LIMIT - now() > RENEW_AFTER;
        if now() - session.issued < RENEW_AFTER || !later {
            return None;
        }
        self.sign_session(&session.user, &session.id, session.begun).ok()
    }

    fn sign_session(&self, user: &User, id: &str, begun: i64) -> Result<String, AuthError> {
        let mut claims = SignedClaims::of(user, SESSION_LIFETIME);
        claims.aud = Some(PAGE);
        claims.jti = Some(id);
        claims.auth_time = Some(begun);
        claims.exp = claims.exp.min(begun + SESSION_LIMIT);
        claims.encode(&self.key)
    }

    /// The session of a cookie.
    ///
    /// # Errors
    /// If it was not signed with this key, has expired or was ended.
    pub(super) fn session(&self, cookie: &str) -> Result<PageSession, AuthError> {
        let token = UnverifiedToken::parse(cookie)?;
        if !token.is_signed_with(&self.key) {
            return Err(AuthError::invalid("The session was not made here."));
        }
        let claims = Claims::read(&token.claims()?)?;
        claims.check_audience(PAGE)?;
        let until = claims.valid_until()?;
        let id = claims.text("jti")?.ok_or_else(|| AuthError::invalid("The session has no id."))?.to_owned();
        if self.ended.contains(&id) {
            return Err(AuthError::invalid("The session was ended."));
        }
        let seconds = |claim| claims.seconds(claim).map(Option::unwrap_or_default);
        Ok(PageSession { user: claims.user()?, id, begun: seconds("auth_time")?, issued: seconds("iat")?, until })
    }

    /// Ends a session in all browsers that hold its cookie, also after a restart.
    ///
    /// # Errors
    /// If the data folder cannot be written. The session is then ended only until the process exits.
    pub(super) async fn end(&self, session: &PageSession) -> io::Result<()> {
        self.ended.end(&session.id, session.begun + SESSION_LIMIT).await
    }

    /// The ended sessions.
    pub(super) fn ended(&self) -> &EndedSessions {
        &self.ended
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

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> User {
        User::new(LOCAL_USER, LOCAL_TENANT)
    }

    fn check(key: &LocalKey, token: &str) -> Result<TerminalToken, AuthError> {
        key.check_terminal_token(&UnverifiedToken::parse(token).unwrap())
    }

    #[test]
    fn session_and_bearer_token_are_not_interchangeable() {
        let key = LocalKey::ephemeral();
        let (bearer, session) = (key.sign(&me()).unwrap(), key.new_session(&me()).unwrap());
        assert!(matches!(check(&key, &bearer), Ok(TerminalToken::Valid { user, .. }) if user == me()));
        assert_eq!(key.session(&session).unwrap().user, me());
        assert!(check(&key, &session).is_err());
        assert!(key.session(&bearer).is_err());
        let other = LocalKey::ephemeral();
        assert!(matches!(check(&other, &bearer), Ok(TerminalToken::OtherKey)) && other.session(&session).is_err());
    }

    #[test]
    fn session_in_use_is_renewed_up_to_its_limit() {
        let key = LocalKey::ephemeral();
        let mut session = key.session(&key.new_session(&me()).unwrap()).unwrap();
        assert!(key.renewed(&session).is_none(), "it is new");
        session.issued -= RENEW_AFTER;
        let renewed = key.session(&key.renewed(&session).unwrap()).unwrap();
        assert_eq!((&renewed.id, renewed.begun), (&session.id, session.begun));
        session.begun -= SESSION_LIMIT - 3 * RENEW_AFTER;
        let last = key.session(&key.renewed(&session).unwrap()).unwrap();
        assert!(last.until <= Instant::now() + Duration::from_secs(3 * 24 * 3600 + 10), "the limit holds");
        session.begun -= 2 * RENEW_AFTER;
        assert!(key.renewed(&session).is_none());
    }

    #[tokio::test]
    async fn ended_session_stays_ended_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let key = LocalKey::of_folder(folder.path()).unwrap();
        let (one, two) = (key.new_session(&me()).unwrap(), key.new_session(&me()).unwrap());
        key.end(&key.session(&one).unwrap()).await.unwrap();
        for key in [key, LocalKey::of_folder(folder.path()).unwrap()] {
            assert!(key.session(&one).unwrap_err().to_string().contains("ended"));
            assert!(key.session(&two).is_ok(), "another browser's session");
        }
    }
}
