//! The keys of a JWKS that can check tokens.
//!
//! Keys are read one by one. A key that this build cannot use is skipped with a reason, and the others stay. A key must
//! be meant for signatures, be strong enough, and have one algorithm, the only one that it checks.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::AuthError;
use super::signature::{Algorithm, PublicKey};
use super::token::UnverifiedToken;

/// Bits of RSA keys. NIST SP 800-131A sets the minimum; checking with larger keys takes too long.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

#[derive(Deserialize)]
struct JwksDocument {
    keys: Vec<Value>,
}

/// The members of a key that are read. Others, such as `x5c`, are ignored.
#[derive(Deserialize)]
struct JwkFields {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    public: PublicKey,
}

/// Keys that check tokens, in the order of the document.
#[derive(Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// Keys that are not used.
    pub(super) skipped: Vec<SkippedKey>,
}

/// A key that is not used.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SkippedKey {
    /// Its `kid`, or its position in the list.
    name: String,
    why: String,
    /// Whether it was meant to check tokens, so that skipping it is a fault.
    pub(super) is_fault: bool,
}

impl fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}: {}", self.name, self.why)
    }
}

/// Why a key is not used: it has another purpose, or it is faulty.
enum SkipReason {
    Purpose(String),
    Fault(String),
}

impl KeySet {
    /// Parses a JWKS.
    ///
    /// # Errors
    /// If the text is not a JWKS.
    pub(super) fn read(text: &[u8]) -> Result<Self, serde_json::Error> {
        let document: JwksDocument = crate::json::read(text)?;
        let mut set = Self::default();
        for (place, value) in document.keys.into_iter().enumerate() {
            let kid = value.get("kid").and_then(Value::as_str).map(str::to_owned);
            match Key::read(value) {
                Ok(key) => set.keys.push(key),
                Err(no) => {
                    let (why, is_fault) = match no {
                        SkipReason::Purpose(why) => (why, false),
                        SkipReason::Fault(why) => (why, true),
                    };
                    let name = kid.map_or_else(|| format!("number {}", place + 1), |kid| format!("{kid:?}"));
                    set.skipped.push(SkippedKey { name, why, is_fault });
                }
            }
        }
        Ok(set)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a key here may have signed the token.
    pub(super) fn knows(&self, token: &UnverifiedToken<'_>) -> bool {
        match token.kid() {
            Some(kid) => self.keys.iter().any(|key| key.kid.as_deref() == Some(kid)),
            None => self.keys.iter().any(|key| Some(key.algorithm) == token.algorithm()),
        }
    }

    /// Checks the token with the key that it names; without a name, with the only key of its algorithm. Several keys may
    /// share a name (RFC 7517, section 4.5).
    pub(super) fn check(&self, token: &UnverifiedToken<'_>) -> SignatureCheck {
        if !self.knows(token) {
            return SignatureCheck::UnknownKey;
        }
        let named = |key: &&Key| token.kid().is_none_or(|kid| key.kid.as_deref() == Some(kid));
        let mut able = self.keys.iter().filter(named).filter(|key| Some(key.algorithm) == token.algorithm()).peekable();
        if able.peek().is_none() {
            return SignatureCheck::OtherAlgorithm;
        }
        if token.kid().is_none() && able.clone().count() > 1 {
            return SignatureCheck::Ambiguous;
        }
        if able.take(MAX_KEYS_TRIED).any(|key| token.is_signed_by(&key.public, key.algorithm)) {
            SignatureCheck::Signed
        } else {
            SignatureCheck::WrongSignature
        }
    }
}

/// Most keys of one name that are tried.
const MAX_KEYS_TRIED: usize = 4;

/// The result of checking a token's signature.
#[derive(Debug, PartialEq)]
pub(super) enum SignatureCheck {
    Signed,
    UnknownKey,
    OtherAlgorithm,
    Ambiguous,
    WrongSignature,
}

impl SignatureCheck {
    /// The error for the client.
    pub(super) fn refusal(&self) -> AuthError {
        AuthError::invalid(match self {
            Self::Signed => "The token is not a valid one.",
            Self::UnknownKey => "The token was signed by a key that is not known here.",
            Self::OtherAlgorithm => "The token's algorithm is not the one of its key.",
            Self::Ambiguous => "The token does not name its key (`kid`), and there are several.",
            Self::WrongSignature => "The token's signature is wrong.",
        })
    }
}

impl Key {
    fn read(value: Value) -> Result<Self, SkipReason> {
        let raw: JwkFields =
            serde_json::from_value(value).map_err(|error| SkipReason::Fault(format!("cannot be read: {error}")))?;
        if raw.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return Err(SkipReason::Purpose("its `use` is not `sig`".to_owned()));
        }
        if raw.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
            return Err(SkipReason::Purpose("its `key_ops` do not have `verify`".to_owned()));
        }
        let (algorithm, public) = match &*raw.kty {
            "RSA" => (raw.algorithm(RSA)?, raw.rsa()?),
            "EC" => raw.curve()?,
            "OKP" => (raw.algorithm(EDWARDS)?, raw.edwards()?),
            other => return Err(SkipReason::Purpose(format!("keys of the kind {other:?} are not used"))),
        };
        Ok(Self { kid: raw.kid, algorithm, public })
    }
}

/// The algorithms of a key type by name. A key without `alg` has the first.
type Algorithms = &'static [(&'static str, Algorithm)];

const RSA: Algorithms = &[
    ("RS256", Algorithm::Rs256),
    ("RS384", Algorithm::Rs384),
    ("RS512", Algorithm::Rs512),
    ("PS256", Algorithm::Ps256),
    ("PS384", Algorithm::Ps384),
    ("PS512", Algorithm::Ps512),
];
const P256: Algorithms = &[("ES256", Algorithm::Es256)];
const P384: Algorithms = &[("ES384", Algorithm::Es384)];
const EDWARDS: Algorithms = &[("EdDSA", Algorithm::Ed25519), ("Ed25519", Algorithm::Ed25519)];

impl JwkFields {
    fn algorithm(&self, of_kind: Algorithms) -> Result<Algorithm, SkipReason> {
        let Some(named) = &self.alg else { return Ok(of_kind[0].1) };
        let found = of_kind.iter().find(|(name, _)| name == named);
        found
            .map(|(_, algorithm)| *algorithm)
            .ok_or_else(|| SkipReason::Purpose(format!("its `alg` {named:?} is not used")))
    }

    fn rsa(&self) -> Result<PublicKey, SkipReason> {
        let (n, e) = (bytes(self.n.as_ref(), "n")?, bytes(self.e.as_ref(), "e")?);
        let n = &n[n.iter().take_while(|byte| **byte == 0).count()..];
        let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
        if !RSA_BITS.contains(&bits) {
            let (least, most) = RSA_BITS.into_inner();
            return Err(SkipReason::Fault(format!("has {bits} bits; RSA keys of {least} to {most} bits are used")));
        }
        let e = e[e.iter().take_while(|byte| **byte == 0).count()..].to_vec();
        Ok(PublicKey::Rsa { n: n.to_vec(), e })
    }

    fn curve(&self) -> Result<(Algorithm, PublicKey), SkipReason> {
        let (algorithms, size) = match self.crv.as_deref() {
            Some("P-256") => (P256, 32),
            Some("P-384") => (P384, 48),
            other => {
                return Err(SkipReason::Purpose(format!("the curve {} is not used", other.unwrap_or("that it lacks"))));
            }
        };
        let mut point = vec![4];
        for (coordinate, name) in [(&self.x, "x"), (&self.y, "y")] {
            point.extend(sized(bytes(coordinate.as_ref(), name)?, size, name)?);
        }
        Ok((self.algorithm(algorithms)?, PublicKey::Point(point)))
    }

    fn edwards(&self) -> Result<PublicKey, SkipReason> {
        if self.crv.as_deref() != Some("Ed25519") {
            let curve = self.crv.as_deref().unwrap_or("that it lacks");
            return Err(SkipReason::Purpose(format!("the curve {curve} is not used")));
        }
        Ok(PublicKey::Point(sized(bytes(self.x.as_ref(), "x")?, 32, "x")?))
    }
}

fn bytes(member: Option<&String>, name: &str) -> Result<Vec<u8>, SkipReason> {
    let text = member.ok_or_else(|| SkipReason::Fault(format!("has no `{name}`")))?;
    // Some issuers pad base64url.
    URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| SkipReason::Fault(format!("its `{name}` is not base64url")))
}

fn sized(bytes: Vec<u8>, size: usize, name: &str) -> Result<Vec<u8>, SkipReason> {
    if bytes.len() == size {
        Ok(bytes)
    } else {
        Err(SkipReason::Fault(format!("its `{name}` has {} bytes, not {size}", bytes.len())))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rsa(bits: usize) -> Value {
        let mut n = vec![0; bits / 8];
        n[0] = 0x80;
        json!({"kty": "RSA", "kid": "k", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(n)})
    }

    fn with(mut key: Value, member: &str, value: Value) -> Value {
        key[member] = value;
        key
    }

    fn read(key: &Value) -> KeySet {
        KeySet::read(json!({ "keys": [key] }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn uses_strong_keys_for_signatures_by_their_own_algorithm() {
        let point = URL_SAFE_NO_PAD.encode([7; 32]);
        let longer = URL_SAFE_NO_PAD.encode([7; 48]);
        for (key, algorithm) in [
            (rsa(2048), Algorithm::Rs256),
            (with(rsa(4096), "alg", json!("PS512")), Algorithm::Ps512),
            (with(rsa(2048), "use", json!("sig")), Algorithm::Rs256),
            (with(rsa(2048), "key_ops", json!(["sign", "verify"])), Algorithm::Rs256),
            (json!({"kty": "EC", "crv": "P-256", "x": point, "y": point}), Algorithm::Es256),
            (json!({"kty": "EC", "crv": "P-384", "x": longer, "y": longer}), Algorithm::Es384),
            (json!({"kty": "OKP", "crv": "Ed25519", "x": point, "alg": "EdDSA"}), Algorithm::Ed25519),
        ] {
            let set = read(&key);
            assert_eq!(set.keys.first().map(|key| key.algorithm), Some(algorithm), "{key} {:?}", set.skipped);
        }
    }

    #[test]
    fn skips_keys_that_are_weak_unknown_or_not_for_signatures() {
        let point = URL_SAFE_NO_PAD.encode([7; 32]);
        for (key, is_fault) in [
            (rsa(1024), true),
            (rsa(2040), true),
            (rsa(8192), true),
            (with(rsa(2048), "n", json!("***")), true),
            (with(rsa(2048), "kty", json!(7)), true),
            (with(rsa(2048), "use", json!("enc")), false),
            (with(rsa(2048), "key_ops", json!(["encrypt"])), false),
            (with(rsa(2048), "alg", json!("RSA-OAEP")), false),
            (with(rsa(2048), "alg", json!("HS256")), false),
            (json!({"kty": "oct", "k": point}), false),
            (json!({"kty": "AKP", "alg": "ML-DSA-44"}), false),
            (json!({"kty": "EC", "crv": "P-256", "x": "AQ", "y": point}), true),
            (json!({"kty": "EC", "crv": "secp256k1", "x": point, "y": point}), false),
            (json!({"kty": "OKP", "crv": "X25519", "x": point}), false),
            (json!("a key"), true),
        ] {
            let set = read(&key);
            assert!(set.is_empty(), "{key}");
            assert_eq!(set.skipped.iter().map(|key| key.is_fault).collect::<Vec<_>>(), [is_fault], "{key}");
        }
    }

    #[test]
    fn unusable_key_does_not_affect_the_others() {
        let text = json!({"keys": [{"kty": "new"}, rsa(2048), rsa(1024)], "more": 1}).to_string();
        let set = KeySet::read(text.as_bytes()).unwrap();
        assert_eq!((set.keys.len(), set.skipped.len()), (1, 2));
        assert!(set.skipped[1].to_string().contains("\"k\": has 1024 bits"), "{}", set.skipped[1]);
    }
}
