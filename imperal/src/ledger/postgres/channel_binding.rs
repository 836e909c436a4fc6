//! Channel binding: ties a password that is sent by SCRAM to the server's certificate.
//!
//! Parses only the part of a certificate's DER that this takes.

use sha2::{Digest, Sha256, Sha384, Sha512};

/// RFC 5929, section 4.1: the hash of the certificate, by the hash function of its signature, or by SHA-256 if that is
/// weaker. `None` if the signature has no such function.
pub(super) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
    let signed_by = signature_algorithm(certificate)?;
    let sha256 = || Some(Sha256::digest(certificate).to_vec());
    let sha384 = || Some(Sha384::digest(certificate).to_vec());
    let sha512 = || Some(Sha512::digest(certificate).to_vec());
    match (signed_by.strip_prefix(RSA), signed_by.strip_prefix(ECDSA)) {
        (Some([4 | 5 | 11]), _) | (_, Some([1] | [3, 2])) => sha256(),
        (Some([12]), _) | (_, Some([3, 3])) => sha384(),
        (Some([13]), _) | (_, Some([3, 4])) => sha512(),
        _ => None,
    }
}

/// The object identifier of the certificate's signature algorithm.
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (outer, _) = element(certificate, 0x30)?;
    let (_, after_body) = element(outer, 0x30)?;
    let (algorithm, _) = element(after_body, 0x30)?;
    Some(element(algorithm, 0x06)?.0)
}

/// The content of a DER element with this tag, and the bytes after it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let (digits, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
        length = digits.iter().try_fold(0usize, |sum, digit| sum.checked_mul(256)?.checked_add(usize::from(*digit)))?;
        rest = after;
    }
    (found == tag).then_some(rest.split_at_checked(length)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_algorithm_is_read_and_cut_der_is_rejected() {
        // SEQUENCE { SEQUENCE { 200 bytes }, SEQUENCE { OID, NULL } }
        let mut der = vec![0x30, 0x81, 0xdb, 0x30, 0x81, 200];
        der.extend([7; 200]);
        let oid = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 12];
        der.extend([0x30, 13, 0x06, 9]);
        der.extend(oid);
        der.extend([0x05, 0x00]);
        // 3 + 200 + 2 + 13, by its own header.
        der[2] = u8::try_from(der.len() - 3).unwrap();
        assert_eq!(signature_algorithm(&der), Some(&oid[..]));
        assert_eq!(end_point(&der), Some(Sha384::digest(&der).to_vec()));
        for cut in 0..der.len() {
            assert_eq!(signature_algorithm(&der[..cut]), None, "cut at {cut}");
        }
        assert_eq!(signature_algorithm(&[0x30, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1]), None);
    }
}
