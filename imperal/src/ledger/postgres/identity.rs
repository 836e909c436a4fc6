//! This node's client certificate and key.
//!
//! Owns `sslcert` and `sslkey`, with libpq's rule for the permissions of a key. Both files are read when the node
//! starts. Every error names the file and the way out; none contains a part of the key.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustls::crypto::KeyProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, InconsistentKeys};

use crate::ledger::LedgerError;

/// The way out when the server wants a certificate.
const NAME_ONE: &str = "name this node's certificate and its key with sslcert=FILE and sslkey=FILE";

/// The files of a certificate and its key.
#[derive(Debug)]
pub(super) struct Identity {
    certificate: PathBuf,
    key: PathBuf,
}

impl Identity {
    /// The two files that a DSN names; none if it names neither.
    pub(super) fn named(certificate: Option<String>, key: Option<String>) -> Result<Option<Self>, LedgerError> {
        let [certificate, key] = [certificate, key].map(|path| path.filter(|path| !path.is_empty()));
        match (certificate, key) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some(Self { certificate: certificate.into(), key: key.into() })),
            (Some(file), None) => {
                Err(unusable(&format!("sslcert {file} is without its key: name it with sslkey=FILE")))
            }
            (None, Some(file)) => {
                Err(unusable(&format!("sslkey {file} is without its certificate: name it with sslcert=FILE")))
            }
        }
    }

    /// Reads the certificate, its intermediates, and the key.
    pub(super) fn read(&self, provider: &dyn KeyProvider) -> Result<CertifiedKey, LedgerError> {
        let file = self.certificate.display();
        let certificates = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .and_then(|found| if found.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(found) })
            .map_err(|error| unusable(&format!("sslcert {file} cannot be used ({error}): {NO_CERTIFICATE}")))?;
        let key = provider.load_private_key(self.read_key()?).map_err(|error| self.key_unusable(&error, OTHER_KEY))?;
        let pair = CertifiedKey::new(certificates, key);
        // Version 1 certificates, which `openssl x509 -req` makes, cannot be parsed here. A server accepts them, and
        // reports a wrong key itself.
        if matches!(pair.keys_match(), Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch))) {
            let key = self.key.display();
            return Err(unusable(&format!(
                "sslkey {key} is not the key of sslcert {file}: name the two that are a pair"
            )));
        }
        Ok(pair)
    }

    fn read_key(&self) -> Result<PrivateKeyDer<'static>, LedgerError> {
        let text = read_private(&self.key)?;
        // PKCS #8 says so in the label, the older form in a header.
        if text.lines().any(|line| line.contains("ENCRYPTED")) {
            return Err(self.key_unusable(
                &"it is encrypted, and a node cannot ask for its passphrase",
                "write it in plain with `openssl pkey -in FILE -out PLAIN`, and chmod 600 that",
            ));
        }
        PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| self.key_unusable(&error, NO_KEY))
    }

    fn key_unusable(&self, why: &dyn Display, way_out: &str) -> LedgerError {
        unusable(&format!("sslkey {} cannot be used ({why}): {way_out}", self.key.display()))
    }
}

const NO_CERTIFICATE: &str = "name a file with the certificate in PEM form";
const NO_KEY: &str = "name a file with the key in PEM form";
const OTHER_KEY: &str = "use one that is RSA of 2048 to 8192 bits, EC on P-256 or P-384, or Ed25519";

fn unusable(why: &str) -> LedgerError {
    LedgerError::Unusable(why.to_owned())
}

/// The text of a key file that only its owner can read. The permissions are those of the file that is read.
fn read_private(path: &Path) -> Result<String, LedgerError> {
    let name = path.display();
    let say = |error: io::Error| {
        unusable(&format!("sslkey {name} cannot be read ({error}): {NO_KEY}, which this process may read"))
    };
    // Checked before it is opened, because opening a pipe waits for a writer.
    if !std::fs::metadata(path).map_err(say)?.is_file() {
        return Err(say(io::Error::other("it is not a file")));
    }
    let mut file = File::open(path).map_err(say)?;
    let about = file.metadata().map_err(say)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if others_may((about.uid(), about.mode())) {
            return Err(unusable(&format!(
                "sslkey {name} can be read by others than its owner: chmod 600 it, or 640 where root owns it"
            )));
        }
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(say)?;
    Ok(text)
}

/// libpq's rule: root may share a key with a group, so that the service need not own it.
#[cfg(unix)]
fn others_may((owner, mode): (u32, u32)) -> bool {
    mode & if owner == 0 { 0o037 } else { 0o077 } != 0
}

/// The way out when the server ended the handshake because of the certificate.
pub(super) fn way_out(error: &rustls::Error) -> Option<String> {
    use AlertDescription as Alert;
    let rustls::Error::AlertReceived(alert) = error else { return None };
    match alert {
        Alert::CertificateRequired => Some(format!("the server wants a client certificate: {NAME_ONE}")),
        Alert::CertificateExpired => Some("sslcert has expired: renew it".to_owned()),
        Alert::CertificateRevoked => Some("sslcert was revoked: name another".to_owned()),
        Alert::UnknownCA => Some(
            "the server does not know the authority that issued sslcert: name a certificate of one that is in its \
             ssl_ca_file"
                .to_owned(),
        ),
        Alert::BadCertificate | Alert::CertificateUnknown | Alert::UnsupportedCertificate | Alert::DecryptError => {
            Some(format!("the server does not accept sslcert ({alert:?}): its log says why"))
        }
        _ => None,
    }
}

/// A refused login, with the way out if it is about certificates.
pub(super) fn refusal(message: &str) -> Option<String> {
    if message.contains("valid client certificate") {
        return Some(format!("PostgreSQL says: {message}: {NAME_ONE}"));
    }
    message.contains("certificate authentication failed").then(|| {
        format!(
            "PostgreSQL says: {message}: the common name in sslcert has to be the user's, or be mapped to it in \
             pg_ident.conf"
        )
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn key_permissions_follow_libpq() {
        for (file, wanted) in [
            ((1000, 0o100_600), false),
            ((1000, 0o100_400), false),
            ((1000, 0o100_640), true),
            ((1000, 0o100_604), true),
            ((0, 0o100_600), false),
            ((0, 0o100_640), false),
            ((0, 0o100_660), true),
            ((0, 0o100_644), true),
        ] {
            assert_eq!(others_may(file), wanted, "{file:?}");
        }
    }
}
