//! What can go wrong in a child, and how it becomes a sentence for content ops.

use gstreamer as gst;
use gstreamer::prelude::*;
use headwater_model::refusal::{Code, Refusal};

/// A failed step.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A finding about the master or the machine, ready to be shown.
    #[error("{0}")]
    Refused(Refusal),
    /// An element could not be made.
    #[error("the GStreamer element `{0}` is not installed")]
    NoElement(String),
    /// A pipeline posted an error.
    #[error("{element}: {message}")]
    Pipeline { element: String, message: String, kind: PipelineFault },
    /// A pipeline did not do what it was told.
    #[error("failed to {0}")]
    Step(&'static str),
    /// No answer within a limit.
    #[error("no answer within {seconds} s while trying to {step}")]
    Stuck { step: &'static str, seconds: u64 },
    /// A file in the spool folder.
    #[error("failed to write to the spool folder: {0}")]
    Spool(#[source] std::io::Error),
    /// CMAF boxes.
    #[error("failed to package: {0}")]
    Packaging(#[from] headwater_packaging::cmaf::Error),
    /// A segment cannot be carried as MPEG-TS.
    #[error("failed to write MPEG-TS: {0}")]
    Transport(#[from] headwater_packaging::ts::Malformed),
}

/// What a pipeline's error says about the master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PipelineFault {
    /// Nobody recognises it.
    NotMedia,
    /// No decoder.
    Codec,
    /// Recognised and broken.
    Damaged,
    /// A demuxer has read something that makes no sense. That nothing could be read at all, its source or the worker says.
    GaveUp,
    /// An element could not go on, for whatever reason.
    Stream,
    /// Reading failed.
    Resource,
    /// Anything else.
    Other,
}

impl Error {
    pub(crate) fn refused(code: Code, message: impl Into<String>) -> Self {
        Error::Refused(Refusal::new(code, message))
    }

    /// The error of a bus message.
    pub(crate) fn of_message(message: &gst::message::Error) -> Self {
        let error = message.error();
        let element = message.src().map_or_else(|| "pipeline".to_owned(), |s| s.name().to_string());
        let detail =
            message.debug().map(|d| d.lines().last().unwrap_or_default().trim().to_owned());
        let by_demuxer = element.contains("demux");
        let gave_up = detail.as_deref().is_some_and(|d| d.contains("reason error (-5)"));
        let kind = if let Some(kind) = error.kind::<gst::StreamError>() {
            use gst::StreamError as E;
            match kind {
                E::TypeNotFound | E::WrongType => PipelineFault::NotMedia,
                E::CodecNotFound => PipelineFault::Codec,
                E::Decode | E::Demux | E::Format => PipelineFault::Damaged,
                E::Failed if by_demuxer && gave_up => PipelineFault::GaveUp,
                E::Failed => PipelineFault::Stream,
                _ => PipelineFault::Other,
            }
        } else if error.kind::<gst::ResourceError>().is_some() {
            PipelineFault::Resource
        } else if error.kind::<gst::CoreError>() == Some(gst::CoreError::MissingPlugin) {
            PipelineFault::Codec
        } else {
            PipelineFault::Other
        };
        let message = match detail {
            Some(detail) if !detail.is_empty() => format!("{error} ({detail})"),
            _ => error.to_string(),
        };
        Error::Pipeline { element, message, kind }
    }

    /// The sentence and code that the parent shows.
    pub(crate) fn into_refusal(self) -> Refusal {
        let message = self.to_string();
        match self {
            Error::Refused(refusal) => refusal,
            Error::NoElement(_) => Refusal::new(Code::ElementMissing, message),
            Error::Spool(source) => match source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                    Refusal::new(Code::DiskFull, "the spool folder's disk is full")
                }
                _ => Refusal::new(Code::Internal, message),
            },
            Error::Pipeline { kind, message: said, .. } => match kind {
                PipelineFault::NotMedia => Refusal::new(
                    Code::NotMedia,
                    "no media container or stream was recognised in the file",
                ),
                PipelineFault::Codec => Refusal::new(Code::UnsupportedCodec, message),
                PipelineFault::Damaged => {
                    // In brackets stands what only helps somebody with the demuxer's source.
                    let why = said.split(" (").next().unwrap_or_default();
                    let why = why.trim_end_matches('.');
                    let message = format!("the container or a stream in it cannot be read: {why}");
                    Refusal::new(Code::DamagedMaster, message)
                }
                PipelineFault::GaveUp => Refusal::new(
                    Code::DamagedMaster,
                    "the container cannot be read to its end: what it says there makes no sense",
                ),
                PipelineFault::Stream | PipelineFault::Resource | PipelineFault::Other => {
                    Refusal::new(Code::TranscoderFailed, message)
                }
            },
            Error::Step(_) | Error::Stuck { .. } | Error::Packaging(_) | Error::Transport(_) => {
                Refusal::new(Code::TranscoderFailed, message)
            }
        }
    }
}
