//! Makes the demo's master: the Big Buck Bunny clip of `testdata/`, twelve times over, with the time in the picture.
//!
//! It takes no more than the GStreamer tools, since that is all the demo installs. Looping the clip as it stands would
//! put sound and picture 32 ms further apart each time, because its sound is that much longer; so both are taken apart,
//! the sound is cut to the picture's length, and each is repeated by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{shell, workspace};

/// Twelve times 5.28 s are 63.36 s: over a minute, and a whole number of AAC frames, so that both tracks end together.
const LOOPS: usize = 12;

/// Bytes of one moment of sound: two channels of 16 bits.
const SAMPLE_BYTES: usize = 4;

/// The picture of the clip lasts 132 frames at 25 fps; at 48 kHz that is this many samples.
const CLIP_SAMPLES: usize = 132 * 48_000 / 25;

/// libavcodec's AAC encoder starts with 1,024 samples of its own and GStreamer's muxer does not tell players to skip
/// them. Leaving out as many at the start keeps every later sound in its place.
const ENCODER_DELAY: usize = 1_024;

/// The parts, relative to the root folder: gst-launch splits its description at blanks, which a path may contain.
const CLIP: &str = "testdata/sources/bigbuckbunny.mp4";
const PICTURE: &str = "target/demo/picture.h264";
const SOUND: &str = "target/demo/sound.pcm";
const UNFINISHED: &str = "target/demo/sample.mp4.part";
const SAMPLE: &str = "target/demo/sample.mp4";

/// The sample's path; makes it if it is not there, which takes about half a minute.
pub(crate) fn make_if_missing() -> Result<PathBuf> {
    let root = workspace::root();
    let sample = root.join(SAMPLE);
    if sample.exists() {
        return Ok(sample);
    }
    fs::create_dir_all(root.join("target/demo")).context("create `target/demo`")?;
    gst_launch(&take_apart())?;
    rewrite(&root.join(PICTURE), |clip| Ok(clip.repeat(LOOPS)))?;
    rewrite(&root.join(SOUND), loop_sound)?;
    gst_launch(&put_together())?;
    fs::rename(root.join(UNFINISHED), &sample).with_context(|| format!("name `{SAMPLE}`"))?;
    for part in [PICTURE, SOUND] {
        fs::remove_file(root.join(part)).with_context(|| format!("remove `{part}`"))?;
    }
    Ok(sample)
}

fn gst_launch(description: &str) -> Result<()> {
    let mut command = Command::new("gst-launch-1.0");
    command.arg("--quiet").args(description.split_whitespace()).current_dir(workspace::root());
    shell::run(&mut command)
}

/// Picture and sound of the clip as files of their own. A byte stream with parameter sets at every key can be repeated
/// by repeating its bytes, and so can plain samples.
fn take_apart() -> String {
    format!(
        "filesrc location={CLIP} ! qtdemux name=clip
         clip.video_0 ! queue ! h264parse config-interval=-1
         ! video/x-h264,stream-format=byte-stream,alignment=au ! filesink location={PICTURE}
         clip.audio_0 ! queue ! decodebin ! audioconvert ! audioresample
         ! audio/x-raw,format=S16LE,rate=48000,channels=2,layout=interleaved ! filesink location={SOUND}"
    )
}

/// The sample, encoded as masters from suppliers are: B-frames, a key every 2 s. `x264enc` keeps to its `bitrate` even
/// when it is asked for a quality, so that is set out of the way.
fn put_together() -> String {
    format!(
        "mp4mux name=mux faststart=true ! filesink location={UNFINISHED}
         filesrc location={PICTURE} ! h264parse ! video/x-h264,framerate=25/1 ! avdec_h264
         ! timeoverlay halignment=center valignment=bottom ! videoconvert ! video/x-raw,format=I420
         ! x264enc pass=qual quantizer=20 speed-preset=veryfast bframes=2 key-int-max=50
         bitrate=6000 vbv-buf-capacity=2000 ! video/x-h264,profile=high ! h264parse ! queue ! mux.
         filesrc location={SOUND}
         ! rawaudioparse format=pcm pcm-format=s16le sample-rate=48000 num-channels=2
         ! audioconvert ! avenc_aac bitrate=160000 ! aacparse ! queue ! mux."
    )
}

fn rewrite(file: &Path, change: impl FnOnce(&[u8]) -> Result<Vec<u8>>) -> Result<()> {
    let old = fs::read(file).with_context(|| format!("read `{}`", file.display()))?;
    fs::write(file, change(&old)?).with_context(|| format!("write `{}`", file.display()))
}

fn loop_sound(clip: &[u8]) -> Result<Vec<u8>> {
    let clip = clip.get(..CLIP_SAMPLES * SAMPLE_BYTES);
    let mut sound = clip.context("the clip's sound is shorter than its picture")?.repeat(LOOPS);
    sound.drain(..ENCODER_DELAY * SAMPLE_BYTES);
    Ok(sound)
}

#[cfg(test)]
mod tests;
