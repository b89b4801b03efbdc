//! The signature of a JWT whose key the caller holds (RFC 7515 section 5.1).

use crate::error::Error;
use crate::wire::writer::Writer;

/// How a caller signs what it is given (RFC 7518 section 3.1, RFC 8037 section 3.1): a value that brings its code.
///
/// ```
/// use tokenward::parts::SignatureAlgorithm;
///
/// assert_eq!(SignatureAlgorithm::EDDSA.name(), "EdDSA");
/// ```
#[derive(Clone, Copy)]
pub struct SignatureAlgorithm {
    number: u8,
    name: &'static str,
    /// Writes a signature in the form that a JWT has it in, if it can be one.
    write: fn(&mut Writer<'_>, &[u8]) -> bool,
}

impl SignatureAlgorithm {
    /// ECDSA on the curve P-256 with SHA-256: the two numbers in 64 bytes, or in DER as most signers give them.
    pub const ES256: &'static Self = &Self {
        number: 1,
        name: "ES256",
        write: |out, signature| match signature.len() {
            COORDINATES => as_it_is(out, signature),
            _ => write_coordinates(out, signature).is_some(),
        },
    };

    /// RSASSA-PKCS1-v1_5 with SHA-256, by a key of 2,048 bits or more.
    pub const RS256: &'static Self = &Self { number: 2, name: "RS256", write: write_rsa };

    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and 32 bytes of salt, by a key of 2,048 bits or more.
    pub const PS256: &'static Self = &Self { number: 3, name: "PS256", write: write_rsa };

    /// EdDSA by a key of Ed25519 or Ed448.
    pub const EDDSA: &'static Self = &Self {
        number: 4,
        name: "EdDSA",
        write: |out, signature| matches!(signature.len(), 64 | 114) && as_it_is(out, signature),
    };

    /// Whether a signature can be one of this algorithm.
    pub(crate) fn check(&self, signature: &[u8]) -> Result<(), Error> {
        if (self.write)(&mut Writer::new(&mut []), signature) { Ok(()) } else { Err(Error::InvalidSignature) }
    }

    /// Writes a signature that was checked behind what it signs.
    pub(crate) fn write(&self, signature: &[u8], out: &mut Writer<'_>) {
        out.bytes(b".");
        let start = out.written();
        (self.write)(out, signature);
        out.base64url(start);
    }
}

part!(SignatureAlgorithm: ES256, RS256, PS256, EDDSA);

/// Bytes of a coordinate of the curve P-256, and of both (RFC 7518 section 3.4).
const COORDINATE: usize = 32;
const COORDINATES: usize = 64;

/// Bytes of a modulus of 2,048 bits (RFC 7518 section 3.3).
const SMALLEST_RSA: usize = 256;

fn as_it_is(out: &mut Writer<'_>, signature: &[u8]) -> bool {
    out.bytes(signature);
    true
}

fn write_rsa(out: &mut Writer<'_>, signature: &[u8]) -> bool {
    signature.len() >= SMALLEST_RSA && as_it_is(out, signature)
}

/// Writes the two numbers of `Ecdsa-Sig-Value` (RFC 3279 section 2.2.3) in the length of a coordinate each.
fn write_coordinates(out: &mut Writer<'_>, der: &[u8]) -> Option<()> {
    let (numbers, []) = element(0x30, der)? else { return None };
    let (r, rest) = element(0x02, numbers)?;
    let (s, []) = element(0x02, rest)? else { return None };
    for number in [r, s] {
        let number = match number {
            // A number is not negative, and has no zero in front that it does not need.
            [0, rest @ ..] if matches!(rest, [0x80..=0xFF, ..]) => rest,
            [1..=0x7F, ..] => number,
            _ => return None,
        };
        let missing = COORDINATE.checked_sub(number.len())?;
        out.bytes([0; COORDINATE].get(..missing).unwrap_or_default());
        out.bytes(number);
    }
    Some(())
}

/// The content of a DER element of this tag, whose length takes one byte, and what stands behind it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    match der {
        [first, len @ 0..0x80, rest @ ..] if *first == tag => rest.split_at_checked(usize::from(*len)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};

    use super::SignatureAlgorithm;
    use crate::error::Error;
    use crate::wire::writer::Writer;

    fn written(algorithm: &SignatureAlgorithm, signature: &[u8]) -> Result<Vec<u8>, Error> {
        algorithm.check(signature)?;
        let mut room = [0; 2048];
        let mut out = Writer::new(&mut room);
        algorithm.write(signature, &mut out);
        let text = out.finish().expect("room");
        let [b'.', text @ ..] = text else { panic!("no dot") };
        Ok(BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64url"))
    }

    /// In DER, with lengths that may be wrong.
    fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
        let numbers = [&[2, r.len() as u8], r, &[2, s.len() as u8], s].concat();
        [&[0x30, numbers.len() as u8], &*numbers].concat()
    }

    fn padded(number: &[u8]) -> Vec<u8> {
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        [&[0; 32][number.len()..], number].concat()
    }

    #[test]
    fn a_signature_in_der_is_written_as_its_two_numbers() {
        for r_len in 1..=32 {
            for s_len in [1, 2, 31, 32] {
                for high in [0x01, 0x7F, 0x80, 0xFF] {
                    let number = |len| {
                        let mut number = std::vec![high; len];
                        if high >= 0x80 {
                            number.insert(0, 0);
                        }
                        number
                    };
                    let (r, s) = (number(r_len), number(s_len));
                    let signature = der(&r, &s);
                    let expected = if signature.len() == 64 {
                        signature.clone()
                    } else {
                        [padded(&r), padded(&s)].concat()
                    };
                    assert_eq!(written(SignatureAlgorithm::ES256, &signature), Ok(expected));
                }
            }
        }
    }

    #[test]
    fn der_that_is_not_exactly_two_numbers_of_the_curve_is_refused() {
        let number = [1; 32];
        let good = der(&number, &number);
        assert!(written(SignatureAlgorithm::ES256, &good).is_ok());
        let bad = [
            [&*good, &[0]].concat(),
            good[..good.len() - 1].to_vec(),
            der(&[1; 33], &number),
            der(&number, &[]),
            der(&[0], &number),
            der(&number, &[0, 1]),
            der(&[0x80], &number),
            der(&number, &[0, 0, 0x80]),
            [&[0x31], &good[1..]].concat(),
            [&[0x30, 0x81], &good[1..]].concat(),
            [&good[..2], &[3], &good[3..]].concat(),
            Vec::new(),
        ];
        for signature in bad {
            assert_eq!(
                written(SignatureAlgorithm::ES256, &signature),
                Err(Error::InvalidSignature),
                "{signature:x?}"
            );
        }
    }

    #[test]
    fn every_other_signature_is_written_as_it_is_if_its_length_can_be_one() {
        for algorithm in SignatureAlgorithm::ALL {
            for len in (1..=130).chain(250..=520) {
                let good = match algorithm.name() {
                    "ES256" => len == 64,
                    "EdDSA" => len == 64 || len == 114,
                    _ => len >= 256,
                };
                let signature = std::vec![7; len];
                let expected = if good { Ok(signature.clone()) } else { Err(Error::InvalidSignature) };
                assert_eq!(written(algorithm, &signature), expected, "{algorithm:?} {len}");
            }
        }
    }
}
