//! Masters, and what an undisturbed run makes of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::cluster::Site;

/// Rate and length of each: some spans of five seconds, the shortest that pipelines may have, and a last one that is shorter.
const MADE: [(&str, &str); 4] =
    [("25", "17"), ("24000/1001", "13"), ("30000/1001", "11.5"), ("50", "7.5")];

/// The name by which the pipeline is asked for.
pub(crate) const PIPELINE: &str = "torture";

/// Short spans, so that a title is many tasks; small pictures, so that it is little work.
pub(crate) const PIPELINE_FILE: &str = r#"version = 1
segment_seconds = 5

[video]
encoders = ["x264enc"]
preset = "superfast"
gop_seconds = 1
span_segments = 1
ladder = [
  { name = "180p", long_side = 320, short_side = 180, crf = 23, max_kbps = 600, buffer_kbit = 1200 },
  { name = "90p",  long_side = 160, short_side = 90,  crf = 23, max_kbps = 200, buffer_kbit = 400 },
]

[audio]
encoders = ["avenc_aac"]
kbps = 64
sample_rate = 48000
channels = 2
"#;

/// The objects of a package by their paths below the title.
pub(crate) type Package = BTreeMap<String, Vec<u8>>;

/// A master, and what comes of it when nothing goes wrong.
#[derive(Debug)]
pub(crate) struct Master {
    bytes: Vec<u8>,
    expected: Package,
}

/// Makes all masters, and packages of them: one process, a file as catalog, a folder as origin.
pub(crate) fn make(site: &Site) -> Result<Vec<Master>> {
    let folder = site.folder.join("masters");
    fs::create_dir_all(&folder).context("make a folder for masters")?;
    let undisturbed = Site { environment: pipelines(site), ..site.clone() };
    MADE.iter()
        .enumerate()
        .map(|(n, (rate, seconds))| {
            let (title, file) = (format!("m{n}"), folder.join(format!("m{n}.mp4")));
            ffmpeg(rate, seconds, 300 + 100 * n, &file)?;
            let mut ingest = undisturbed.command("undisturbed", &["ingest", "--wait", "--title"]);
            let ran = ingest.args([&title, "--pipeline", PIPELINE]).arg(&file).output();
            let ran = ran.context("start headwater")?;
            let said = String::from_utf8_lossy(&ran.stderr);
            ensure!(ran.status.success(), "the undisturbed run of {title} failed: {said}");
            let origin = undisturbed.data("undisturbed").join("origin/main").join(&title);
            Ok(Master { bytes: fs::read(&file)?, expected: read(&origin)? })
        })
        .collect()
}

/// What processes need to know of pipelines.
pub(crate) fn pipelines(site: &Site) -> Vec<(String, String)> {
    let folder = site.folder.join("pipelines").display().to_string();
    vec![
        ("HEADWATER_PIPELINES_DIR".to_owned(), folder),
        ("HEADWATER_PIPELINE".to_owned(), PIPELINE.to_owned()),
    ]
}

impl Master {
    /// Writes a copy that is another master of the same pictures: a title's name makes it one, in a box that holds nothing.
    pub(crate) fn write(&self, title: &str, file: &Path) -> Result<()> {
        let bytes = [&self.bytes[..], &name_box(title)].concat();
        fs::write(file, bytes).with_context(|| format!("write `{}`", file.display()))
    }

    /// Whether these are the bytes of the copy that is called so.
    pub(crate) fn is(&self, title: &str, bytes: &[u8]) -> bool {
        bytes.strip_prefix(&self.bytes[..]).is_some_and(|rest| rest == name_box(title))
    }

    /// In what a package differs from that of the undisturbed run, as a sentence.
    pub(crate) fn differs(&self, found: &Package) -> Option<String> {
        let names = |package: &Package| package.keys().cloned().collect::<Vec<_>>();
        let (expected, there) = (names(&self.expected), names(found));
        if let Some(missing) = expected.iter().find(|name| !there.contains(name)) {
            return Some(format!("`{missing}` is not there"));
        }
        if let Some(more) = there.iter().find(|name| !expected.contains(name)) {
            return Some(format!("`{more}` should not be there"));
        }
        let same = |name: &str, bytes: &[u8], found: &[u8]| match name.rsplit('/').next() {
            Some("inventory.jsonl") => is_same_inventory(bytes, found),
            Some("plan.json") => is_same_plan(bytes, found),
            _ => bytes == found,
        };
        let mut objects = self.expected.iter();
        let differing = objects.find(|(name, bytes)| !same(name, bytes, &found[*name]));
        differing.map(|(name, _)| format!("`{name}` has other bytes"))
    }
}

/// A box that holds nothing but has a name in it.
fn name_box(title: &str) -> Vec<u8> {
    let size = 8 + title.len() as u32;
    [&size.to_be_bytes(), &b"free"[..], title.as_bytes()].concat()
}

/// Whether inventories list the same. They name their title and its master; so does the plan that they list, which is
/// compared by itself.
fn is_same_inventory(one: &[u8], other: &[u8]) -> bool {
    let parts = |bytes: &[u8]| -> Option<(Value, Vec<String>)> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (header, objects) = text.split_once('\n')?;
        let mut header: Value = serde_json::from_str(header).ok()?;
        header.as_object_mut()?.remove("package")?;
        header.as_object_mut()?.remove("master")?;
        let objects = objects.lines().filter(|line| !line.contains("plan.json"));
        Some((header, objects.map(str::to_owned).collect()))
    };
    matches!((parts(one), parts(other)), (Some(one), Some(other)) if one == other)
}

/// Whether plans are the same but for the master that they are for.
fn is_same_plan(one: &[u8], other: &[u8]) -> bool {
    let plan = |bytes: &[u8]| -> Option<Value> {
        let mut plan: Value = serde_json::from_slice(bytes).ok()?;
        plan.as_object_mut()?.remove("master")?;
        Some(plan)
    };
    matches!((plan(one), plan(other)), (Some(one), Some(other)) if one == other)
}

fn ffmpeg(rate: &str, seconds: &str, tone: usize, file: &Path) -> Result<()> {
    let picture = format!("testsrc2=size=320x180:rate={rate}:duration={seconds}");
    let sound = format!("sine=frequency={tone}:sample_rate=48000:duration={seconds}");
    let mut ffmpeg = crate::program("ffmpeg");
    ffmpeg.args(["-v", "error", "-y", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound]);
    ffmpeg.args(["-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "48"]);
    ffmpeg.args(["-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "64k"]).arg(file);
    let ran = ffmpeg.output().context("start ffmpeg (`cargo xtask setup` installs it)")?;
    if !ran.status.success() {
        bail!("ffmpeg: {}", String::from_utf8_lossy(&ran.stderr));
    }
    Ok(())
}

/// Everything below a folder.
fn read(root: &Path) -> Result<Package> {
    let mut package = Package::new();
    let mut folders: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("read `{}`", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
                package.insert(name, fs::read(&path)?);
            }
        }
    }
    Ok(package)
}

#[cfg(test)]
mod tests;
