//! The two origins of a torture, and what they do that they should not.

use anyhow::{Context, Result};
use bytes::Bytes;
use headwater_lying_origin::{Call, Lie, LyingOrigin, Manners, What};
use tokio::runtime::Runtime;

use crate::masters::Package;
use crate::schedule::ORIGINS;

/// What all keys begin with.
const PREFIX: &str = "packages/main/";

/// What an origin does while it is at fault.
const FAULTS: [What; 14] = [
    What::Drop,
    What::StoreEmpty,
    What::StoreTruncated,
    What::StoreAltered,
    What::Rot,
    What::Fail(Call::Put),
    What::Fail(Call::Get),
    What::Fail(Call::List),
    What::SlowDown(Call::Put, 1),
    What::Reset(Call::Put),
    What::Reset(Call::Get),
    What::LoseAnswer(Call::Put),
    What::Hang(Call::Put),
    What::Full,
];

/// An origin.
pub(crate) struct Origin {
    pub(crate) name: &'static str,
    server: LyingOrigin,
}

/// Starts both.
pub(crate) fn start(runtime: &Runtime) -> Result<Vec<Origin>> {
    let start = |name| {
        let server = runtime.block_on(LyingOrigin::start(Manners::default()));
        Ok(Origin { name, server: server.context("start an origin")? })
    };
    ORIGINS.into_iter().map(start).collect()
}

impl Origin {
    /// What makes it an origin of Headwater.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let Manners { bucket, region, .. } = self.server.manners();
        let values = [
            ("KIND", "s3"),
            ("ENDPOINT", &self.server.endpoint()),
            ("BUCKET", bucket),
            ("REGION", region),
            ("PREFIX", "packages"),
            ("ACCESS_KEY_ID", LyingOrigin::ACCESS_KEY),
            ("SECRET_ACCESS_KEY", LyingOrigin::SECRET_KEY),
        ];
        let name = self.name.to_uppercase();
        let variable = |key: &str| format!("HEADWATER_ORIGINS_{name}_{key}");
        values.map(|(key, value)| (variable(key), value.to_owned())).to_vec()
    }

    /// Begins a fault, about all objects or those of one rendition. Says which.
    pub(crate) fn begin_fault(&self, dice: u64) -> String {
        let mut dice = fastrand::Rng::with_seed(dice);
        let what = FAULTS[dice.usize(..FAULTS.len())];
        let about = ["", "", "video-180p", "audio-1", "inventory", "index.m3u8"];
        let containing = about[dice.usize(..about.len())];
        self.server.lie(Lie { what, containing: containing.to_owned(), times: None });
        format!("{what:?} of `{containing}`")
    }

    /// Ends all faults.
    pub(crate) fn be_honest(&self) {
        self.server.be_honest();
    }

    /// Loses or alters up to three objects. Says how many.
    pub(crate) fn lose(&self, dice: u64) -> usize {
        let mut dice = fastrand::Rng::with_seed(dice);
        let keys: Vec<String> =
            self.server.keys().into_iter().filter(|key| key.starts_with(PREFIX)).collect();
        if keys.is_empty() {
            return 0;
        }
        let many = dice.usize(1..=3);
        for _ in 0..many {
            let key = &keys[dice.usize(..keys.len())];
            let cut = |bytes: Bytes| bytes.slice(..bytes.len() / 2);
            match dice.u8(..3) {
                0 => self.server.remove(key),
                honestly => self.server.alter(key, honestly == 1, cut),
            };
        }
        many
    }

    /// What it holds of a title.
    pub(crate) fn package(&self, title: &str) -> Package {
        let below = format!("{PREFIX}{title}/");
        let keys = self.server.keys().into_iter();
        keys.filter_map(|key| {
            let path = key.strip_prefix(&below)?.to_owned();
            Some((path, self.server.object(&key)?.to_vec()))
        })
        .collect()
    }
}
