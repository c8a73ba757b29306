//! Black and still pictures, seen on the smallest rendition: what is wrong with a picture is wrong with it at any size.

use headwater_model::flaw::{Flaw, FlawKind};
use headwater_model::quality::QualityRules;

use super::Lasting;
use super::pulldown::Pulldown;

/// Luma up to this is black: a tenth above it, as broadcasters measure (of 8 bits and limited range).
const BLACK: u8 = 16 + 22;

/// Share of a black picture that may be something else, such as a station's logo: one in so many samples.
const REST: usize = 50;

/// Side of the squares that are compared.
const SQUARE: usize = 16;

/// A picture in which no square is further than this from that of the picture before, on average, stands still: what noise
/// and an encoder's key frames change is less.
const STILL: u32 = 3;

/// Looks at pictures one after the other.
#[derive(Debug)]
pub(crate) struct PictureWatch {
    start_ms: u64,
    before: Vec<u8>,
    black: Lasting,
    still: Lasting,
    pulldown: Pulldown,
    /// When the picture before was shown: a freeze begins with the first of its pictures.
    last_ms: u64,
    found: Vec<Flaw>,
}

impl PictureWatch {
    /// For a part that begins at `start_ms` of the title.
    pub(crate) fn new(start_ms: u64, rules: &QualityRules) -> Self {
        Self {
            start_ms,
            before: Vec::new(),
            black: Lasting::new(FlawKind::Black, None, rules.black_ms),
            still: Lasting::new(FlawKind::Freeze, None, rules.freeze_ms),
            pulldown: Pulldown::new(),
            last_ms: start_ms,
            found: Vec::new(),
        }
    }

    /// Looks at the luma of the picture that is shown from `at_ms` of the title on.
    pub(crate) fn see(
        &mut self,
        luma: &[u8],
        stride: usize,
        (width, height): (usize, usize),
        at_ms: u64,
    ) {
        let lines = luma.chunks(stride.max(1)).take(height).filter_map(|line| line.get(..width));
        let dark: usize = lines.clone().map(dark).sum();
        let is_black = (width * height - dark) * REST <= width * height;
        let same = self.before.len() == width * height
            && is_still(lines.clone(), self.before.chunks(width.max(1)));
        self.black.is(is_black, at_ms, self.start_ms, &mut self.found);
        // A black picture stands still; once is enough to say so.
        let still = same && !is_black;
        let since = if still { self.last_ms } else { at_ms };
        self.still.is(still, since, self.start_ms, &mut self.found);
        self.pulldown.see(lines.clone(), at_ms, self.start_ms, &mut self.found);
        if !same {
            self.before.clear();
            lines.for_each(|line| self.before.extend_from_slice(line));
        }
        self.last_ms = at_ms;
    }

    /// What was found, once the part is over at `end_ms` of the title.
    pub(crate) fn finish(mut self, end_ms: u64) -> Vec<Flaw> {
        self.black.end(end_ms, &mut self.found);
        self.still.end(end_ms, &mut self.found);
        self.pulldown.end(end_ms, &mut self.found);
        self.found
    }
}

/// Samples of a line that are black.
fn dark(line: &[u8]) -> usize {
    // Pieces so short that a byte counts them: that is what processors do at once.
    line.chunks(255)
        .map(|piece| usize::from(piece.iter().map(|v| u8::from(*v <= BLACK)).sum::<u8>()))
        .sum()
}

/// Whether no square of the picture has changed.
fn is_still<'a, 'b>(
    lines: impl Iterator<Item = &'a [u8]>,
    before: impl Iterator<Item = &'b [u8]>,
) -> bool {
    let mut sums: Vec<u32> = Vec::new();
    let mut lines = lines.zip(before).peekable();
    while lines.peek().is_some() {
        sums.clear();
        let mut high = 0u32;
        for (line, before) in lines.by_ref().take(SQUARE) {
            high += 1;
            sums.resize(line.len().div_ceil(SQUARE), 0);
            let pieces = line.chunks(SQUARE).zip(before.chunks(SQUARE));
            for (sum, (piece, before)) in sums.iter_mut().zip(pieces) {
                *sum +=
                    piece.iter().zip(before).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>();
            }
        }
        if sums.iter().any(|sum| *sum > STILL * SQUARE as u32 * high) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (usize, usize) = (70, 40);

    /// Pictures of 100 ms, each a picture of that grey with a stripe of white of so many lines.
    fn watch(start_ms: u64, pictures: &[(u8, usize)]) -> Vec<String> {
        let rules = QualityRules { black_ms: 300, freeze_ms: 300, ..QualityRules::default() };
        let mut watch = PictureWatch::new(start_ms, &rules);
        let mut now = start_ms;
        for (grey, white) in pictures {
            let mut luma = vec![*grey; 80 * SIZE.1];
            luma[..80 * white].fill(235);
            watch.see(&luma, 80, SIZE, now);
            now += 100;
        }
        watch.finish(now).iter().map(Flaw::to_string).collect()
    }

    fn moving(n: usize) -> Vec<(u8, usize)> {
        (0..n).map(|n| (60 + n as u8 * 9, 3)).collect()
    }

    #[test]
    fn black_is_told_with_its_times() {
        let pictures = [moving(4), vec![(16, 0); 5], moving(4)].concat();
        assert_eq!(
            watch(1000, &pictures),
            ["the picture is black from 0:00:01.400 to 0:00:01.900"]
        );
        let short = [moving(4), vec![(30, 0); 2], moving(4)].concat();
        assert!(watch(1000, &short).is_empty());
        let logo = [moving(4), vec![(16, 1); 5], moving(4)].concat();
        let lit = watch(1000, &logo);
        assert_eq!(
            lit,
            ["the picture stands still from 0:00:01.400 to 0:00:01.900"],
            "a fortieth is lit"
        );
    }

    #[test]
    fn a_still_picture_begins_with_its_first() {
        let pictures = [moving(4), vec![(200, 3); 6], moving(3)].concat();
        assert_eq!(
            watch(0, &pictures),
            ["the picture stands still from 0:00:00.400 to 0:00:01.000"]
        );
        let noise: Vec<(u8, usize)> = (0..9).map(|n| (100 + n % 2 * 2, 3)).collect();
        assert_eq!(watch(0, &noise).len(), 1, "noise is no movement");
        // A square somewhere is.
        let rules = QualityRules { freeze_ms: 100, ..QualityRules::default() };
        let mut watch = PictureWatch::new(0, &rules);
        for n in 0..9usize {
            let mut luma = vec![100; 70 * 40];
            (0..9).for_each(|y| luma[(20 + y) * 70 + n * 6..][..9].fill(200));
            watch.see(&luma, 70, SIZE, n as u64 * 100);
        }
        assert!(watch.finish(900).is_empty());
    }

    #[test]
    fn what_touches_an_end_is_told_however_short() {
        let pictures = [vec![(16, 0); 2], moving(4), vec![(16, 0); 1]].concat();
        assert_eq!(
            watch(5000, &pictures),
            [
                "the picture is black from 0:00:05.000 to 0:00:05.200",
                "the picture is black from 0:00:05.600 to 0:00:05.700"
            ]
        );
    }
}
