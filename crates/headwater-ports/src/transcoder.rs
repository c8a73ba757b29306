//! The transcoder: looks at masters and makes segments, in a child process that may crash (R4).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use headwater_model::index::Index;
use headwater_model::inventory::ObjectRole;
use headwater_model::master::MasterFacts;
use headwater_model::plan::Plan;
use headwater_model::quality::Seen;
use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::Retry;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::masters::{Input, MasterError};

/// What a look at a master found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// Tracks and container.
    pub facts: MasterFacts,
    /// Index of the first video track.
    pub index: Index,
    /// When the first video frame is presented, on the clock that the tracks share, in nanoseconds.
    pub zero_ns: i64,
    /// Processor time that the look took, in milliseconds.
    pub cpu_ms: u64,
}

/// Which part of a plan to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Span `n` in all video renditions.
    Span(u32),
    /// All of audio rendition `n`.
    Audio(u32),
    /// All of text rendition `n`.
    Text(u32),
    /// Small pictures and the poster.
    Pictures,
}

/// One file that a child has finished in its spool folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Where it is, relative to the spool folder.
    pub file: PathBuf,
    /// Its path within the package.
    pub path: String,
    /// What it is.
    pub role: ObjectRole,
}

/// What a child reports while it works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Report {
    /// A file is finished and will not be touched again; the receiver removes it.
    Made(Made),
    /// Frames encoded so far.
    Progress {
        /// Frames.
        frames: u64,
    },
}

/// What a child that succeeded says last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// (rendition, RFC 6381 codec) of every rendition that was made.
    pub codecs: Vec<(String, String)>,
    /// Processor time that it took, in milliseconds.
    pub cpu_ms: u64,
    /// What was seen and heard of it meanwhile.
    #[serde(default, skip_serializing_if = "Seen::is_empty")]
    pub seen: Seen,
}

/// Why a child did not succeed.
#[derive(Debug, Error)]
pub enum TranscodeError {
    /// It says that the work cannot be done.
    #[error("{0}")]
    Refused(Refusal),
    /// It crashed, hung or was killed.
    #[error("the transcoder {how}")]
    Crashed {
        /// `was killed by signal 11`, `made no progress for 60 s` …
        how: String,
        /// Last lines of its log and the last message of every pipeline.
        last_words: String,
    },
    /// The master, which lies far away, could not be read on.
    #[error("the master {0}")]
    Master(MasterError),
    /// It could not be started.
    #[error("failed to start the transcoder: {0}")]
    Start(#[source] std::io::Error),
}

impl TranscodeError {
    /// The refusal to show, whether to retry, and the last words.
    pub fn into_failure(self) -> headwater_model::task::Failure {
        use headwater_model::task::Failure;
        let message = self.to_string();
        match self {
            TranscodeError::Refused(refusal) => {
                let retry = if refusal.code.blames_master() { Retry::Never } else { Retry::Later };
                Failure { refusal, retry, last_words: None }
            }
            TranscodeError::Crashed { last_words, .. } => Failure {
                refusal: Refusal::new(Code::TranscoderFailed, message),
                retry: Retry::Later,
                last_words: Some(last_words),
            },
            TranscodeError::Master(error) => error.into_failure(),
            TranscodeError::Start(_) => Failure {
                refusal: Refusal::new(Code::TranscoderFailed, message),
                retry: Retry::Later,
                last_words: None,
            },
        }
    }
}

/// Runs transcoder children. Dropping a returned future kills the child and everything it started.
#[async_trait]
pub trait Transcoder: Send + Sync {
    /// Identifies this build of the engine and of the codecs it uses: part of what makes segments equal (R1).
    async fn engine(&self) -> Result<String, TranscodeError>;

    /// GStreamer factories of the encoders that are installed: a worker takes no task whose plan was made with another.
    async fn encoders(&self) -> Result<BTreeSet<String>, TranscodeError>;

    /// Looks at a master: tracks and index.
    async fn inspect(&self, master: &Input) -> Result<Inspection, TranscodeError>;

    /// Makes one part of a plan in the empty folder `spool`. Reports come through `reports`, whose bound holds the
    /// child back when nobody takes its files away.
    async fn make(
        &self,
        master: &Input,
        plan: &Plan,
        part: Part,
        spool: &Path,
        reports: mpsc::Sender<Report>,
    ) -> Result<Done, TranscodeError>;
}
