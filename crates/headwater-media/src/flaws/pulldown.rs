//! Film at 24 pictures per second that was made 30 by showing every fourth picture twice: 3:2 pulldown, of which the
//! deinterlacer leaves one repeated picture in five frames.

use std::collections::VecDeque;

use headwater_model::flaw::{Flaw, FlawKind};

use super::Lasting;

/// Frames after which the pattern begins again.
const PERIOD: usize = 5;

/// A repeated picture differs from the one before by less than this share of what the others do: what the other field and
/// an encoder leave of it is less.
const REPEATED: f64 = 0.5;

/// Pictures that differ by less, on average in steps of luma, do not move: they say nothing about a pattern.
const MOVES: f64 = 0.7;

/// Looks, each at five frames that move, of which the latest count most: two seconds of film.
const MEMORY: f64 = 60.0;

/// No sooner than after so many looks is anything certain.
const LEAST: f64 = 25.0;

/// The pattern is there when this share of the looks has found it in the same place, and over when only [`GONE`] has:
/// pictures that hardly move and edits hide it for a while.
const THERE: f64 = 0.6;

/// See [`THERE`].
const GONE: f64 = 0.3;

/// Looks for the pattern in pictures one after the other.
#[derive(Debug)]
pub(super) struct Pulldown {
    before: Vec<u8>,
    before_ms: u64,
    /// How much each of the last frames differs from the one before, and when that one was shown.
    changes: VecDeque<(f64, u64)>,
    /// Frames so far.
    frames: usize,
    /// Looks, those long ago counted less.
    looks: f64,
    /// How many of them found each of five frames to be the repeated one.
    phases: [Phase; PERIOD],
    lasting: Lasting,
}

/// One of five frames.
#[derive(Debug, Clone, Copy, Default)]
struct Phase {
    looks: f64,
    /// When the first and the last of these looks were.
    from_ms: u64,
    to_ms: u64,
}

impl Pulldown {
    pub(super) fn new() -> Self {
        Self {
            before: Vec::new(),
            before_ms: 0,
            changes: VecDeque::new(),
            frames: 0,
            looks: 0.0,
            phases: [Phase::default(); PERIOD],
            lasting: Lasting::new(FlawKind::Pulldown, None, 0),
        }
    }

    /// Looks at the luma of the picture that is shown from `at_ms` on, line by line; `part` is when the part begins.
    pub(super) fn see<'a>(
        &mut self,
        lines: impl Iterator<Item = &'a [u8]> + Clone,
        at_ms: u64,
        part: u64,
        found: &mut Vec<Flaw>,
    ) {
        let samples: usize = lines.clone().map(<[u8]>::len).sum();
        if samples > 0 && self.before.len() == samples {
            let mut rest = &self.before[..];
            let mut sum = 0u64;
            for line in lines.clone() {
                let (own, others) = rest.split_at(line.len());
                rest = others;
                sum += difference(line, own);
            }
            self.note(sum as f64 / samples as f64, at_ms, part, found);
        }
        self.before.clear();
        lines.for_each(|line| self.before.extend_from_slice(line));
        self.before_ms = at_ms;
    }

    fn note(&mut self, change: f64, at_ms: u64, part: u64, found: &mut Vec<Flaw>) {
        self.frames += 1;
        self.changes.push_back((change, self.before_ms));
        if self.changes.len() > PERIOD {
            self.changes.pop_front();
        }
        if self.changes.len() < PERIOD {
            return;
        }
        let Some(found_at) = repeated(&self.changes) else { return };
        let forget = 1.0 - 1.0 / MEMORY;
        self.looks = self.looks * forget + 1.0;
        self.phases.iter_mut().for_each(|phase| phase.looks *= forget);
        if let Some(place) = found_at {
            let phase = &mut self.phases[(self.frames + place) % PERIOD];
            if phase.looks < 0.5 {
                phase.from_ms = self.changes.front().map_or(at_ms, |(_, at)| *at);
            }
            phase.looks += 1.0;
            phase.to_ms = at_ms;
        }
        let best = self.best();
        if self.looks >= LEAST && best.looks >= THERE * self.looks {
            self.lasting.is(true, best.from_ms, part, found);
        } else if best.looks < GONE * self.looks {
            self.lasting.is(false, best.to_ms, part, found);
        }
    }

    fn best(&self) -> Phase {
        self.phases.into_iter().max_by(|a, b| a.looks.total_cmp(&b.looks)).unwrap_or_default()
    }

    /// The part ends.
    pub(super) fn end(mut self, end_ms: u64, found: &mut Vec<Flaw>) {
        let best = self.best();
        let goes_on = best.looks >= THERE * self.looks;
        self.lasting.end(if goes_on { end_ms } else { best.to_ms }, found);
    }
}

/// Which of five frames is the only one that repeats the one before; `None` where too little moves to tell.
fn repeated(changes: &VecDeque<(f64, u64)>) -> Option<Option<usize>> {
    let least = |of: &mut dyn Iterator<Item = (usize, f64)>| of.min_by(|a, b| a.1.total_cmp(&b.1));
    let all = || changes.iter().enumerate().map(|(n, (change, _))| (n, *change));
    let (place, smallest) = least(&mut all())?;
    let (_, next) = least(&mut all().filter(|(n, _)| *n != place))?;
    let most = all().map(|(_, change)| change).fold(0.0, f64::max);
    match most < MOVES {
        true => None,
        false => Some((next >= MOVES && smallest < next * REPEATED).then_some(place)),
    }
}

/// The sum of how far each sample of a line is from the other.
fn difference(line: &[u8], before: &[u8]) -> u64 {
    // Pieces so short that 16 bits count them: that is what processors do at once.
    let pieces = line.chunks(256).zip(before.chunks(256));
    pieces
        .map(|(a, b)| {
            u64::from(a.iter().zip(b).map(|(a, b)| u16::from(a.abs_diff(*b))).sum::<u16>())
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which picture each frame shows, at 30 frames per second: a bar that moves by two samples a picture.
    fn watch(pictures: impl Iterator<Item = usize>) -> Vec<String> {
        let (mut pulldown, mut found, mut now) = (Pulldown::new(), Vec::new(), 0);
        for picture in pictures {
            let mut luma = vec![40u8; 64 * 36];
            for line in luma.chunks_mut(64) {
                (0..8).for_each(|n| line[(picture * 2 + n) % 64] = 200);
            }
            pulldown.see(luma.chunks(64), now, 0, &mut found);
            now += 33;
        }
        pulldown.end(now, &mut found);
        found.iter().map(Flaw::to_string).collect()
    }

    #[test]
    fn film_made_tape_is_told() {
        let told = watch((0..150).map(|n| n * 4 / 5));
        let all = "film with 3:2 pulldown (4 pictures in 5 frames) from 0:00:00.000 to 0:00:04.950";
        assert_eq!(told, [all]);
        // Of two parts, one is film; an edit of it changes nothing.
        let edited = (0..300).map(|n| if n < 97 { n * 4 / 5 } else { (n + 2) * 4 / 5 });
        assert_eq!(watch(edited).len(), 1);
        let told = watch((0..150).map(|n| n * 4 / 5).chain(500..800));
        assert_eq!(told.len(), 1, "{told:?}");
        let told = told[0].rsplit_once(" to ").unwrap().1;
        assert!(("0:00:04.900".."0:00:05.200").contains(&told), "{told}");
    }

    #[test]
    fn other_rates_are_no_film() {
        assert!(watch(0..150).is_empty(), "video");
        assert!(watch((0..150).map(|n| n / 2)).is_empty(), "drawn in twos");
        assert!(watch((0..150).map(|_| 0)).is_empty(), "a picture that stands still");
        assert!(watch((0..150).map(|n| n * 5 / 6)).is_empty(), "25 in 30");
    }
}
