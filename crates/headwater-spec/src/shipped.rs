//! The pipelines that come with every binary.

/// A pipeline file that comes with the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shipped {
    /// Its file name, which [`crate::pipeline()`] takes: `vod-h264.toml`.
    pub file: &'static str,
    /// Its text.
    pub text: &'static str,
}

impl Shipped {
    /// The name that the pipeline is asked for by: `vod-h264`.
    pub fn name(&self) -> &'static str {
        self.file.trim_end_matches(".toml")
    }
}

/// Every file of `pipelines/`; the first one is the default.
pub const SHIPPED: &[Shipped] = &[
    Shipped { file: "vod-h264.toml", text: include_str!("../../../pipelines/vod-h264.toml") },
    Shipped { file: "copy.toml", text: include_str!("../../../pipelines/copy.toml") },
];
