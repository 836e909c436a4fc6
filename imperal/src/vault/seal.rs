//! One sealed value.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;
use zeroize::Zeroizing;

use super::keys::{KeysError, MasterKey, SecretKeys, random};
use crate::rows::{SealedSecret, SecretPlace};

/// Begins what is authenticated with a value: the form of this file.
const FORM: &str = "imperal secret 1";
const SALT_BYTES: usize = 16;

/// Why a value cannot be opened. The user has to enter it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// It is sealed with a key that this process does not have.
    UnknownKey(String),
    /// It is damaged, or belongs to another place.
    Damaged,
}

impl std::fmt::Display for Unopened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownKey(id) => write!(f, "it is sealed with the key `{id}`, which this process does not have"),
            Self::Damaged => f.write_str("its row is damaged"),
        }
    }
}

/// Seals a value for a place and a version, with the first key.
///
/// # Errors
/// The system gives no random numbers.
pub(crate) fn seal(
    keys: &SecretKeys,
    place: &SecretPlace,
    version: u64,
    value: &str,
) -> Result<SealedSecret, KeysError> {
    let key = keys.first()?;
    let (mut salt, mut nonce) = (vec![0; SALT_BYTES], vec![0; NONCE_LEN]);
    random(&mut salt)?;
    random(&mut nonce)?;
    let mut ciphertext = value.as_bytes().to_vec();
    let aad = Aad::from(bound_to(place, key.id(), version));
    let sealed = Nonce::try_assume_unique_for_key(&nonce)
        .and_then(|nonce| record_key(key, &salt)?.seal_in_place_append_tag(nonce, aad, &mut ciphertext));
    sealed.map_err(|_| KeysError::new(format!("the key `{}` seals nothing", key.id())))?;
    Ok(SealedSecret { key_id: key.id().to_owned(), salt, nonce, ciphertext })
}

/// Opens a value.
pub(crate) fn open(
    keys: &SecretKeys,
    place: &SecretPlace,
    version: u64,
    sealed: &SealedSecret,
) -> Result<Zeroizing<String>, Unopened> {
    let key = keys.find(&sealed.key_id).ok_or_else(|| Unopened::UnknownKey(sealed.key_id.clone()))?;
    let aad = Aad::from(bound_to(place, key.id(), version));
    let mut bytes = Zeroizing::new(sealed.ciphertext.clone());
    let value = Nonce::try_assume_unique_for_key(&sealed.nonce)
        .and_then(|nonce| record_key(key, &sealed.salt)?.open_in_place(nonce, aad, &mut bytes))
        .map_err(|_| Unopened::Damaged)?;
    let value = std::str::from_utf8(value).map_err(|_| Unopened::Damaged)?;
    Ok(Zeroizing::new(value.to_owned()))
}

/// The key of one write.
fn record_key(key: &MasterKey, salt: &[u8]) -> Result<LessSafeKey, Unspecified> {
    let prk = key.derive(salt);
    Ok(LessSafeKey::new(UnboundKey::from(prk.expand(&[FORM.as_bytes()], &AES_256_GCM)?)))
}

/// What a sealed value belongs to, each part with its length before it.
fn bound_to(place: &SecretPlace, key_id: &str, version: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in [FORM, &place.tenant_id, &place.user_id, &place.app_id, &place.name, key_id] {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(user: &str, name: &str) -> SecretPlace {
        SecretPlace {
            tenant_id: "t".to_owned(),
            user_id: user.to_owned(),
            app_id: "app".to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn sealed_value_opens_in_its_own_place_and_version_only() {
        let keys = SecretKeys::ephemeral().unwrap();
        let sealed = seal(&keys, &place("anna", "key"), 3, "hunter2hunter2").unwrap();
        assert_eq!(open(&keys, &place("anna", "key"), 3, &sealed).unwrap().as_str(), "hunter2hunter2");
        let elsewhere = [(place("ben", "key"), 3), (place("anna", "other"), 3), (place("anna", "key"), 4)];
        for (place, version) in elsewhere {
            assert_eq!(open(&keys, &place, version, &sealed), Err(Unopened::Damaged), "{place:?} {version}");
        }
        // Parts are not only joined: their lengths count.
        let (one, other) = (place("a", "bc"), place("ab", "c"));
        assert_ne!(bound_to(&one, "k", 1), bound_to(&other, "k", 1));
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let keys = SecretKeys::ephemeral().unwrap();
        let place = place("anna", "key");
        let sealed = seal(&keys, &place, 1, "value").unwrap();
        for part in 0..3 {
            let mut changed = sealed.clone();
            [&mut changed.salt, &mut changed.nonce, &mut changed.ciphertext][part][0] ^= 1;
            assert_eq!(open(&keys, &place, 1, &changed), Err(Unopened::Damaged));
            let mut short = sealed.clone();
            [&mut short.salt, &mut short.nonce, &mut short.ciphertext][part].clear();
            assert_eq!(open(&keys, &place, 1, &short), Err(Unopened::Damaged));
        }
    }

    #[test]
    fn each_write_has_a_salt_and_a_nonce_of_its_own() {
        let keys = SecretKeys::ephemeral().unwrap();
        let seal = || seal(&keys, &place("anna", "key"), 1, "value").unwrap();
        let (one, other) = (seal(), seal());
        assert!(one.salt != other.salt && one.nonce != other.nonce && one.ciphertext != other.ciphertext);
    }

    #[test]
    fn key_that_is_gone_is_named() {
        let (old, new) = (SecretKeys::generate("old").unwrap(), SecretKeys::generate("new").unwrap());
        let place = place("anna", "key");
        let sealed = seal(&SecretKeys::parse(&old).unwrap(), &place, 1, "value").unwrap();
        let both = SecretKeys::parse(&format!("{new} {old}")).unwrap();
        assert_eq!(open(&both, &place, 1, &sealed).unwrap().as_str(), "value");
        let gone = SecretKeys::parse(&new).unwrap();
        assert_eq!(open(&gone, &place, 1, &sealed), Err(Unopened::UnknownKey("old".to_owned())));
    }
}
