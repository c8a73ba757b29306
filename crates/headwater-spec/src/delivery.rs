//! Reads the manifest of a delivery, `NAME.delivery.toml` or `NAME.delivery.json`: which files beside it belong together,
//! and what each of them is. Without one, the names of a folder's files say so.

mod names;

use std::collections::BTreeMap;

use headwater_model::delivery::{AudioEssence, Delivery};

pub use names::delivery_of_names;

/// The version of the format that this build reads.
const VERSION: u32 = 1;

/// Files of one delivery. A film in forty languages with subtitles in each has a hundred.
const MOST_FILES: usize = 500;

/// Reads a manifest: JSON where it begins with `{`, else TOML.
///
/// # Errors
/// One sentence with what is wrong, and where.
pub fn delivery(text: &str) -> Result<Delivery, String> {
    let delivery: Delivery = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(text).map_err(|e| e.to_string())?,
        false => toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned())?,
    };
    check(&delivery)?;
    Ok(delivery)
}

fn check(delivery: &Delivery) -> Result<(), String> {
    if delivery.version != VERSION {
        return Err(format!(
            "version {} is not known: this build reads version {VERSION}",
            delivery.version
        ));
    }
    if delivery.video.is_none() && delivery.audio.is_empty() {
        return Err("there is neither `[video]` nor `[[audio]]`".to_owned());
    }
    let files = delivery.files();
    if files.len() > MOST_FILES {
        return Err(format!("{} files are more than {MOST_FILES}", files.len()));
    }
    files.iter().try_for_each(|file| within(file))?;
    digests(&files, &delivery.sha256, "sha256", 64)?;
    digests(&files, &delivery.md5, "md5", 32)?;
    (1..).zip(&delivery.audio).try_for_each(|(n, audio)| {
        check_audio(delivery, audio).map_err(|why| format!("`[[audio]]` {n} {why}"))
    })
}

fn check_audio(delivery: &Delivery, audio: &AudioEssence) -> Result<(), String> {
    let AudioEssence { file, files, tracks, channels, .. } = audio;
    if file.is_some() && !files.is_empty() {
        return Err("has `file` and `files`".to_owned());
    }
    if !files.is_empty() && tracks.len() > 1 {
        return Err("has several `files` and several `tracks`".to_owned());
    }
    if file.is_none() && files.is_empty() && delivery.video.is_none() {
        return Err("has no `file`, and there is no `[video]` whose sound it could be".to_owned());
    }
    if tracks.contains(&0) {
        return Err("has a track 0: they are counted from 1".to_owned());
    }
    let parts = files.len().max(tracks.len());
    match channels {
        None if parts > 1 => {
            Err(format!("has {parts} parts: add `channels = \"2.0\"` or `\"5.1\"`"))
        }
        Some(channels) if parts != channels.count() => {
            Err(format!("has {parts} parts, and its channels are {}", channels.count()))
        }
        _ => Ok(()),
    }
}

/// A delivery may not name what is outside its folder.
fn within(file: &str) -> Result<(), String> {
    let is_name = |part: &str| !part.is_empty() && part != "." && part != "..";
    let fine = !file.contains(['\\', '\0']) && file.split('/').all(is_name);
    if fine { Ok(()) } else { Err(format!("`{file}` is no path within the delivery's folder")) }
}

/// A table of checksums with so many digits each.
fn digests(
    files: &[&str],
    sums: &BTreeMap<String, String>,
    table: &str,
    digits: usize,
) -> Result<(), String> {
    for (file, sum) in sums {
        if !files.contains(&file.as_str()) {
            return Err(format!("`[{table}]` names `{file}`, which is no file of the delivery"));
        }
        if sum.len() != digits || !sum.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(format!(
                "what `[{table}]` says of `{file}` does not have {digits} hexadecimal digits"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use headwater_model::delivery::Channels;
    use headwater_model::plan::TextPurpose;

    use super::*;

    const FILM: &str = r#"
version = 1
title = "film"

[video]
file = "picture.mxf"

[[audio]]
tracks = [1, 2, 3, 4, 5, 6]
channels = "5.1"
language = "en"

[[audio]]
files = ["de/left.wav", "de/right.wav"]
channels = "2.0"
language = "de"

[[text]]
file = "film.en.srt"
language = "en"
purpose = "hard-of-hearing"

[md5]
"de/left.wav" = "0123456789abcdef0123456789ABCDEF"

[metadata]
supplier = "somebody"
"#;

    #[test]
    fn a_manifest_names_its_files() {
        let film = delivery(FILM).unwrap();
        assert_eq!(film.files(), ["picture.mxf", "de/left.wav", "de/right.wav", "film.en.srt"]);
        assert_eq!(film.text[0].purpose, TextPurpose::HardOfHearing);
        assert_eq!(film.audio[0].channels, Some(Channels::Surround));
        let json = r#"{"version": 1, "audio": [{"file": "play.wav"}]}"#;
        assert_eq!(delivery(json).unwrap().files(), ["play.wav"]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |from: &str, to: &str| {
            assert!(FILM.contains(from), "{from}");
            delivery(&FILM.replacen(from, to, 1)).unwrap_err()
        };
        let all = [
            wrong("version = 1", "version = 2"),
            wrong("[video]\nfile = \"picture.mxf\"", "[video]\nfile = \"../picture.mxf\""),
            wrong("file = \"picture.mxf\"", "fiel = \"picture.mxf\""),
            wrong("0123456789abcdef0", "x123456789abcdef0"),
            wrong("\"de/left.wav\" =", "\"de/middle.wav\" ="),
            wrong("[1, 2, 3, 4, 5, 6]", "[1, 2, 3, 4, 5]"),
            wrong("[1, 2, 3, 4, 5, 6]", "[0, 2, 3, 4, 5, 6]"),
            wrong("channels = \"2.0\"\n", ""),
            wrong("\"5.1\"", "\"7.1\""),
            delivery("version = 1").unwrap_err(),
            delivery("{\"version\": 1, \"video\": 3}").unwrap_err(),
        ];
        expect![[r#"
            version 2 is not known: this build reads version 1
            ---
            `../picture.mxf` is no path within the delivery's folder
            ---
            TOML parse error at line 6, column 1
              |
            6 | fiel = "picture.mxf"
              | ^^^^
            unknown field `fiel`, expected `file`
            ---
            what `[md5]` says of `de/left.wav` does not have 32 hexadecimal digits
            ---
            `[md5]` names `de/middle.wav`, which is no file of the delivery
            ---
            `[[audio]]` 1 has 5 parts, and its channels are 6
            ---
            `[[audio]]` 1 has a track 0: they are counted from 1
            ---
            `[[audio]]` 2 has 2 parts: add `channels = "2.0"` or `"5.1"`
            ---
            TOML parse error at line 10, column 12
               |
            10 | channels = "7.1"
               |            ^^^^^
            unknown variant `7.1`, expected `2.0` or `5.1`
            ---
            there is neither `[video]` nor `[[audio]]`
            ---
            invalid type: integer `3`, expected struct Essence at line 1 column 25"#]]
        .assert_eq(&all.join("\n---\n"));
    }
}
