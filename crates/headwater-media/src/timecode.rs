//! The timecode track of MP4 and QuickTime masters (QuickTime File Format, "Timecode media"), which their demuxer passes
//! over.

use gstreamer_video as gst_video;

use crate::movie::{child, children, u32_at};

/// Where a movie's first timecode stands, and how it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    /// Where in the file the number of the first frame stands, as 32 bits.
    pub(crate) at: u64,
    /// Frames per second, as a fraction.
    rate: (u32, u32),
    drops_frames: bool,
}

impl Start {
    /// What the frame with this number is called: `01:00:00:00`, or `01:00:00;00` where minutes leave numbers out so as to
    /// keep up with the clock (SMPTE ST 12-1). `None` for rates that have no timecode.
    pub(crate) fn frame(&self, number: u32) -> Option<String> {
        let flags = match self.drops_frames {
            true => gst_video::VideoTimeCodeFlags::DROP_FRAME,
            false => gst_video::VideoTimeCodeFlags::empty(),
        };
        let (num, den) = (i32::try_from(self.rate.0).ok()?, i32::try_from(self.rate.1).ok()?);
        let rate = (num > 0 && den > 0).then(|| gstreamer::Fraction::new(num, den))?;
        let mut code = gst_video::ValidVideoTimeCode::new(rate, None, flags, 0, 0, 0, 0, 0).ok()?;
        code.add_frames(number.into());
        Some(code.to_string())
    }
}

/// Where the timecode of a `moov` box, given with its header, begins; `None` when it has none.
pub(crate) fn of_movie(moov: &[u8]) -> Option<Start> {
    let movie = child(moov, b"moov")?;
    children(movie).filter(|(kind, _)| kind == b"trak").find_map(|(_, track)| of_track(track))
}

fn of_track(track: &[u8]) -> Option<Start> {
    let table = ["mdia", "minf", "stbl"]
        .iter()
        .try_fold(track, |inside, kind| child(inside, kind.as_bytes()))?;
    // Version and flags, number of entries; then the first entry.
    let entry = child(child(table, b"stsd")?.get(8..)?, b"tmcd")?;
    // Behind six reserved bytes, the data reference and four more reserved bytes.
    let flags = u32_at(entry, 12)?;
    let rate = (u32_at(entry, 16)?, u32_at(entry, 20)?);
    let at = match (child(table, b"stco"), child(table, b"co64")) {
        (Some(chunks), _) => u32_at(chunks, 8)?.into(),
        (None, Some(chunks)) => u64::from_be_bytes(chunks.get(8..16)?.try_into().ok()?),
        (None, None) => return None,
    };
    Some(Start { at, rate, drops_frames: flags & 1 != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len() + 8).unwrap().to_be_bytes();
        [&size[..], kind, body].concat()
    }

    fn movie(flags: u32, rate: (u32, u32), at: u32) -> Vec<u8> {
        let words = |words: &[u32]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>();
        let entry = [&[0; 6][..], &[0, 1], &words(&[0, flags, rate.0, rate.1]), &[30, 0]].concat();
        let descriptions = [words(&[0, 1]), boxed(b"tmcd", &entry)].concat();
        let table = [boxed(b"stsd", &descriptions), boxed(b"stco", &words(&[0, 1, at]))].concat();
        let picture = boxed(b"trak", &boxed(b"tkhd", &[0; 80]));
        let track = boxed(b"trak", &boxed(b"mdia", &boxed(b"minf", &boxed(b"stbl", &table))));
        boxed(b"moov", &[picture, track].concat())
    }

    #[test]
    fn the_first_frame_is_named_as_its_track_counts() {
        gstreamer::init().unwrap();
        let found = of_movie(&movie(0, (25, 1), 4711)).unwrap();
        assert_eq!(found.at, 4711);
        assert_eq!(found.frame(0).as_deref(), Some("00:00:00:00"));
        assert_eq!(found.frame(25 * 3600 + 7).as_deref(), Some("01:00:00:07"));
        let dropping = of_movie(&movie(1, (30_000, 1001), 0)).unwrap();
        assert_eq!(dropping.frame(1799).as_deref(), Some("00:00:59;29"));
        assert_eq!(
            dropping.frame(1800).as_deref(),
            Some("00:01:00;02"),
            "two numbers are left out"
        );
        let nonsense = of_movie(&movie(0, (25, 0), 0)).unwrap();
        assert_eq!(nonsense.frame(5), None);
    }

    #[test]
    fn a_movie_without_one_or_with_half_of_one_has_none() {
        assert_eq!(of_movie(&boxed(b"moov", &boxed(b"trak", b""))), None);
        let whole = movie(0, (25, 1), 0);
        for length in 0..whole.len() {
            assert_eq!(of_movie(&whole[..length]), None, "{length} bytes");
        }
    }
}
