//! Feeds a master into a pipeline: an `appsrc` in random-access mode over an open file descriptor, so that a child needs
//! no path, no network and no credentials (R4).

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gstreamer as gst;
use gstreamer_app as gst_app;
use headwater_model::delivery::{Bundled, LONGEST_LINE, MAGIC};
use headwater_model::master::EditList;

use crate::edits::{self, Edit, Patch};
use crate::remote::Bytes;
use crate::{movie, timecode};

/// Most bytes handed over at once when an element reads on without saying how much it wants.
const BLOCK: u32 = 256 * 1024;

/// Boxes looked at before a file is taken to have no movie header: a fragmented film may have one per second before it.
const MAX_TOP_LEVEL: usize = 100_000;

/// The movie header of a ten-hour master has some 50 MB.
const MAX_MOVIE_HEADER: u64 = 512 * 1024 * 1024;

/// What an EBML document (Matroska, RFC 9559) begins with.
const EBML: [u8; 4] = [0x1a, 0x45, 0xdf, 0xa3];

/// Who says when a track's frames are presented.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Times {
    /// The demuxer's segment.
    #[default]
    Demuxer,
    /// The time stamps themselves.
    Plain,
    /// The demuxer's segment, and then an edit that was hidden from it.
    Edited(Edit),
}

/// An open master.
#[derive(Debug, Clone)]
pub(crate) struct Master {
    file: Arc<Bytes>,
    bytes: u64,
    edits: Arc<[Edit]>,
    /// Matroska and WebM: time stamps are presentation times as they are. Its demuxer sends a segment that says otherwise
    /// before it sends the right one.
    plain_times: bool,
    /// What demuxers get to read in place of the edit lists.
    patches: Arc<[Patch]>,
    movie: Arc<Movie>,
    /// The delivery that it is a file of.
    delivery: Option<Arc<Files>>,
}

/// What a movie header says that demuxers do not tell; of other files nothing. It is read once: that of a long film is large.
#[derive(Debug, Default)]
struct Movie {
    tracks: usize,
    timecode: Option<timecode::Start>,
    edit_lists: Vec<EditList>,
    passed_over: Option<(f64, f64)>,
}

/// The files of a delivery, whose bytes come one after the other.
#[derive(Debug)]
struct Files {
    all: Arc<Bytes>,
    bundled: Bundled,
    /// Where the first begins.
    first: u64,
}

impl Master {
    /// The master that the parent put on standard input.
    pub(crate) fn from_stdin() -> std::io::Result<Self> {
        Self::new(std::io::stdin().as_fd().try_clone_to_owned()?)
    }

    /// An open file, or a socket on which a worker gives what is asked for.
    pub(crate) fn new(file: impl Into<OwnedFd>) -> std::io::Result<Self> {
        let (file, bytes) = Bytes::of(file.into())?;
        let all = Arc::new(file);
        match delivery_of(&all, bytes)? {
            Some(files) => Self::file_of(&Arc::new(files), 0),
            None => Self::of(all, bytes, None),
        }
    }

    /// File `n` of a delivery, from 0; of any other master there is only itself.
    pub(crate) fn source(&self, n: u32) -> std::io::Result<Self> {
        match &self.delivery {
            Some(files) => Self::file_of(files, n),
            None => Ok(self.clone()),
        }
    }

    /// The delivery that it is a file of.
    pub(crate) fn delivery(&self) -> Option<&Bundled> {
        self.delivery.as_ref().map(|files| &files.bundled)
    }

    /// All of it, if it is not longer than that.
    pub(crate) fn content(&self, most: u64) -> std::io::Result<Vec<u8>> {
        if self.bytes > most {
            return Err(std::io::Error::other("it is too long"));
        }
        let mut content = vec![0; usize::try_from(self.bytes).unwrap_or(0)];
        self.file.read_exact_at(&mut content, 0)?;
        Ok(content)
    }

    fn file_of(files: &Arc<Files>, n: u32) -> std::io::Result<Self> {
        let list = &files.bundled.files;
        let place = usize::try_from(n).unwrap_or(usize::MAX);
        let own = list
            .get(place)
            .ok_or_else(|| std::io::Error::other("the delivery has no such file"))?;
        let before: u64 = list.iter().take(place).map(|file| file.bytes).sum();
        let part = Bytes::Part(files.all.clone(), files.first + before);
        Self::of(Arc::new(part), own.bytes, Some(files.clone()))
    }

    fn of(file: Arc<Bytes>, bytes: u64, delivery: Option<Arc<Files>>) -> std::io::Result<Self> {
        let mut magic = [0; 4];
        // A file of less than four bytes is no media; whoever parses it will say so.
        let plain_times = file.read_exact_at(&mut magic, 0).is_ok() && magic == EBML;
        let (mut edits, mut patches, mut movie) = (Vec::new(), Vec::new(), Movie::default());
        if let Some((at, moov)) = movie_header(&file, bytes)? {
            (edits, patches) = edits::of_movie(&moov).unwrap_or_default();
            patches.iter_mut().for_each(|p| p.at += at);
            movie = Movie {
                tracks: movie::tracks(&moov),
                timecode: timecode::of_movie(&moov),
                edit_lists: edits::lists(&moov),
                passed_over: movie::passed_over(&moov),
            };
        }
        Ok(Self {
            file,
            bytes,
            plain_times,
            edits: edits.into(),
            patches: patches.into(),
            movie: Arc::new(movie),
            delivery,
        })
    }

    /// How the time stamps of a track map to the time that all tracks share.
    pub(crate) fn times(&self, stream: &str) -> Times {
        match self.edit(stream) {
            _ if self.plain_times => Times::Plain,
            Some(edit) => Times::Edited(edit),
            None => Times::Demuxer,
        }
    }

    /// The edit of a track, by the number that its demuxer gives it. None for tracks whose edits the demuxer applies.
    fn edit(&self, stream: &str) -> Option<Edit> {
        let track: u32 = stream.parse().ok()?;
        self.edits.iter().find(|e| e.track == track).copied()
    }

    /// Its size.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Timecode of the first frame by the track that MP4 and QuickTime have for it. `None` where there is none, or nothing
    /// that can be read: no viewer sees it.
    pub(crate) fn timecode(&self) -> Option<String> {
        let start = self.movie.timecode?;
        let mut number = [0; 4];
        self.file.read_exact_at(&mut number, start.at).ok()?;
        start.frame(u32::from_be_bytes(number))
    }

    /// What its edit lists say; nothing where it has none.
    pub(crate) fn edit_lists(&self) -> Vec<EditList> {
        self.movie.edit_lists.clone()
    }

    /// How many tracks its movie header has; none where it has no such header.
    pub(crate) fn claimed_tracks(&self) -> usize {
        self.movie.tracks
    }

    /// See [`movie::passed_over`].
    pub(crate) fn passed_over(&self) -> Option<(f64, f64)> {
        self.movie.passed_over
    }

    /// What is missing of an ISO base media file that cannot be read, in a sentence. `None` when nothing is, or when
    /// another container has to say so itself.
    pub(crate) fn missing_part(&self) -> Option<String> {
        let boxes = Boxes { file: &self.file, bytes: self.bytes, at: 0 };
        let (mut any, mut movie) = (false, false);
        for found in boxes.take(MAX_TOP_LEVEL) {
            let TopBox { kind, end, .. } = found.ok()?;
            if end > self.bytes {
                return kind.is_ascii().then(|| {
                    format!(
                        "the master is cut off: it has {} bytes and needs at least {end}",
                        self.bytes
                    )
                });
            }
            any = true;
            movie |= &kind == b"moov";
        }
        (any && !movie).then(|| {
            "the master has no index (`moov` box): it is cut off, or what wrote it was stopped"
                .to_owned()
        })
    }

    /// A source element that reads it. Each request is answered with exactly the bytes asked for: demuxers take less
    /// for a truncated file.
    pub(crate) fn element(&self) -> gst::Element {
        let position = Arc::new(AtomicU64::new(0));
        let seek_position = position.clone();
        let master = self.clone();
        let callbacks = gst_app::AppSrcCallbacks::builder()
            .seek_data(move |_, offset| {
                seek_position.store(offset, Ordering::SeqCst);
                true
            })
            .need_data(move |source, wanted| {
                let at = position.load(Ordering::SeqCst);
                match master.read(at, if wanted == u32::MAX { BLOCK } else { wanted }) {
                    Ok(data) if data.is_empty() => {
                        let _ = source.end_of_stream();
                    }
                    Ok(data) => {
                        let end = at + data.len() as u64;
                        position.store(end, Ordering::SeqCst);
                        let mut buffer = gst::Buffer::from_mut_slice(data);
                        if let Some(buffer) = buffer.get_mut() {
                            buffer.set_offset(at);
                            buffer.set_offset_end(end);
                        }
                        // Refused only while the pipeline shuts down.
                        let _ = source.push_buffer(buffer);
                    }
                    Err(error) => {
                        gst::element_error!(
                            source,
                            gst::ResourceError::Read,
                            ("the master cannot be read: {error}")
                        );
                        let _ = source.end_of_stream();
                    }
                }
            })
            .build();
        let source = gst_app::AppSrc::builder()
            .stream_type(gst_app::AppStreamType::RandomAccess)
            .format(gst::Format::Bytes)
            .size(i64::try_from(self.bytes).unwrap_or(i64::MAX))
            .callbacks(callbacks)
            .build();
        gst::prelude::Cast::upcast(source)
    }

    fn read(&self, at: u64, wanted: u32) -> std::io::Result<Vec<u8>> {
        let there = self.bytes.saturating_sub(at).min(u64::from(wanted));
        let mut data = vec![0; usize::try_from(there).unwrap_or(0)];
        self.file.read_exact_at(&mut data, at)?;
        for patch in self.patches.iter() {
            for (offset, byte) in (patch.at..).zip(&patch.bytes) {
                let place = offset.checked_sub(at).and_then(|n| usize::try_from(n).ok());
                if let Some(place) = place.and_then(|n| data.get_mut(n)) {
                    *place = *byte;
                }
            }
        }
        Ok(data)
    }
}

/// The files of a delivery; none of any other master.
fn delivery_of(all: &Arc<Bytes>, bytes: u64) -> std::io::Result<Option<Files>> {
    let mut magic = [0; MAGIC.len()];
    if bytes < MAGIC.len() as u64 || all.read_exact_at(&mut magic, 0).is_err() || magic != *MAGIC {
        return Ok(None);
    }
    let longest = bytes.min((MAGIC.len() + LONGEST_LINE) as u64);
    let mut start = vec![0; usize::try_from(longest).unwrap_or(0)];
    all.read_exact_at(&mut start, 0)?;
    let read = Bundled::read(&start).filter(|(bundled, first)| {
        let mut sizes = bundled.files.iter().map(|file| file.bytes);
        // A file that only says that it is a delivery may name any sizes.
        sizes.try_fold(*first, u64::checked_add) == Some(bytes)
    });
    let files = read.map(|(bundled, first)| Files { all: all.clone(), bundled, first });
    files.map(Some).ok_or_else(|| std::io::Error::other("the delivery is not what it says"))
}

/// The `moov` box of an ISO base media file and where it stands; none in other files.
fn movie_header(file: &Bytes, bytes: u64) -> std::io::Result<Option<(u64, Vec<u8>)>> {
    for found in (Boxes { file, bytes, at: 0 }).take(MAX_TOP_LEVEL) {
        let TopBox { kind, at, end } = found?;
        if end > bytes {
            return Ok(None);
        }
        if &kind == b"moov" {
            if end - at > MAX_MOVIE_HEADER {
                return Ok(None);
            }
            let mut moov = vec![0; usize::try_from(end - at).unwrap_or(0)];
            file.read_exact_at(&mut moov, at)?;
            return Ok(Some((at, moov)));
        }
    }
    Ok(None)
}

/// A box on the top level of an ISO base media file (ISO/IEC 14496-12, 4.2).
struct TopBox {
    kind: [u8; 4],
    at: u64,
    /// Where the next one starts, by what its header says.
    end: u64,
}

/// The boxes of a file, up to the first that is none or that ends behind the file's end. No boxes in other files.
struct Boxes<'a> {
    file: &'a Bytes,
    bytes: u64,
    at: u64,
}

impl Boxes<'_> {
    fn read(&self, there: u64) -> std::io::Result<Option<TopBox>> {
        let mut header = [0; 16];
        let header = &mut header[..usize::try_from(there.min(16)).unwrap_or(16)];
        self.file.read_exact_at(header, self.at)?;
        let kind = [header[4], header[5], header[6], header[7]];
        let size = match (
            u32::from_be_bytes([header[0], header[1], header[2], header[3]]),
            header.get(8..16),
        ) {
            (0, _) => there,
            (1, Some(long)) => u64::from_be_bytes(long.try_into().unwrap_or_default()),
            (short, _) => u64::from(short),
        };
        let starts_like_one =
            [b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"].contains(&&kind);
        let end = self.at.checked_add(size).filter(|_| size >= 8);
        Ok(end.filter(|_| self.at > 0 || starts_like_one).map(|end| TopBox {
            kind,
            at: self.at,
            end,
        }))
    }
}

impl Iterator for Boxes<'_> {
    type Item = std::io::Result<TopBox>;

    fn next(&mut self) -> Option<Self::Item> {
        let there = self.bytes.checked_sub(self.at).filter(|there| *there >= 8)?;
        let found = self.read(there).transpose()?;
        self.at = found.as_ref().map_or(self.bytes, |b| b.end);
        Some(found)
    }
}
