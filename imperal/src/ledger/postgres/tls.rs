//! TLS to the database: the checks of the server's certificate, and the texts of refusals.
//!
//! Owns the connector that the driver calls and the meaning of `require`, `verify-ca` and `verify-full`. Encryption is
//! the same for all of them; they differ in what they check.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::SingleCertAndKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

use super::channel_binding::end_point;
use super::identity::{Identity, way_out};
use crate::ledger::LedgerError;

/// What is checked of the server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CertificateCheck {
    /// The server has the certificate's key.
    Nothing,
    /// Also: a trusted authority issued it.
    Issuer,
    /// Also: it is for the requested host.
    IssuerAndName,
}

/// The trusted authorities.
#[derive(Debug)]
pub(super) enum TrustedRoots {
    /// The machine's authorities.
    System,
    /// The certificates of a file.
    File(PathBuf),
}

/// Makes TLS connections.
#[derive(Clone)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    /// The authorities as refusals name them.
    authorities: Arc<str>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("authorities", &self.authorities).finish_non_exhaustive()
    }
}

impl Tls {
    pub(super) fn new(
        check: CertificateCheck,
        roots: &TrustedRoots,
        identity: Option<&Identity>,
    ) -> Result<Self, LedgerError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (inner, pinned) = match check {
            CertificateCheck::Nothing => (None, Vec::new()),
            CertificateCheck::Issuer | CertificateCheck::IssuerAndName => {
                let certificates = roots.read()?;
                let mut store = RootCertStore::empty();
                let (added, _) = store.add_parsable_certificates(certificates.iter().cloned());
                if added == 0 {
                    return Err(roots.unusable("it contains no certificate of an authority"));
                }
                let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone()).build();
                let verifier = verifier.map_err(|error| roots.unusable(&error.to_string()))?;
                (Some(verifier), if matches!(roots, TrustedRoots::File(_)) { certificates } else { Vec::new() })
            }
        };
        let verifier = Verifier { check, inner, pinned, provider: provider.clone() };
        let config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| LedgerError::Unusable(format!("TLS cannot be set up: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let certified = SingleCertAndKey::from(identity.read(provider.key_provider)?);
                config.with_client_cert_resolver(Arc::new(certified))
            }
        };
        Ok(Self { config: Arc::new(config), authorities: roots.to_string().into() })
    }
}

impl fmt::Display for TrustedRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("this machine's authorities"),
            Self::File(path) => write!(f, "sslrootcert {}", path.display()),
        }
    }
}

impl TrustedRoots {
    fn read(&self) -> Result<Vec<CertificateDer<'static>>, LedgerError> {
        match self {
            Self::System => {
                let found = rustls_native_certs::load_native_certs();
                if found.certs.is_empty() {
                    return Err(LedgerError::Unusable(
                        "this machine has no list of authorities: name the one that issued PostgreSQL's certificate with sslrootcert=FILE"
                            .to_owned(),
                    ));
                }
                Ok(found.certs)
            }
            Self::File(path) => CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| self.unusable(&error.to_string())),
        }
    }

    fn unusable(&self, why: &str) -> LedgerError {
        LedgerError::Unusable(format!("{self} cannot be used ({why}): name a file of certificates in PEM form"))
    }
}

/// Checks a certificate as [`CertificateCheck`] says, and always the key's signature.
#[derive(Debug)]
struct Verifier {
    check: CertificateCheck,
    inner: Option<Arc<WebPkiServerVerifier>>,
    /// The certificates of the file. A server that presents one of them needs no other issuer.
    pinned: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        presented: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        if self.pinned.iter().any(|pinned| pinned == presented) {
            if self.check == CertificateCheck::IssuerAndName {
                verify_server_name(&ParsedCertificate::try_from(presented)?, name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        match inner.verify_server_cert(presented, intermediates, name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.check == CertificateCheck::Issuer => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Why the TLS connection failed, for the author of the DSN.
#[derive(Debug)]
pub(super) struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// The TLS handshake of one connection.
pub(super) struct Connector {
    tls: Tls,
    host: String,
}

impl<S> MakeTlsConnect<S> for Tls
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type TlsConnect = Connector;
    type Error = Refusal;

    // Also called without a name for a Unix socket, where the server offers no TLS.
    fn make_tls_connect(&mut self, host: &str) -> Result<Connector, Refusal> {
        Ok(Connector { tls: self.clone(), host: host.to_owned() })
    }
}

impl<S> TlsConnect<S> for Connector
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Encrypted<S>, Refusal>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let Self { tls, host } = self;
            let name = ServerName::try_from(host.clone());
            let name = name.map_err(|_| {
                Refusal(format!("{host:?} cannot be the name in a certificate: use the server's host name"))
            })?;
            match TlsConnector::from(tls.config).connect(name, stream).await {
                Ok(stream) => Ok(Encrypted(Box::new(stream))),
                Err(error) => Err(refusal(&error, &host, &tls.authorities)),
            }
        })
    }
}

/// The TLS error behind a connection's error.
pub(super) fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn refusal(error: &io::Error, host: &str, authorities: &str) -> Refusal {
    let told = rustls_error(error);
    let Some(rustls::Error::InvalidCertificate(why)) = told else {
        return Refusal(told.and_then(way_out).unwrap_or_else(|| error.to_string()));
    };
    Refusal(match why {
        CertificateError::UnknownIssuer => format!(
            "the server's certificate was not issued by {authorities}: name its authority with sslrootcert=FILE"
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the server's certificate is not for {host}: use the name that it is for, or sslmode=verify-ca")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired: renew it".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet: check the clocks".to_owned()
        }
        why => format!("the server's certificate cannot be used ({why:?})"),
    })
}

/// An encrypted connection.
pub(super) struct Encrypted<S>(Box<tokio_rustls::client::TlsStream<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    fn channel_binding(&self) -> ChannelBinding {
        let presented = self.0.get_ref().1.peer_certificates().and_then(<[_]>::first);
        match presented.and_then(|certificate| end_point(certificate)) {
            Some(hash) => ChannelBinding::tls_server_end_point(hash),
            None => ChannelBinding::none(),
        }
    }
}
