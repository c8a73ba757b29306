//! Captions in the video (CEA-608 in SEI messages, as ATSC A/53 has them): what is in the master is in each rendition.

use std::fs;
use std::path::Path;

use crate::masters;
use crate::package;
use crate::run::{Site, program, tool};

/// What is said, between these frames.
pub(crate) const CUE: (&str, usize, usize) = ("HELLO", 60, 180);

/// Bytes of CEA-608 have an odd number of ones.
fn with_parity(byte: u8) -> u8 {
    if byte.count_ones().is_multiple_of(2) { byte | 0x80 } else { byte }
}

/// The two bytes that each frame carries: a caption is written out of sight, shown, and taken away.
fn pairs(frames: usize) -> Vec<[u8; 2]> {
    let (text, from, to) = CUE;
    let mut pairs = vec![[0u8, 0]; frames];
    let twice = |code: [u8; 2]| [code, code];
    // Resume loading, erase what was loaded, row 15.
    let mut load: Vec<[u8; 2]> =
        [[0x14, 0x20], [0x14, 0x2e], [0x14, 0x70]].into_iter().flat_map(twice).collect();
    load.extend(text.as_bytes().chunks(2).map(|c| [c[0], c.get(1).copied().unwrap_or(0)]));
    let start = from - load.len();
    pairs[start..from].copy_from_slice(&load);
    pairs[from..from + 2].copy_from_slice(&twice([0x14, 0x2f]));
    pairs[to..to + 2].copy_from_slice(&twice([0x14, 0x2c]));
    pairs.into_iter().map(|pair| pair.map(with_parity)).collect()
}

/// The SEI message with one pair (ATSC A/53 part 4, 6.2.3).
fn message([first, second]: [u8; 2]) -> Vec<u8> {
    let payload =
        [&[0xb5, 0, 0x31][..], b"GA94", &[3, 0x41, 0xff, 0xfc, first, second, 0xff]].concat();
    [&[0, 0, 0, 1, 6, 4, payload.len() as u8][..], &payload, &[0x80]].concat()
}

/// Puts a message in front of each picture of a file with one slice a picture, none of them reordered.
pub(crate) fn write_into(file: &Path) {
    let (plain, captioned) = (file.with_extension("plain.h264"), file.with_extension("h264"));
    let made = file.with_extension("captioned.mp4");
    let ffmpeg = || {
        let mut command = program("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-y"]);
        command
    };
    let how = ["-map", "0:v", "-c", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264"];
    tool(ffmpeg().arg("-i").arg(file).args(how).arg(&plain));
    let stream = fs::read(&plain).unwrap();
    let starts: Vec<usize> = stream
        .windows(4)
        .enumerate()
        .filter(|(_, w)| w[..3] == [0, 0, 1])
        .map(|(n, _)| n)
        .collect();
    let is_picture = |at: &usize| matches!(stream[at + 3] & 0x1f, 1 | 5);
    let mut pairs = pairs(starts.iter().filter(|at| is_picture(at)).count()).into_iter();
    let mut out = Vec::new();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    for (at, end) in starts.iter().zip(ends) {
        if is_picture(at) {
            out.extend(message(pairs.next().unwrap()));
        }
        out.push(0);
        out.extend(&stream[*at..end]);
    }
    fs::write(&captioned, out).unwrap();
    tool(
        ffmpeg()
            .args(["-f", "h264", "-r", "30000/1001", "-i"])
            .arg(&captioned)
            .arg("-i")
            .arg(file)
            .args(["-map", "0:v", "-map", "1:a", "-c", "copy"])
            .arg(&made),
    );
    fs::rename(&made, file).unwrap();
    fs::remove_file(plain).unwrap();
    fs::remove_file(captioned).unwrap();
}

/// The captions of a file as SubRip, decoded by ffmpeg.
fn said(file: &Path) -> String {
    let mut ffmpeg = program("ffmpeg");
    let graph = format!("movie={}[out0+subcc]", file.display());
    ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", &graph]);
    let read = tool(ffmpeg.args(["-map", "0:s", "-f", "srt", "-"]));
    String::from_utf8(read.stdout).unwrap()
}

#[test]
fn captions_are_in_every_rendition() {
    let site = Site::new();
    let master = masters::CAPTIONED.path();
    let wanted = said(&master);
    assert!(wanted.contains("HELLO") && wanted.contains("00:00:02,0"), "{wanted}");
    let probed = site.run(["probe", master.to_str().unwrap()]);
    assert!(probed.stdout.contains("captions"), "{probed}");
    site.publish(&master, "film", &site.quick(1));
    let scratch = site.path("renditions");
    fs::create_dir(&scratch).unwrap();
    let renditions = package::renditions(&site.package("film"), &scratch);
    for rendition in renditions.iter().filter(|r| r.is_video()) {
        assert_eq!(said(&rendition.file), wanted, "{}", rendition.name);
    }
    let playlist = fs::read_to_string(site.package("film").join("index.m3u8")).unwrap();
    assert!(playlist.contains("TYPE=CLOSED-CAPTIONS"), "{playlist}");
    assert!(playlist.contains("INSTREAM-ID=\"CC1\""), "{playlist}");
    assert!(playlist.contains("CLOSED-CAPTIONS=\"captions\""), "{playlist}");
}
