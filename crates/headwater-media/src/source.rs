//! Feeds a master into a pipeline: an `appsrc` in random-access mode over an open file descriptor, so that a child needs
//! no path, no network and no credentials (R4).

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gstreamer as gst;
use gstreamer_app as gst_app;

/// Most bytes handed over at once when an element reads on without saying how much it wants.
const BLOCK: u32 = 256 * 1024;

/// An open master.
#[derive(Debug, Clone)]
pub(crate) struct Master {
    file: Arc<File>,
    bytes: u64,
}

impl Master {
    /// The master that the parent put on standard input.
    pub(crate) fn from_stdin() -> std::io::Result<Self> {
        Self::new(File::from(std::io::stdin().as_fd().try_clone_to_owned()?))
    }

    /// An open file.
    pub(crate) fn new(file: File) -> std::io::Result<Self> {
        let bytes = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), bytes })
    }

    /// Its size.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
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
                        gst::element_error!(source, gst::ResourceError::Read, ("the master cannot be read: {error}"));
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
        Ok(data)
    }
}
