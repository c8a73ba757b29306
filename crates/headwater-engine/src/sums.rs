//! Checksums that come with a master: in the manifest of a delivery, or in files beside it, `film.mov.md5` and
//! `film.mov.sha256`, as `md5sum` and `sha256sum` write them, with `--tag` or without, or with nothing but the digits.

use std::collections::BTreeMap;

use headwater_model::address::Address;
use headwater_model::refusal::Code;
use headwater_model::task::Failure;
use headwater_ports::masters::{MasterError, MasterErrorKind, Masters};
use tokio::task::spawn_blocking;

use crate::bundle;
use crate::failure::{later, never};
use crate::hash::StretchDigests;
use crate::master::Opened;

/// Bytes of a file with checksums: those of a thousand files.
const LONGEST: u64 = 128 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Md5,
    Sha256,
}

impl Kind {
    const ALL: [Kind; 2] = [Kind::Md5, Kind::Sha256];

    fn ending(self) -> &'static str {
        match self {
            Kind::Md5 => "md5",
            Kind::Sha256 => "sha256",
        }
    }

    /// Where it would be said what a file or an object hashes to.
    fn beside(self, at: &Address) -> Option<Address> {
        let ending = self.ending();
        match at {
            Address::File(path) => {
                let mut name = path.as_os_str().to_owned();
                name.push(format!(".{ending}"));
                Some(Address::File(name.into()))
            }
            Address::Object { bucket, key } => {
                Some(Address::Object { bucket: bucket.clone(), key: format!("{key}.{ending}") })
            }
            // The next name on a web server may be anything, and asking for it may cost.
            Address::Web(_) => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Md5 => "MD5",
            Kind::Sha256 => "SHA-256",
        }
    }

    fn digits(self) -> usize {
        match self {
            Kind::Md5 => 32,
            Kind::Sha256 => 64,
        }
    }
}

/// What somebody says that a file hashes to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sum {
    /// Number of the file in the delivery; 0 where there is one file only.
    file: usize,
    /// Its name, for people.
    name: String,
    kind: Kind,
    digits: String,
    /// Who says so, for people.
    says: String,
}

/// All checksums that came with a master.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sums(Vec<Sum>);

impl Sums {
    /// Whether somebody says what the MD5 of this file is.
    pub(crate) fn want_md5(&self, file: usize) -> bool {
        self.0.iter().any(|sum| sum.file == file && sum.kind == Kind::Md5)
    }

    /// Fails unless each file has the digests that it should have.
    pub(crate) fn check(&self, found: &[StretchDigests]) -> Result<(), Failure> {
        for Sum { file, name, kind, digits, says } in &self.0 {
            let found = found.get(*file).and_then(|found| match kind {
                Kind::Md5 => found.md5.map(|md5| md5.to_string()),
                Kind::Sha256 => Some(found.sha256.to_string()),
            });
            let found = found.unwrap_or_default();
            if !found.eq_ignore_ascii_case(digits) {
                let (kind, wanted) = (kind.name(), digits.to_lowercase());
                let text =
                    format!("the {kind} of `{name}` is {found} and not {wanted}, as {says} says");
                return Err(never(Code::ChecksumMismatch, text));
            }
        }
        Ok(())
    }
}

/// What came with a master that was looked at.
pub(crate) async fn of(masters: &dyn Masters, opened: &Opened) -> Result<Sums, Failure> {
    let mut sums = Vec::new();
    let Some(bundled) = &opened.bundled else {
        beside(masters, &opened.at, 0, opened.at.name(), &mut sums).await?;
        return Ok(Sums(sums));
    };
    let delivery = &bundled.delivery;
    for (n, file) in bundled.files.iter().enumerate() {
        let tables: [(Kind, &BTreeMap<String, String>); 2] =
            [(Kind::Md5, &delivery.md5), (Kind::Sha256, &delivery.sha256)];
        for (kind, table) in tables {
            sums.extend(table.get(&file.file).map(|digits| Sum {
                file: n,
                name: file.file.clone(),
                kind,
                digits: digits.clone(),
                says: "the manifest".to_owned(),
            }));
        }
        let at = bundle::beside(&opened.at, &file.file);
        beside(masters, &at, n, file.file.clone(), &mut sums).await?;
    }
    Ok(Sums(sums))
}

/// What would say what this file or object hashes to.
pub(crate) fn all_beside(at: &Address) -> impl Iterator<Item = Address> {
    Kind::ALL.into_iter().filter_map(|kind| kind.beside(at))
}

async fn beside(
    masters: &dyn Masters,
    at: &Address,
    file: usize,
    name: String,
    sums: &mut Vec<Sum>,
) -> Result<(), Failure> {
    for kind in Kind::ALL {
        let Some(there) = kind.beside(at) else { continue };
        let Some(text) = text_of(masters, &there).await? else { continue };
        let says = format!("`{}`", there.name());
        let Some(digits) = digits(&text, kind, &at.name()) else {
            let text = format!("{says} does not say what the {} of `{name}` is", kind.name());
            return Err(never(Code::ChecksumMismatch, text));
        };
        sums.push(Sum { file, name: name.clone(), kind, digits, says });
    }
    Ok(())
}

/// What a file says, if there is one.
async fn text_of(masters: &dyn Masters, at: &Address) -> Result<Option<String>, Failure> {
    let cannot =
        |error: std::io::Error| later(Code::Unreadable, format!("`{at}` cannot be read: {error}"));
    let bytes = match at {
        Address::File(path) => {
            let path = path.clone();
            let read = spawn_blocking(move || match std::fs::metadata(&path) {
                Ok(metadata) if metadata.len() <= LONGEST => std::fs::read(&path),
                Ok(_) => Ok(vec![]),
                Err(error) => Err(error),
            });
            match read.await.map_err(std::io::Error::other).flatten() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(cannot(error)),
            }
        }
        _ => match masters.open(at).await {
            Ok(master) if (1..=LONGEST).contains(&master.seen().bytes) => {
                let all = master.read(0..master.seen().bytes).await;
                all.map_err(MasterError::into_failure)?.to_vec()
            }
            Ok(_) => vec![],
            // A bucket that may not be listed says of everything that is not there that it may not be read.
            Err(MasterError {
                kind: MasterErrorKind::NotFound | MasterErrorKind::Denied, ..
            }) => {
                return Ok(None);
            }
            Err(error) => return Err(error.into_failure()),
        },
    };
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The digits for the file `name`: those of the line with its name, or the only ones there are.
fn digits(text: &str, kind: Kind, name: &str) -> Option<String> {
    let is_sum =
        |word: &str| word.len() == kind.digits() && word.bytes().all(|b| b.is_ascii_hexdigit());
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let mut alone = None;
    for line in lines.filter(|line| !line.is_empty()) {
        // `MD5 (film.mov) = 0123…`, as BSD has it, or `0123… *film.mov`, as GNU has it.
        let (of, digits) = match line.rsplit_once(") = ") {
            Some((of, digits)) => (of.split_once('(').map(|(_, of)| of).unwrap_or(of), digits),
            None => {
                let (digits, of) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
                (of.trim_start().trim_start_matches('*'), digits)
            }
        };
        let of = of.rsplit(['/', '\\']).next().unwrap_or(of);
        match of {
            _ if !is_sum(digits) => {}
            "" => alone = Some(digits.to_owned()),
            of if of == name => return Some(digits.to_owned()),
            _ => {}
        }
    }
    alone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read_as_tools_write_them() {
        let sum = "0123456789abcdef0123456789ABCDEF";
        for text in [
            format!("{sum}\n"),
            format!("\u{feff}{sum}"),
            format!("{sum}  film.mov\n"),
            format!("{sum} *./masters/film.mov\r\n"),
            format!("ffffffffffffffffffffffffffffffff  other.mov\n{sum}  film.mov\n"),
            format!("MD5 (film.mov) = {sum}\n"),
        ] {
            assert_eq!(digits(&text, Kind::Md5, "film.mov").as_deref(), Some(sum), "{text}");
        }
        for text in ["", "film.mov", &format!("{sum}  other.mov"), &sum[1..]] {
            assert_eq!(digits(text, Kind::Md5, "film.mov"), None, "{text}");
        }
        assert_eq!(digits(sum, Kind::Sha256, "film.mov"), None);
    }
}
