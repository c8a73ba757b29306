//! What the files of a folder are that has no manifest: `film.mov`, `film.de.wav`, `film.en.forced.srt`, `poster.jpg`.

use std::collections::BTreeMap;

use headwater_model::delivery::{AudioEssence, Channels, Delivery, Essence, TextEssence};
use headwater_model::plan::TextPurpose;

const PICTURES: [&str; 17] = [
    "mp4", "m4v", "mov", "mkv", "webm", "ts", "m2ts", "mts", "mpg", "mpeg", "vob", "mxf", "avi",
    "dv", "mj2", "wmv", "3gp",
];
const SOUNDS: [&str; 16] = [
    "wav", "bwf", "rf64", "flac", "aif", "aiff", "mp2", "mp3", "m4a", "aac", "ac3", "eac3", "ec3",
    "mka", "ogg", "opus",
];
const TEXTS: [&str; 5] = ["srt", "vtt", "ttml", "dfxp", "itt"];

/// What suppliers add for people and for their own systems. Everything else that is not known could be a part of the
/// title, and is asked about.
const PAPERS: [&str; 8] = ["txt", "pdf", "nfo", "csv", "md", "html", "log", "db"];

/// The order of channels in what is put together of single ones (SMPTE ST 2067-8).
const CHANNELS: [&str; 6] = ["l", "r", "c", "lfe", "ls", "rs"];

/// The delivery that files of these names are: one picture, or none beside sound; whatever sound it has comes first.
///
/// # Errors
/// One sentence with what the names do not tell.
pub fn delivery_of_names(names: &[String]) -> Result<Delivery, String> {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    // Independent of the order in which the file system lists them.
    names.sort_unstable();
    let mut found = Found::default();
    for name in names {
        found.add(name)?;
    }
    let audio = found.audio()?;
    let delivery = Delivery {
        version: super::VERSION,
        title: None,
        pipeline: None,
        own_sound: found.video.is_some() && !audio.is_empty(),
        video: found.video,
        audio,
        text: found.text,
        poster: found.poster,
        marker: false,
        sha256: BTreeMap::new(),
        md5: BTreeMap::new(),
        metadata: BTreeMap::new(),
    };
    match super::check(&delivery) {
        Err(_) if delivery.video.is_none() && delivery.audio.is_empty() => {
            Err("there is neither a picture nor sound among its files".to_owned())
        }
        checked => checked.map(|()| delivery),
    }
}

#[derive(Default)]
struct Found<'n> {
    video: Option<Essence>,
    /// Files of several channels each, with their languages.
    whole: Vec<AudioEssence>,
    /// Files of one channel each, by language.
    single: BTreeMap<Option<String>, BTreeMap<usize, &'n str>>,
    text: Vec<TextEssence>,
    poster: Option<Essence>,
}

impl<'n> Found<'n> {
    fn add(&mut self, name: &'n str) -> Result<(), String> {
        let mut words: Vec<&str> = name.split('.').collect();
        let ending = if words.len() > 1 { words.pop().unwrap_or_default() } else { "" };
        let is_poster = matches!(words[..], [word] if one_of(word, &["poster"]));
        let file = name.to_owned();
        if is_poster && one_of(ending, &["jpg", "jpeg"]) {
            self.poster = Some(Essence { file });
        } else if one_of(ending, &PICTURES) {
            if let Some(other) = self.video.replace(Essence { file }) {
                let other = other.file;
                return Err(format!("both `{other}` and `{name}` could be the picture"));
            }
        } else if one_of(ending, &SOUNDS) {
            let is = |c: &&str| words.last().is_some_and(|last| one_of(last, &[c]));
            // A film may be called `R`: a channel is one beside a name.
            match CHANNELS.iter().position(is).filter(|_| words.len() > 1) {
                Some(channel) => {
                    words.pop();
                    let language = language(&words);
                    let other = self.single.entry(language).or_default().insert(channel, name);
                    if let Some(other) = other {
                        return Err(format!("`{other}` and `{name}` are the same channel"));
                    }
                }
                None => self.whole.push(AudioEssence {
                    language: language(&words),
                    ..sound(Some(file), vec![], None)
                }),
            }
        } else if one_of(ending, &TEXTS) {
            let purpose = match words.last().filter(|_| words.len() > 1) {
                Some(word) if one_of(word, &["forced"]) => TextPurpose::Forced,
                Some(word) if one_of(word, &["sdh", "cc"]) => TextPurpose::HardOfHearing,
                _ => TextPurpose::Dialogue,
            };
            if purpose != TextPurpose::Dialogue {
                words.pop();
            }
            self.text.push(TextEssence {
                language: language(&words),
                file,
                name: None,
                purpose,
                starts_at_ms: 0,
            });
        } else if !one_of(ending, &PAPERS) {
            return Err(format!("the name of `{name}` does not tell what it is"));
        }
        Ok(())
    }

    fn audio(&mut self) -> Result<Vec<AudioEssence>, String> {
        let mut audio = std::mem::take(&mut self.whole);
        for (language, channels) in &self.single {
            let layout = match channels.keys().copied().collect::<Vec<_>>()[..] {
                [0, 1] => Channels::Stereo,
                [0, 1, 2, 3, 4, 5] => Channels::Surround,
                _ => {
                    let names: Vec<&str> = channels.values().copied().collect();
                    return Err(format!(
                        "`{}` are channels of neither stereo (L, R) nor 5.1 (L, R, C, LFE, Ls, Rs)",
                        names.join("`, `")
                    ));
                }
            };
            let files = channels.values().map(|name| (*name).to_owned()).collect();
            audio.push(AudioEssence {
                language: language.clone(),
                ..sound(None, files, Some(layout))
            });
        }
        Ok(audio)
    }
}

fn sound(file: Option<String>, files: Vec<String>, channels: Option<Channels>) -> AudioEssence {
    AudioEssence { file, files, tracks: vec![], channels, language: None, name: None }
}

/// Whether a word is one of these, in whatever case.
fn one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// The language (BCP 47) that the last word of a name is; a name's only word is none.
fn language(words: &[&str]) -> Option<String> {
    let last = words.last().filter(|_| words.len() > 1)?;
    let mut parts = last.split(['-', '_']);
    let letters = |part: &str| part.bytes().all(|b| b.is_ascii_alphabetic());
    let is_primary = parts.next().is_some_and(|p| (2..=3).contains(&p.len()) && letters(p));
    let is_tag = is_primary
        && parts
            .all(|p| (2..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric()));
    is_tag.then(|| last.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn of(names: &[&str]) -> Result<Delivery, String> {
        delivery_of_names(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn names_tell_what_files_are() {
        let film = of(&[
            "Film.mov",
            "film.de.wav",
            "film.pt-BR.R.wav",
            "film.pt-BR.L.wav",
            "film.en.forced.srt",
            "film.en.SDH.vtt",
            "film.srt",
            "poster.jpg",
            "read me.txt",
        ])
        .unwrap();
        assert_eq!(
            film.files(),
            [
                "Film.mov",
                "film.de.wav",
                "film.pt-BR.L.wav",
                "film.pt-BR.R.wav",
                "film.en.SDH.vtt",
                "film.en.forced.srt",
                "film.srt",
                "poster.jpg"
            ]
        );
        let sound: Vec<_> =
            film.audio.iter().map(|a| (a.language.as_deref(), a.channels)).collect();
        assert_eq!(sound, [(Some("de"), None), (Some("pt-BR"), Some(Channels::Stereo))]);
        let text: Vec<_> = film.text.iter().map(|t| (t.language.as_deref(), t.purpose)).collect();
        assert_eq!(
            text,
            [
                (Some("en"), TextPurpose::HardOfHearing),
                (Some("en"), TextPurpose::Forced),
                (None, TextPurpose::Dialogue)
            ]
        );
        assert!(film.own_sound, "the picture's sound is kept beside the others");
        assert!(!of(&["film.mov", "film.de.srt"]).unwrap().own_sound);
        assert_eq!(of(&["play.wav"]).unwrap().files(), ["play.wav"]);
        let chinese = of(&["İstanbul.zh_Hant.srt", "a.mov"]).unwrap();
        assert_eq!(chinese.text[0].language.as_deref(), Some("zh-Hant"));
    }

    #[test]
    fn what_names_do_not_tell_is_said() {
        let all = [
            of(&["a.mov", "b.mxf"]).unwrap_err(),
            of(&["film.mov", "film.stl"]).unwrap_err(),
            of(&["film.srt", "notes.txt"]).unwrap_err(),
            of(&["film.mov", "film.L.wav"]).unwrap_err(),
            of(&["a.en.L.wav", "b.en.L.wav"]).unwrap_err(),
        ];
        expect![[r#"
            both `a.mov` and `b.mxf` could be the picture
            the name of `film.stl` does not tell what it is
            there is neither a picture nor sound among its files
            `film.L.wav` are channels of neither stereo (L, R) nor 5.1 (L, R, C, LFE, Ls, Rs)
            `a.en.L.wav` and `b.en.L.wav` are the same channel"#]]
        .assert_eq(&all.join("\n"));
    }
}
