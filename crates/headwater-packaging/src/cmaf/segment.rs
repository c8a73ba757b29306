//! Writes everything of a media segment that comes before its samples.

use mp4_atom::{
    Encode, FourCC, Header, Mfhd, Moof, Styp, Tfdt, Tfhd, Traf, Trun, TrunEntry, TrunSamples,
};

use super::{Error, TRACK_ID};

/// One sample of a segment, in decoding order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Its size in bytes.
    pub size: u32,
    /// How long until the next one is decoded, in ticks.
    pub duration: u32,
    /// Presentation time minus decoding time, in ticks, the track's delay ([`VideoInit::delay`]) included: never
    /// negative. All 0 for audio.
    ///
    /// [`VideoInit::delay`]: super::VideoInit::delay
    pub composition_offset: i32,
    /// Decoding can start here. True for every sample of AAC.
    pub key: bool,
}

/// `sample_depends_on = 2`: depends on no other sample (ISO/IEC 14496-12, 8.8.3.1).
pub(super) const KEY_FLAGS: u32 = 0x0200_0000;
/// `sample_depends_on = 1` and `sample_is_non_sync_sample`.
pub(super) const DELTA_FLAGS: u32 = 0x0101_0000;

/// Size of the header of `mdat`: size and four characters.
const MDAT_HEADER: u32 = 8;

/// The bytes before the samples: `styp`, `moof` and the header of `mdat`. Appending the samples in order makes a whole
/// media segment.
///
/// `sequence` counts the track's segments from 1; `base_decode_time` (`tfdt`) is when the first sample is decoded, in
/// ticks.
///
/// # Errors
/// When there are no samples, or 4 GiB of them, or one has a negative composition offset.
pub fn segment_head(
    sequence: u32,
    base_decode_time: u64,
    samples: &[Sample],
) -> Result<Vec<u8>, Error> {
    if samples.is_empty() {
        return Err(Error::NoSamples);
    }
    let early = |s: &Sample| s.composition_offset < 0;
    if let Some((number, sample)) = samples.iter().enumerate().find(|(_, s)| early(s)) {
        return Err(Error::Early { number, ticks: sample.composition_offset.unsigned_abs() });
    }
    let payload: u64 = samples.iter().map(|s| u64::from(s.size)).sum();
    let limit = u64::from(u32::MAX - MDAT_HEADER);
    if payload > limit {
        return Err(Error::TooLarge { what: "`mdat` of a segment", value: payload, limit });
    }

    let (tfhd, entries) = compact(samples);
    let mut moof = Moof {
        mfhd: Mfhd { sequence_number: sequence },
        traf: vec![Traf {
            tfhd,
            tfdt: Some(Tfdt { base_media_decode_time: base_decode_time }),
            ..Traf::default()
        }],
    };
    // The offset of the data is the size of `moof`, which does not depend on the value of the offset.
    let mut with_offset = |data_offset: i32, entries: Vec<TrunEntry>| {
        let trun = Trun { data_offset: Some(data_offset), samples: TrunSamples::Explicit(entries) };
        if let Some(traf) = moof.traf.first_mut() {
            traf.trun = vec![trun];
        }
        let mut buf = Vec::new();
        moof.encode(&mut buf).map_err(Error::Write)?;
        Ok(buf)
    };
    let size = with_offset(0, entries.clone())?.len();
    let too_many = |_| Error::TooLarge {
        what: "number of samples of a segment",
        value: samples.len() as u64,
        // 16 bytes a sample, and the offset is signed.
        limit: u64::from(u32::MAX / 2 / 16),
    };
    let moof = with_offset(i32::try_from(size + MDAT_HEADER as usize).map_err(too_many)?, entries)?;

    let mut head = Vec::new();
    styp().encode(&mut head).map_err(Error::Write)?;
    head.extend_from_slice(&moof);
    let mdat = Header { kind: FourCC::new(b"mdat"), size: usize::try_from(payload).ok() };
    mdat.encode(&mut head).map_err(Error::Write)?;
    Ok(head)
}

/// `msdh`: a media segment of DASH; `cmfs` and `cmff`: a CMAF segment that is one fragment; `cmfc` as in the init
/// segment.
fn styp() -> Styp {
    Styp {
        major_brand: FourCC::new(b"cmfs"),
        minor_version: 0,
        compatible_brands: [b"cmfs", b"cmff", b"cmfc", b"msdh"].map(FourCC::new).to_vec(),
    }
}

/// Says what all samples share once, in `tfhd`, and the rest sample by sample.
fn compact(samples: &[Sample]) -> (Tfhd, Vec<TrunEntry>) {
    let flags = |s: &Sample| if s.key { KEY_FLAGS } else { DELTA_FLAGS };
    let shared = |of: &dyn Fn(&Sample) -> u32| {
        let first = samples.first().map(of);
        first.filter(|first| samples.iter().all(|s| of(s) == *first))
    };
    let duration = shared(&|s| s.duration);
    let size = shared(&|s| s.size);
    let all_flags = shared(&flags);
    // The usual segment of one GOP: a key, then none. `trun` has a place for exactly that.
    let key_first = all_flags.is_none()
        && samples.first().is_some_and(|s| s.key)
        && samples.iter().skip(1).all(|s| !s.key);
    let any_offset = samples.iter().any(|s| s.composition_offset != 0);
    let entries = samples
        .iter()
        .enumerate()
        .map(|(n, s)| TrunEntry {
            duration: duration.is_none().then_some(s.duration),
            size: size.is_none().then_some(s.size),
            flags: match (all_flags, key_first) {
                (Some(_), _) => None,
                (None, true) => (n == 0).then_some(KEY_FLAGS),
                (None, false) => Some(flags(s)),
            },
            // mp4-atom makes this version 1 of `trun`, with signed offsets, which `cmfc` allows. What a
            // sample can say, 0 to 2^31 - 1, has the same bits in version 0.
            cts: any_offset.then_some(s.composition_offset.into()),
        })
        .collect();
    let tfhd = Tfhd {
        track_id: TRACK_ID,
        default_sample_duration: duration,
        default_sample_size: size,
        default_sample_flags: all_flags.or(key_first.then_some(DELTA_FLAGS)),
        default_base_is_moof: true,
        ..Tfhd::default()
    };
    (tfhd, entries)
}
