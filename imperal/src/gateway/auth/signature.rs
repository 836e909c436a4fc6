//! Signatures of tokens: the algorithms, and the keys that check and make them.
//!
//! Owns the table of algorithms by their JOSE names (RFC 7518, RFC 8037) and the calls into `ring`. It knows
//! nothing of token texts, claims or key sets.

use std::str::FromStr;

use ring::{hmac, signature as ring_signature};

/// An algorithm that this build checks signatures of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hs256,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Ed25519,
}

/// The text is not the name of an algorithm of this build.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Ok(match name {
            "HS256" => Self::Hs256,
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            // RFC 9864 names the curve; older tokens say `EdDSA`.
            "EdDSA" | "Ed25519" => Self::Ed25519,
            _ => return Err(UnknownAlgorithm),
        })
    }
}

/// A secret that signs and checks HS256 tokens.
#[derive(Debug)]
pub(super) struct SecretKey(hmac::Key);

impl SecretKey {
    pub(super) fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.0, message).as_ref().to_vec()
    }

    /// Whether this key made the signature. Takes the same time for every wrong signature.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        hmac::verify(&self.0, message, signature).is_ok()
    }
}

/// A public key in the form that `ring` reads.
#[derive(Debug)]
pub(super) enum PublicKey {
    /// Modulus and exponent, big-endian, without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// An uncompressed point of P-256 or P-384, or the 32 bytes of an Ed25519 key.
    Point(Vec<u8>),
}

impl PublicKey {
    /// Whether this key made the signature by this algorithm. False if key and algorithm do not match.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { n, e } => rsa_parameters(algorithm).is_some_and(|parameters| {
                let key = ring_signature::RsaPublicKeyComponents { n, e };
                key.verify(parameters, message, signature).is_ok()
            }),
            Self::Point(point) => point_algorithm(algorithm).is_some_and(|algorithm| {
                let key = ring_signature::UnparsedPublicKey::new(algorithm, point);
                key.verify(message, signature).is_ok()
            }),
        }
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static ring_signature::RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &ring_signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &ring_signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &ring_signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &ring_signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &ring_signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &ring_signature::RSA_PSS_2048_8192_SHA512,
        Algorithm::Hs256 | Algorithm::Es256 | Algorithm::Es384 | Algorithm::Ed25519 => return None,
    })
}

fn point_algorithm(algorithm: Algorithm) -> Option<&'static dyn ring_signature::VerificationAlgorithm> {
    Some(match algorithm {
        Algorithm::Es256 => &ring_signature::ECDSA_P256_SHA256_FIXED,
        Algorithm::Es384 => &ring_signature::ECDSA_P384_SHA384_FIXED,
        Algorithm::Ed25519 => &ring_signature::ED25519,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::keys::{KeySet, SignatureCheck};
    use super::super::token::UnverifiedToken;

    /// One token and its public key for each algorithm, made with `openssl genpkey` and `openssl dgst -sign`.
    fn tokens_by_openssl() -> Vec<Value> {
        serde_json::from_str(include_str!("signatures_by_openssl.json")).unwrap()
    }

    fn check(key: &Value, token: &str) -> SignatureCheck {
        let keys = KeySet::read(json!({ "keys": [key] }).to_string().as_bytes()).unwrap();
        keys.check(&UnverifiedToken::parse(token).unwrap_or_else(|_| panic!("{token} can be parsed")))
    }

    #[test]
    fn accepts_signatures_that_openssl_made_for_every_algorithm() {
        let tokens = tokens_by_openssl();
        assert_eq!(tokens.len(), 9);
        for case in &tokens {
            assert_eq!(
                check(&case["key"], case["token"].as_str().unwrap()),
                SignatureCheck::Signed,
                "{}",
                case["key"]["alg"]
            );
        }
    }

    #[test]
    fn refuses_a_changed_message_or_signature() {
        for case in tokens_by_openssl() {
            let token = case["token"].as_str().unwrap();
            let (message, signature) = token.rsplit_once('.').unwrap();
            let (header, claims) = message.split_once('.').unwrap();
            let swapped = if signature.starts_with('A') { 'B' } else { 'A' };
            for forged in [
                format!("{header}.{}A.{signature}", &claims[..claims.len() - 1]),
                format!("{message}.{swapped}{}", &signature[1..]),
                format!("{message}.{}", &signature[..signature.len() - 4]),
                format!("{message}."),
            ] {
                assert_eq!(
                    check(&case["key"], &forged),
                    SignatureCheck::WrongSignature,
                    "{} {forged}",
                    case["key"]["alg"]
                );
            }
        }
    }
}
