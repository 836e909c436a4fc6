//! The cryptography of TLS.

/// Chooses the cryptography of all TLS in this process, unless another library has already chosen one.
pub(crate) fn choose_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
