//! Why work was refused or failed: one plain sentence for content ops and a stable code for machines (R10).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A stable, documented code. Codes are never renamed: alert rules and scripts match on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The file has no bytes.
    EmptyFile,
    /// A folder (or a device, a socket) stands where a master was expected.
    NotAFile,
    /// The file cannot be opened with the rights the service has.
    Unreadable,
    /// There is no file where one was asked for.
    NoSuchFile,
    /// What was given as a master's address is none, or holds a secret.
    BadAddress,
    /// The file was there and is gone.
    MasterGone,
    /// The master is only in the archive, in a storage class that cannot be read until it is restored.
    MasterInColdStorage,
    /// The file's size, time or content changed while it was read.
    MasterChanged,
    /// No container or codec was recognised.
    NotMedia,
    /// The container is recognised and broken: truncated, no index, unreadable structure.
    DamagedMaster,
    /// There is nothing to show and nothing to hear.
    NoVideoTrack,
    /// No decoder is installed for a track's codec.
    UnsupportedCodec,
    /// A picture has more samples than are decoded here.
    PictureTooLarge,
    /// The master has flaws that its pipeline does not take.
    QualityRejected,
    /// A file of a delivery is not the one that its manifest names the checksum of.
    ChecksumMismatch,
    /// The decoder gives other frames than the index promised.
    FrameCountMismatch,
    /// Another title already has this master with this pipeline.
    DuplicateMaster,
    /// The pipeline asks for something that this master cannot give.
    PipelineMismatch,
    /// A GStreamer element that the work needs, such as an encoder that the pipeline names, is not installed.
    ElementMissing,
    /// Spool or catalog has no space left.
    DiskFull,
    /// An origin that is needed has no space left.
    OriginFull,
    /// The origin refuses or cannot be reached.
    OriginUnavailable,
    /// The transcoder child crashed, hung or ran out of a limit, as often as it may.
    TranscoderFailed,
    /// The verifier found an object missing, empty, truncated, altered or unreadable.
    NotProven,
    /// The origin has everything, and the CDN in front of it does not give it.
    NotOnEdge,
    /// What was lost was made again and came out as other bytes, and no new version could take its place by itself.
    MadeDifferently,
    /// A newer master or another pipeline was asked for before the package was done.
    Superseded,
    /// Somebody asked for it to be given up.
    Cancelled,
    /// Something that should not happen; the message says what.
    Internal,
}

impl Code {
    /// The code as it is printed and stored, for example `no-video-track`.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::EmptyFile => "empty-file",
            Code::NotAFile => "not-a-file",
            Code::Unreadable => "unreadable",
            Code::NoSuchFile => "no-such-file",
            Code::BadAddress => "bad-address",
            Code::MasterGone => "master-gone",
            Code::MasterInColdStorage => "master-in-cold-storage",
            Code::MasterChanged => "master-changed",
            Code::NotMedia => "not-media",
            Code::DamagedMaster => "damaged-master",
            Code::NoVideoTrack => "no-video-track",
            Code::UnsupportedCodec => "unsupported-codec",
            Code::PictureTooLarge => "picture-too-large",
            Code::QualityRejected => "quality-rejected",
            Code::ChecksumMismatch => "checksum-mismatch",
            Code::FrameCountMismatch => "frame-count-mismatch",
            Code::DuplicateMaster => "duplicate-master",
            Code::PipelineMismatch => "pipeline-mismatch",
            Code::ElementMissing => "element-missing",
            Code::DiskFull => "disk-full",
            Code::OriginFull => "origin-full",
            Code::OriginUnavailable => "origin-unavailable",
            Code::TranscoderFailed => "transcoder-failed",
            Code::NotProven => "not-proven",
            Code::NotOnEdge => "not-on-edge",
            Code::MadeDifferently => "made-differently",
            Code::Superseded => "superseded",
            Code::Cancelled => "cancelled",
            Code::Internal => "internal",
        }
    }

    /// Whether the master itself is to blame (`rejected`: send another) or the work around it (`failed`: try again).
    pub fn blames_master(self) -> bool {
        match self {
            Code::EmptyFile
            | Code::NotAFile
            | Code::Unreadable
            | Code::NotMedia
            | Code::DamagedMaster
            | Code::NoVideoTrack
            | Code::UnsupportedCodec
            | Code::PictureTooLarge
            | Code::QualityRejected
            | Code::ChecksumMismatch
            | Code::DuplicateMaster
            | Code::PipelineMismatch => true,
            Code::NoSuchFile
            | Code::BadAddress
            | Code::MasterGone
            | Code::MasterInColdStorage
            | Code::MasterChanged
            | Code::FrameCountMismatch
            | Code::ElementMissing
            | Code::DiskFull
            | Code::OriginFull
            | Code::OriginUnavailable
            | Code::TranscoderFailed
            | Code::NotProven
            | Code::NotOnEdge
            | Code::MadeDifferently
            | Code::Superseded
            | Code::Cancelled
            | Code::Internal => false,
        }
    }

    /// What a person can do about it: one sentence.
    pub fn next_step(self) -> &'static str {
        match self {
            Code::EmptyFile | Code::NotMedia | Code::DamagedMaster | Code::NoVideoTrack => {
                "Ask the supplier for the file again."
            }
            Code::NotAFile => "Drop the media file itself.",
            Code::Unreadable => {
                "Give the service the right to read the file, then ingest it again."
            }
            Code::NoSuchFile => "Check the path: nothing was queued.",
            Code::BadAddress => "Correct the address: nothing was queued.",
            Code::MasterGone => "Put the master back where it was, then ingest it again.",
            Code::MasterInColdStorage => {
                "Restore the object at the archive's provider, which takes hours, then do the same again."
            }
            Code::MasterChanged => {
                "Wait until the transfer has finished, then ingest the file again."
            }
            Code::UnsupportedCodec => {
                "Ask for the master in another codec, or install a GStreamer decoder for this one."
            }
            Code::PictureTooLarge => "Ask for the master in 8K or smaller.",
            Code::QualityRejected => {
                "Ask for a better master, or change what `[quality]` of the pipeline says and ingest it again."
            }
            Code::ChecksumMismatch => "Ask the supplier to send the file again.",
            Code::FrameCountMismatch => "Rewrap or re-export the master, then ingest it again.",
            Code::DuplicateMaster => {
                "Use `headwater ingest FILE --title TITLE --again` to transcode it once more."
            }
            Code::PipelineMismatch => "Choose another pipeline, such as `vod-h264`.",
            Code::ElementMissing => {
                "Install the GStreamer plugin that has it, or name another encoder in the pipeline."
            }
            Code::DiskFull => {
                "Free some space, then ingest the master again: finished spans are kept."
            }
            Code::OriginFull => {
                "Free some space on the origin, then ingest the master again: finished spans are kept."
            }
            Code::OriginUnavailable => {
                "Check the origin, then ingest the master again: finished spans are kept."
            }
            Code::TranscoderFailed => {
                "Look at the last words below; ingest again to retry: finished spans are kept."
            }
            Code::NotProven => {
                "Check the origin's storage, then ingest the master again: it is proven anew, and only what is missing is made."
            }
            Code::NotOnEdge => {
                "Check that the CDN reaches the origin, and purge the title there; then ingest the master again: nothing is made twice."
            }
            Code::MadeDifferently => {
                "Make the title again as a new version: `headwater retranscode TITLE`."
            }
            Code::Superseded => "Nothing: a newer version of the title took its place.",
            Code::Cancelled => {
                "Ingest it again when it is wanted after all: what was made is kept."
            }
            Code::Internal => "Please report this with the log of the service.",
        }
    }

    /// The same where a master was not taken at the door: nothing was queued.
    pub fn next_step_at_the_door(self) -> &'static str {
        match self {
            Code::Unreadable => {
                "Have that changed, or take the master from another place: nothing was queued."
            }
            Code::OriginUnavailable => {
                "Check the address and the server that it names: nothing was queued."
            }
            Code::PipelineMismatch => {
                "`headwater pipelines list` shows those that can be named, `headwater pipelines check FILE` what is wrong with one: nothing was queued."
            }
            code => code.next_step(),
        }
    }

    /// The same where a title that viewers have was not healed.
    pub fn next_step_of_healing(self) -> &'static str {
        match self {
            Code::EmptyFile
            | Code::NotAFile
            | Code::NoSuchFile
            | Code::BadAddress
            | Code::MasterGone
            | Code::MasterChanged => {
                "Put the master back where it was, then heal again; until then `headwater rollback` may give viewers an older version."
            }
            Code::MasterInColdStorage => {
                "Restore the object at the archive's provider, which takes hours, then heal again."
            }
            Code::Unreadable => "Give the service the right to read the master, then heal again.",
            Code::DiskFull => "Free some space, then heal again.",
            Code::OriginFull => "Free some space on the origin, then heal again.",
            Code::OriginUnavailable => {
                "Check the origin with `headwater origin test`, then heal again."
            }
            Code::TranscoderFailed => {
                "Read its last words in the log of whoever worked on it, then heal again."
            }
            Code::Cancelled => "Heal it again: what is lost is still lost.",
            Code::NotProven => "Check the origin's storage, then heal again.",
            Code::NotOnEdge => {
                "Check that the CDN reaches the origin, purge the title there, then heal again."
            }
            Code::NotMedia
            | Code::DamagedMaster
            | Code::NoVideoTrack
            | Code::UnsupportedCodec
            | Code::PictureTooLarge
            | Code::QualityRejected
            | Code::ChecksumMismatch
            | Code::FrameCountMismatch
            | Code::DuplicateMaster
            | Code::PipelineMismatch
            | Code::ElementMissing
            | Code::MadeDifferently
            | Code::Superseded
            | Code::Internal => self.next_step(),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A code and its sentence. Printed as `code: sentence`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// What kind.
    pub code: Code,
    /// One plain sentence: lower case, no full stop, says what was found.
    pub message: String,
}

impl Refusal {
    /// A refusal with its sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
