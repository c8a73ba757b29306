//! Looks for what is wrong with pictures and sound while they are encoded: black, still, silent, clipped, film
//! that was made tape.
//!
//! Each part of a title is looked at by itself. What touches its first or last moment is told however short it is, since it
//! may go on in the part before or after: [`QualityRules::told`] puts them together.
//!
//! [`QualityRules::told`]: headwater_model::quality::QualityRules::told

use headwater_model::flaw::{Flaw, FlawKind};

mod picture;
mod pulldown;
mod sound;

pub(crate) use picture::PictureWatch;
pub(crate) use sound::SoundWatch;

/// More flaws of a part are not told: nobody reads them, and what is stored of a title has to have a bound.
const MOST: usize = 200;

/// Something that lasts, from when it begins until it is over.
#[derive(Debug)]
struct Lasting {
    kind: FlawKind,
    track: Option<String>,
    /// What is shorter is no flaw, unless it touches an end of the part.
    least_ms: u64,
    since: Option<u64>,
}

impl Lasting {
    fn new(kind: FlawKind, track: Option<&str>, least_ms: u64) -> Self {
        Self { kind, track: track.map(str::to_owned), least_ms, since: None }
    }

    /// It is there, or not, from `now` on; `part` is when the part begins.
    fn is(&mut self, there: bool, now: u64, part: u64, found: &mut Vec<Flaw>) {
        match (there, self.since) {
            (true, None) => self.since = Some(now),
            (false, Some(since)) => {
                self.since = None;
                if since == part || now - since >= self.least_ms {
                    self.tell(since, now, found);
                }
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// The part ends.
    fn end(&mut self, now: u64, found: &mut Vec<Flaw>) {
        if let Some(since) = self.since.take() {
            self.tell(since, now, found);
        }
    }

    fn tell(&self, from_ms: u64, to_ms: u64, found: &mut Vec<Flaw>) {
        if found.len() < MOST {
            found.push(Flaw { kind: self.kind.clone(), track: self.track.clone(), from_ms, to_ms });
        }
    }
}
