//! Digests of bodies: those that lists expect, and those in records.

use std::fmt;

use base64::Engine as _;
use bytes::Bytes;
use clap::ValueEnum;
use md5::Digest as _;
use ring::digest;

use crate::display::Quoted;

/// A hash function.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum DigestAlgorithm {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

/// A digest with its algorithm, written as `sha256:0123…`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Checksum {
    pub(crate) algorithm: DigestAlgorithm,
    pub(crate) digest: Vec<u8>,
}

impl DigestAlgorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The algorithm at the beginning of a text, and what follows its separator.
    fn split_name(text: &str) -> Option<(Self, &str)> {
        Self::value_variants().iter().find_map(|algorithm| {
            let name = algorithm.name();
            let (letters, digits) = name.split_at(name.find(char::is_numeric)?);
            let (start, rest) = text.split_at_checked(letters.len())?;
            let rest = rest.strip_prefix('-').unwrap_or(rest);
            let rest = rest.strip_prefix(digits)?;
            let rest = rest.trim_start().strip_prefix([':', '=', '-'])?;
            start
                .eq_ignore_ascii_case(letters)
                .then_some((*algorithm, rest))
        })
    }

    /// In bytes.
    fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl Checksum {
    /// Parses an algorithm and a digest, such as `sha256:` and hexadecimal digits. Also accepted are
    /// digits alone, whose number determines the algorithm, `=` or `-` after the algorithm, `SHA-256`, and
    /// base64 as in `sha256-…` of browsers and `sha-256=:…:` of RFC 9530.
    ///
    /// # Errors
    ///
    /// A message that names the mistake and the right syntax.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let shown = Quoted(text);
        let text = text.trim();
        if let Some(digest) = decode_hex(text) {
            let algorithm = DigestAlgorithm::value_variants();
            let algorithm = algorithm.iter().find(|one| one.length() == digest.len());
            let algorithm = *algorithm.ok_or_else(|| {
                format!(
                    "checksum {shown}: no algorithm has {} digits: write sha256: and 64 digits",
                    text.len()
                )
            })?;
            return Ok(Self { algorithm, digest });
        }
        let Some((algorithm, rest)) = DigestAlgorithm::split_name(text) else {
            return Err(format!(
                "checksum {shown}: no algorithm: write sha256: before the digits, or md5:, sha1:, sha512:"
            ));
        };
        let rest = rest.trim();
        let base64 = || {
            let text = rest.trim_matches(':');
            let decoded = base64::engine::general_purpose::STANDARD.decode(text);
            decoded.ok()
        };
        let has_length = |digest: &Vec<u8>| digest.len() == algorithm.length();
        let digest = decode_hex(rest).filter(has_length);
        let digest = digest.or_else(|| base64().filter(has_length));
        let digest = digest.ok_or_else(|| {
            let (name, digits) = (algorithm.name(), 2 * algorithm.length());
            format!("checksum {shown}: {name} has {digits} hexadecimal digits, or base64 of them")
        })?;
        Ok(Self { algorithm, digest })
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), hex(&self.digest))
    }
}

/// Computes the digests of one body, chunk by chunk.
pub(crate) struct BodyHasher {
    others: Vec<(DigestAlgorithm, OtherHasher)>,
    sha256: digest::Context,
}

enum OtherHasher {
    Md5(md5::Md5),
    Ring(digest::Context),
}

/// The results of a [`BodyHasher`].
#[derive(Clone, Debug)]
pub(crate) struct BodyDigests {
    others: Vec<Checksum>,
    pub(crate) sha256: [u8; 32],
}

impl BodyHasher {
    /// Computes SHA-256 and the digests of these algorithms.
    pub(crate) fn new(algorithms: impl IntoIterator<Item = DigestAlgorithm>) -> Self {
        let mut others: Vec<(DigestAlgorithm, OtherHasher)> = Vec::new();
        for algorithm in algorithms {
            if others.iter().any(|(known, _)| *known == algorithm) {
                continue;
            }
            let other = match algorithm {
                DigestAlgorithm::Md5 => OtherHasher::Md5(md5::Md5::new()),
                DigestAlgorithm::Sha1 => {
                    OtherHasher::Ring(digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY))
                }
                DigestAlgorithm::Sha256 => continue,
                DigestAlgorithm::Sha512 => OtherHasher::Ring(digest::Context::new(&digest::SHA512)),
            };
            others.push((algorithm, other));
        }
        Self {
            others,
            sha256: digest::Context::new(&digest::SHA256),
        }
    }

    pub(crate) fn update(&mut self, chunks: &[Bytes]) {
        for chunk in chunks {
            self.sha256.update(chunk);
            for (_, other) in &mut self.others {
                match other {
                    OtherHasher::Md5(context) => context.update(chunk),
                    OtherHasher::Ring(context) => context.update(chunk),
                }
            }
        }
    }

    pub(crate) fn finish(self) -> BodyDigests {
        let others = self.others.into_iter().map(|(algorithm, other)| Checksum {
            algorithm,
            digest: match other {
                OtherHasher::Md5(context) => context.finalize().to_vec(),
                OtherHasher::Ring(context) => context.finish().as_ref().to_vec(),
            },
        });
        let others = others.collect();
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.sha256.finish().as_ref());
        BodyDigests { others, sha256 }
    }
}

impl BodyDigests {
    /// The digest of this algorithm, if it was computed.
    pub(crate) fn get(&self, algorithm: DigestAlgorithm) -> Option<Checksum> {
        if algorithm == DigestAlgorithm::Sha256 {
            let digest = self.sha256.to_vec();
            return Some(Checksum { algorithm, digest });
        }
        let mut others = self.others.iter();
        others.find(|other| other.algorithm == algorithm).cloned()
    }
}

/// Encodes bytes in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(
        digits
            .chunks(2)
            .map(|pair| (pair[0] * 16 + pair[1]) as u8)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "abc": RFC 1321, and FIPS 180-2, appendices A to C.
    const ABC: [&str; 3] = [
        "md5:900150983cd24fb0d6963f7d28e17f72",
        "sha1:a9993e364706816aba3e25717850c26c9cd0d89d",
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ];

    #[test]
    fn digests_are_those_of_the_standards() {
        let mut hasher = BodyHasher::new([
            DigestAlgorithm::Md5,
            DigestAlgorithm::Sha1,
            DigestAlgorithm::Md5,
        ]);
        hasher.update(&["a".into(), "bc".into()]);
        let digests = hasher.finish();
        for text in ABC {
            let expected = Checksum::parse(text).unwrap();
            assert_eq!(digests.get(expected.algorithm), Some(expected.clone()));
            assert_eq!(expected.to_string(), text);
        }
        assert_eq!(digests.get(DigestAlgorithm::Sha512), None);
    }

    #[test]
    fn names_and_digits_are_case_insensitive() {
        let shouted = ABC[2].to_ascii_uppercase().replace("SHA256", "SHA-256");
        assert_eq!(Checksum::parse(&shouted), Checksum::parse(ABC[2]));
    }

    #[test]
    fn every_usual_form_is_read() {
        let hex = &ABC[2]["sha256:".len()..];
        let base64 = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
        for text in [
            hex.to_owned(),
            format!("sha256={hex}"),
            format!("sha-256={hex}"),
            format!(" SHA256 : {hex} "),
            format!("sha256-{base64}"),
            format!("sha-256=:{base64}:"),
        ] {
            assert_eq!(Checksum::parse(&text), Checksum::parse(ABC[2]), "{text}");
        }
        let md5 = &ABC[0]["md5:".len()..];
        assert_eq!(Checksum::parse(md5), Checksum::parse(ABC[0]));
    }

    #[test]
    fn errors_name_the_mistake() {
        for (text, why) in [
            ("900150", "no algorithm has 6 digits"),
            ("abc", "write sha256:"),
            ("crc:00", "write sha256:"),
            ("md5:00", "32 hexadecimal"),
            ("md5:zz0150983cd24fb0d6963f7d28e17f72", "32 hexadecimal"),
        ] {
            let error = Checksum::parse(text).unwrap_err();
            assert!(error.contains(why) && error.contains(text), "{error}");
        }
    }
}
