//! Tests of weighing packages.

use super::*;

const INDEX: &str = "#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"en\",URI=\"audio/media.m3u8\"
#EXT-X-STREAM-INF:BANDWIDTH=1,AVERAGE-BANDWIDTH=2,RESOLUTION=1280x720,AUDIO=\"a\"
v/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=3,RESOLUTION=1280x720,AUDIO=\"b\"
v/media.m3u8
";

#[test]
fn variants_and_sound_are_named() {
    let named = named(INDEX);
    assert_eq!(named[0], (None, "audio/media.m3u8".to_owned()));
    assert_eq!(named[1], (Some(720), "v/media.m3u8".to_owned()));
    assert_eq!(named.len(), 3);
}

#[test]
fn each_file_weighs_once() {
    let dir = std::env::temp_dir().join(format!("headwater-hls-{}", std::process::id()));
    fs::create_dir_all(dir.join("v")).unwrap();
    fs::create_dir_all(dir.join("audio")).unwrap();
    fs::write(dir.join("index.m3u8"), INDEX).unwrap();
    let media = "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:6,\n1.m4s\n#EXTINF:6,\n1.m4s\n";
    fs::write(dir.join("v/media.m3u8"), media).unwrap();
    fs::write(dir.join("v/init.mp4"), [0; 10]).unwrap();
    fs::write(dir.join("v/1.m4s"), [0; 100]).unwrap();
    fs::write(dir.join("audio/media.m3u8"), "#EXTM3U\n").unwrap();
    let found = renditions(&dir.join("index.m3u8")).unwrap();
    let weights: Vec<_> = found.iter().map(|r| (r.height, r.bytes)).collect();
    assert_eq!(weights, [(None, 0), (Some(720), 110)]);
    fs::remove_file(dir.join("v/1.m4s")).unwrap();
    assert!(renditions(&dir.join("index.m3u8")).is_err(), "a missing segment weighs nothing");
    fs::remove_dir_all(&dir).unwrap();
}
