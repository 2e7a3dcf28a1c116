//! The little of DER that keys and signatures need.

use base64ct::{Base64, Encoding};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OID: u8 = 0x06;
const RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: [u8; 3] = [0x2b, 0x65, 0x70];

/// A curve of ECDSA keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    /// The length of a coordinate and of half a signature, in bytes.
    pub(super) fn size(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    fn oid(self) -> &'static [u8] {
        match self {
            Self::P256 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
            Self::P384 => &[0x2b, 0x81, 0x04, 0x00, 0x22],
            Self::P521 => &[0x2b, 0x81, 0x04, 0x00, 0x23],
        }
    }
}

/// A public key as its standard form (`SubjectPublicKeyInfo`) holds it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Spki {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// The uncompressed point, with its first byte `04`.
    Ec(Curve, Vec<u8>),
    Ed25519(Vec<u8>),
}

/// The DER form of an RSA key.
pub(super) fn rsa_spki(n: &[u8], e: &[u8]) -> Vec<u8> {
    let key = tagged(SEQUENCE, &[integer(n), integer(e)].concat());
    spki(&[tagged(OID, &RSA), vec![0x05, 0x00]].concat(), &key)
}

/// The DER form of an ECDSA key from its uncompressed point.
pub(super) fn ec_spki(curve: Curve, point: &[u8]) -> Vec<u8> {
    spki(
        &[tagged(OID, &EC), tagged(OID, curve.oid())].concat(),
        point,
    )
}

/// The DER form of an ECDSA signature in JOSE's form (`r` and `s`, each as long as the curve says).
pub(super) fn ecdsa_signature(curve: Curve, raw: &[u8]) -> Option<Vec<u8>> {
    if raw.len() != 2 * curve.size() {
        return None;
    }
    let (r, s) = raw.split_at(curve.size());
    Some(tagged(SEQUENCE, &[integer(r), integer(s)].concat()))
}

/// Reads a public key in DER; nothing may follow it.
pub(super) fn parse_spki(der: &[u8]) -> Option<Spki> {
    let (outer, rest) = take(SEQUENCE, der)?;
    let (algorithm, after) = take(SEQUENCE, outer)?;
    let (bits, end) = take(BIT_STRING, after)?;
    if !rest.is_empty() || !end.is_empty() {
        return None;
    }
    let (zero, key) = bits.split_first()?;
    if *zero != 0 {
        return None;
    }
    let (oid, parameters) = take(OID, algorithm)?;
    if oid == RSA {
        if parameters != [0x05, 0x00] {
            return None;
        }
        let (body, rest) = take(SEQUENCE, key)?;
        let (n, after) = take(INTEGER, body)?;
        let (e, end) = take(INTEGER, after)?;
        (rest.is_empty() && end.is_empty() && positive(n) && positive(e)).then(|| Spki::Rsa {
            n: unsigned(n).to_vec(),
            e: unsigned(e).to_vec(),
        })
    } else if oid == EC {
        let (curve, end) = take(OID, parameters)?;
        let curve = [Curve::P256, Curve::P384, Curve::P521]
            .into_iter()
            .find(|c| c.oid() == curve)?;
        (end.is_empty() && key.len() == 1 + 2 * curve.size() && key.first() == Some(&4))
            .then(|| Spki::Ec(curve, key.to_vec()))
    } else if oid == ED25519 {
        (parameters.is_empty() && key.len() == 32).then(|| Spki::Ed25519(key.to_vec()))
    } else {
        None
    }
}

/// The DER inside each block `-----BEGIN PUBLIC KEY-----`. `None` if anything else is there.
pub(super) fn pem_blocks(text: &str) -> Option<Vec<Vec<u8>>> {
    const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
    const END: &str = "-----END PUBLIC KEY-----";
    let mut blocks = Vec::new();
    let mut rest = text.trim_ascii();
    while !rest.is_empty() {
        let (body, after) = rest.strip_prefix(BEGIN)?.split_once(END)?;
        let body: String = body.split_ascii_whitespace().collect();
        blocks.push(Base64::decode_vec(&body).ok()?);
        rest = after.trim_ascii();
    }
    Some(blocks)
}

/// A number without leading zeros.
pub(super) fn unsigned(mut bytes: &[u8]) -> &[u8] {
    while let Some((0, rest)) = bytes.split_first() {
        bytes = rest;
    }
    bytes
}

fn positive(integer: &[u8]) -> bool {
    integer.first().is_some_and(|b| *b < 0x80)
}

fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let mut bits = Vec::with_capacity(key.len() + 1);
    bits.push(0);
    bits.extend_from_slice(key);
    tagged(
        SEQUENCE,
        &[tagged(SEQUENCE, algorithm), tagged(BIT_STRING, &bits)].concat(),
    )
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    let bytes = unsigned(bytes);
    let mut body = Vec::with_capacity(bytes.len() + 1);
    if bytes.first().is_none_or(|b| *b >= 0x80) {
        body.push(0);
    }
    body.extend_from_slice(bytes);
    tagged(INTEGER, &body)
}

fn tagged(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 5);
    out.push(tag);
    let length = body.len().to_be_bytes();
    let length = unsigned(&length);
    match length {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(0));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(body);
    out
}

/// The body of the element at the front, and what follows. Only the shortest form of a length.
fn take(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    if *first != tag {
        return None;
    }
    if *length < 0x80 {
        return rest.split_at_checked(usize::from(*length));
    }
    let (long, rest) = rest.split_at_checked(usize::from(*length & 0x7f))?;
    let length = match long {
        [a] if *a >= 0x80 => usize::from(*a),
        [a, b] if *a > 0 => usize::from(*a) << 8 | usize::from(*b),
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_signature_keeps_its_numbers_positive_and_short() {
        let mut raw = [0u8; 64];
        raw[31] = 0x80;
        raw[63] = 0x01;
        assert_eq!(
            ecdsa_signature(Curve::P256, &raw).unwrap(),
            [0x30, 7, 2, 2, 0, 0x80, 2, 1, 1]
        );
        assert_eq!(
            ecdsa_signature(Curve::P256, &[0; 64]).unwrap(),
            [0x30, 6, 2, 1, 0, 2, 1, 0]
        );
        for length in [0, 63, 65, 70, 96] {
            assert!(ecdsa_signature(Curve::P256, &vec![1; length]).is_none());
        }
    }

    proptest! {
        #[test]
        fn rsa_keys_survive_the_way_there_and_back(
            n in proptest::collection::vec(any::<u8>(), 1..600),
            e in proptest::collection::vec(any::<u8>(), 1..5),
        ) {
            let der = rsa_spki(&n, &e);
            let want = Spki::Rsa { n: unsigned(&n).to_vec(), e: unsigned(&e).to_vec() };
            prop_assert_eq!(parse_spki(&der), Some(want));
            prop_assert_eq!(parse_spki(&[&der[..], &[0]].concat()), None);
            prop_assert_eq!(parse_spki(&der[..der.len() - 1]), None);
        }

        #[test]
        fn signatures_hold_both_numbers(raw in proptest::collection::vec(any::<u8>(), 132)) {
            let der = ecdsa_signature(Curve::P521, &raw).unwrap();
            let (body, rest) = take(SEQUENCE, &der).unwrap();
            let (r, after) = take(INTEGER, body).unwrap();
            let (s, end) = take(INTEGER, after).unwrap();
            prop_assert!(rest.is_empty() && end.is_empty() && positive(r) && positive(s));
            prop_assert_eq!(unsigned(r), unsigned(&raw[..66]));
            prop_assert_eq!(unsigned(s), unsigned(&raw[66..]));
        }

        #[test]
        fn any_bytes_are_survived(der in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_spki(&der);
        }
    }
}
