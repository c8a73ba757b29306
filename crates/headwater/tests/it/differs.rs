//! A segment is lost on a machine that does not make the same bytes as the one that made it: its rendition is replaced
//! by a new version.
//!
//! The other machine is this one without GStreamer's plugin for Opus. The sound of the master is decoded by libav then,
//! whose samples differ in the last bits (RFC 6716 asks for a quality and not for bits), so that the encoder hears
//! something else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use crate::masters;
use crate::run::{Site, program, tool};

/// A folder of all GStreamer plugins but that one, for `GST_PLUGIN_SYSTEM_PATH_1_0`.
fn plugins_without(site: &Site, file: &str) -> String {
    let folder = tool(program("pkg-config").args(["--variable=pluginsdir", "gstreamer-1.0"]));
    let folder = String::from_utf8(folder.stdout).unwrap();
    let other = site.path("plugins");
    fs::create_dir(&other).unwrap();
    let mut left_out = 0;
    for plugin in fs::read_dir(folder.trim()).unwrap().flatten() {
        let name = plugin.file_name();
        if name == file {
            left_out += 1;
        } else {
            symlink(plugin.path(), other.join(name)).unwrap();
        }
    }
    assert_eq!(left_out, 1, "there is no {file} in {folder}");
    other.to_str().unwrap().to_owned()
}

/// Packets of each variant that a player would find, as ffprobe counts them.
fn packets(playlist: &Path) -> Vec<String> {
    let mut command = program("ffprobe");
    command.args(["-v", "error", "-allowed_extensions", "ALL", "-count_packets", "-of", "json"]);
    command.args(["-show_entries", "stream=nb_read_packets"]).arg(playlist);
    let counted: Value = serde_json::from_slice(&tool(&mut command).stdout).unwrap();
    let streams = counted["streams"].as_array().cloned().unwrap_or_default();
    streams.iter().map(|s| s["nb_read_packets"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_another_machine_makes_otherwise_becomes_a_new_version() {
    let site = Site::new();
    let verdict = site.publish(&masters::OPUS.path(), "film", &site.quick(1));
    assert_eq!(verdict["version"], 1, "{verdict}");
    let lost = site.package("film").join("audio-1/seg-00002.m4s");
    let kept = site.package("film").join("video-90p/seg-00002.m4s");
    let before = fs::read(&kept).unwrap();
    fs::remove_file(&lost).unwrap();

    let plugins = plugins_without(&site, "libgstopus.so");
    let site = site.with([("GST_PLUGIN_SYSTEM_PATH_1_0".to_owned(), plugins)]);
    assert_eq!(site.run(["verify", "film"]).code, Some(1));
    let open = site.run(["incidents", "film"]).stdout;
    assert!(open.contains("audio-1/seg-00002.m4s` on origin local is missing"), "{open}");
    let planned = site.run(["heal", "film", "--dry-run"]).stdout;
    assert!(planned.contains("would be made again from the master: audio 1"), "{planned}");
    let healed = site.run(["--json", "heal", "film"]);
    assert_eq!(healed.code, Some(0), "{healed}");
    let told = healed.last_line();
    assert_eq!((&told["version"], &told["healed"]), (&2.into(), &true.into()), "{healed}");

    assert_eq!(site.status("film")["live"], 2);
    let history = site.history("film");
    let queued =
        "queued as v2: audio-1 made again, the rest from v1 (`main/film/v1/audio-1/seg-00002.m4s`";
    assert!(history.iter().any(|line| line.starts_with(queued)), "{history:#?}");
    assert!(!lost.exists(), "nothing else is stored under the old name");
    assert_eq!(fs::read(&kept).unwrap(), before);
    assert!(!site.title("film").join("v2/video-90p").exists(), "the rest is referred to");
    let audited = site.run(["audit", "--all", "--policy", "read"]);
    assert_eq!(audited.code, Some(0), "{audited}");
    assert!(site.run(["incidents"]).stdout.starts_with("no open incidents"));
    let ended = site.run(["incidents", "film", "--all"]).stdout;
    assert!(ended.contains("viewers get v2, which does without it"), "{ended}");
    // 16 s of sound in packets of 1,024 samples, and 16 s of both pictures.
    assert_eq!(packets(&site.title("film").join("index.m3u8")), ["750", "400", "400"]);
}
