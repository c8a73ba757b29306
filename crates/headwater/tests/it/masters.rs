//! Test masters, made with ffmpeg when they are first needed and kept in `target/test-masters`.
//!
//! Every frame shows its own number, as bars on top of a moving test picture: a frame that is lost, doubled or swapped
//! is seen in the pixels, not only in the count.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::captions;
use crate::run::{program, tool};

/// A file to make. Masters with the same recipe are the same file.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) struct Master {
    /// Its name; the extension decides the container.
    pub(crate) file: &'static str,
    picture: Picture,
    sound: Sound,
    /// Subtitles as SubRip has them.
    words: Option<&'static str>,
    /// What ffmpeg is told after its inputs, words separated by spaces.
    made: &'static str,
    then: Then,
}

#[derive(Debug, Clone, Copy, Hash)]
enum Picture {
    /// Numbered frames.
    Numbered {
        width: u32,
        height: u32,
        rate: &'static str,
        seconds: u32,
    },
    /// Upright stripes of [`PATCHES`].
    Patches {
        seconds: u32,
    },
    /// One second of grey.
    Plain {
        width: u32,
        height: u32,
    },
    /// Black, and white for a tenth of a second from every full second on.
    Flashes {
        rate: &'static str,
        seconds: u32,
    },
    /// That of another master, with its sound, read from this second on.
    Of(&'static Master, &'static str),
    None,
}

#[derive(Debug, Clone, Copy, Hash)]
enum Sound {
    /// A tone of so many seconds, which starts so many milliseconds late.
    Tone {
        seconds: u32,
        late_ms: u32,
    },
    /// A beep of a tenth of a second at every full second, at this sample rate.
    Beeps {
        rate: u32,
        seconds: u32,
        late_ms: u32,
    },
    None,
}

/// What is done to the file that ffmpeg has written.
#[derive(Debug, Clone, Copy, Hash)]
enum Then {
    Nothing,
    /// Its track header says that players have to turn the picture by 90°.
    Rotated,
    /// [`captions::CUE`] is in the video.
    Captioned,
}

/// Long enough for four segments of 5 s, the last of them short.
const SECONDS: u32 = 16;

const X264: &str = "-c:v libx264 -preset veryfast -bf 3 -g 48 -pix_fmt yuv420p -c:a aac -b:a 64k";

const H264: Master = Master {
    file: "h264-25.mp4",
    picture: Picture::Numbered { width: 320, height: 180, rate: "25", seconds: SECONDS },
    sound: Sound::Tone { seconds: SECONDS, late_ms: 0 },
    words: None,
    made: X264,
    then: Then::Nothing,
};

const fn at_rate(file: &'static str, rate: &'static str, made: &'static str) -> Master {
    let picture = Picture::Numbered { width: 320, height: 180, rate, seconds: SECONDS };
    Master { file, picture, made, ..H264 }
}

pub(crate) static H264_23976: Master = at_rate("h264-23976.mp4", "24000/1001", X264);
pub(crate) static H264_25: Master = H264;
pub(crate) static H264_2997: Master = at_rate("h264-2997.mp4", "30000/1001", X264);
pub(crate) static H264_30: Master = at_rate("h264-30.mp4", "30", X264);
pub(crate) static H264_50: Master = at_rate("h264-50.mp4", "50", X264);
pub(crate) static H264_5994: Master = at_rate("h264-5994.mp4", "60000/1001", X264);

pub(crate) static H264_OPEN_GOP: Master = at_rate(
    "h264-open-gop.mp4",
    "25",
    "-c:v libx264 -preset veryfast -x264-params open-gop=1:bframes=3:keyint=40:min-keyint=40 -pix_fmt yuv420p -c:a aac",
);
pub(crate) static MKV: Master = at_rate("h264-2997.mkv", "30000/1001", X264);
/// Its sound comes out of each decoder a little otherwise.
pub(crate) static OPUS: Master = at_rate(
    "h264-opus.mkv",
    "25",
    "-c:v libx264 -preset veryfast -bf 3 -g 48 -pix_fmt yuv420p -c:a libopus -b:a 64k",
);
/// Alternate reference frames are stored and never shown.
pub(crate) static VP8: Master = at_rate(
    "vp8.webm",
    "25",
    "-c:v libvpx -auto-alt-ref 1 -lag-in-frames 16 -deadline good -cpu-used 5 -b:v 400k -g 64 -c:a libvorbis",
);
pub(crate) static VP9: Master = at_rate(
    "vp9.webm",
    "30000/1001",
    "-c:v libvpx-vp9 -auto-alt-ref 1 -lag-in-frames 16 -deadline good -cpu-used 8 -b:v 400k -g 64 -c:a libopus",
);
/// Few frames: libaom takes its time.
pub(crate) static AV1: Master =
    at_rate("av1.mp4", "10", "-c:v libaom-av1 -cpu-used 8 -row-mt 1 -b:v 300k -g 40 -c:a aac");
pub(crate) static MOV_PCM: Master = at_rate(
    "h264-pcm.mov",
    "25",
    "-c:v libx264 -preset veryfast -bf 3 -g 48 -pix_fmt yuv420p -c:a pcm_s16le",
);
pub(crate) static HEVC_OPEN_GOP: Master = at_rate(
    "hevc-open-gop.mp4",
    "25",
    "-c:v libx265 -preset ultrafast -x265-params open-gop=1:keyint=40:min-keyint=40:bframes=3:log-level=error -tag:v hvc1 -pix_fmt yuv420p -c:a aac",
);
/// Cut without transcoding: what comes before the cut stays in the file, and an edit list hides it.
pub(crate) static EDIT_LIST: Master = Master {
    file: "edit-list.mp4",
    picture: Picture::Of(&H264_25, "2.32"),
    sound: Sound::None,
    made: "-c copy",
    ..H264
};
pub(crate) static ROTATED: Master = Master { file: "rotated.mp4", then: Then::Rotated, ..H264 };
/// Three of every seven frames are left out, at uneven distances.
pub(crate) static VARIABLE_RATE: Master = at_rate(
    "variable-rate.mp4",
    "30",
    "-vf select=not(between(mod(n\\,7)\\,2\\,3)+eq(mod(n\\,7)\\,5)) -vsync vfr -c:v libx264 -preset veryfast -bf 2 -pix_fmt yuv420p -c:a aac",
);
pub(crate) static ODD_SIZE: Master = Master {
    file: "odd-size.webm",
    picture: Picture::Numbered { width: 321, height: 179, rate: "25", seconds: SECONDS },
    made: "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 400k -pix_fmt yuv420p -c:a libvorbis",
    ..H264
};
/// 4:3 pixels, shown as 16:9.
pub(crate) static WIDE_PIXELS: Master = Master {
    file: "wide-pixels.mp4",
    picture: Picture::Numbered { width: 240, height: 180, rate: "25", seconds: SECONDS },
    made: "-vf setsar=4/3 -c:v libx264 -preset veryfast -bf 3 -g 48 -pix_fmt yuv420p -c:a aac",
    ..H264
};
pub(crate) static LONG_SOUND: Master = Master {
    file: "long-sound.mp4",
    sound: Sound::Tone { seconds: SECONDS + 3, late_ms: 0 },
    ..H264
};
pub(crate) static SHORT_SOUND: Master = Master {
    file: "short-sound.mp4",
    sound: Sound::Tone { seconds: SECONDS - 4, late_ms: 0 },
    ..H264
};
pub(crate) static LATE_SOUND: Master = Master {
    file: "late-sound.mp4",
    sound: Sound::Tone { seconds: SECONDS, late_ms: 1_480 },
    ..H264
};
pub(crate) static SILENT: Master = Master { file: "silent.mp4", sound: Sound::None, ..H264 };
/// More than one span of ten segments.
pub(crate) static MINUTE: Master = Master {
    file: "minute.mp4",
    picture: Picture::Numbered { width: 320, height: 180, rate: "12", seconds: 64 },
    sound: Sound::Tone { seconds: 64, late_ms: 0 },
    ..H264
};
/// Of 6 Mbit/s, whatever it shows: 30 MB.
pub(crate) static HEAVY: Master = Master {
    file: "heavy.mp4",
    picture: Picture::Numbered { width: 320, height: 180, rate: "25", seconds: 40 },
    sound: Sound::Tone { seconds: 40, late_ms: 0 },
    made: "-c:v libx264 -preset veryfast -bf 3 -g 48 -pix_fmt yuv420p -b:v 6M -minrate 6M -maxrate 6M -bufsize 6M -x264-params nal-hrd=cbr:filler=1 -c:a aac -b:a 64k",
    ..H264
};
/// Two rungs of the default ladder.
pub(crate) static LARGER: Master = Master {
    file: "larger.mp4",
    picture: Picture::Numbered { width: 640, height: 360, rate: "24000/1001", seconds: SECONDS },
    ..H264
};

pub(crate) static FLASHES_25: Master = Master {
    file: "flashes-25.mp4",
    picture: Picture::Flashes { rate: "25", seconds: 12 },
    sound: Sound::Beeps { rate: 48_000, seconds: 12, late_ms: 0 },
    ..H264
};
pub(crate) static FLASHES_2997: Master = Master {
    file: "flashes-2997.mp4",
    picture: Picture::Flashes { rate: "30000/1001", seconds: 12 },
    sound: Sound::Beeps { rate: 44_100, seconds: 12, late_ms: 0 },
    ..H264
};
pub(crate) static FLASHES_MKV: Master = Master { file: "flashes.mkv", ..FLASHES_2997 };
/// Its sound is off by more than anybody would bear; that is the supplier's choice, not ours.
pub(crate) static FLASHES_LATE: Master = Master {
    file: "flashes-late.mp4",
    picture: Picture::Flashes { rate: "25", seconds: 12 },
    sound: Sound::Beeps { rate: 48_000, seconds: 12, late_ms: 370 },
    ..H264
};
pub(crate) static FLASHES_CUT: Master = Master {
    file: "flashes-cut.mp4",
    picture: Picture::Of(&FLASHES_25, "1.52"),
    sound: Sound::None,
    made: "-c copy",
    ..H264
};

/// A closed key every second.
pub(crate) static KEYS: Master = at_rate(
    "keys.mp4",
    "25",
    "-c:v libx264 -preset veryfast -bf 3 -g 25 -keyint_min 25 -sc_threshold 0 -flags +cgop -pix_fmt yuv420p -c:a aac",
);

const fn flashes_at(file: &'static str, rate: &'static str, made: &'static str) -> Master {
    let picture = Picture::Flashes { rate, seconds: 12 };
    let sound = Sound::Beeps { rate: 48_000, seconds: 12, late_ms: 0 };
    Master { file, picture, sound, made, ..H264 }
}

pub(crate) static FLASHES_23976: Master = flashes_at("flashes-23976.mp4", "24000/1001", X264);
pub(crate) static FLASHES_50: Master = flashes_at("flashes-50.mp4", "50", X264);
pub(crate) static FLASHES_5994: Master = flashes_at("flashes-5994.mp4", "60000/1001", X264);
/// Three of every seven frames are missing.
pub(crate) static FLASHES_UNEVEN: Master = flashes_at(
    "flashes-uneven.mp4",
    "30",
    "-vf select='not(eq(mod(n,7),2)+eq(mod(n,7),3)+eq(mod(n,7),5))' -fps_mode vfr -c:v libx264 -preset veryfast -bf 2 -g 48 -pix_fmt yuv420p -c:a aac",
);
pub(crate) static FLASHES_TS: Master = flashes_at(
    "flashes.ts",
    "30000/1001",
    "-c:v mpeg2video -b:v 2M -g 15 -bf 2 -c:a ac3 -b:a 192k",
);
pub(crate) static FLASHES_MXF: Master =
    flashes_at("flashes.mxf", "25", "-c:v mpeg2video -b:v 5M -g 12 -bf 2 -c:a pcm_s16le -ar 48000");

pub(crate) static TS_H264: Master = at_rate(
    "h264.ts",
    "25",
    "-c:v libx264 -preset veryfast -x264-params open-gop=1:bframes=3:keyint=40:min-keyint=40 -pix_fmt yuv420p -c:a aac",
);
pub(crate) static TS_MPEG2: Master =
    at_rate("mpeg2.ts", "30000/1001", "-c:v mpeg2video -b:v 3M -g 15 -bf 2 -c:a mp2");
pub(crate) static PS_MPEG2: Master =
    at_rate("mpeg2.mpg", "25", "-c:v mpeg2video -b:v 3M -g 12 -bf 2 -c:a mp2");
pub(crate) static MXF_MPEG2: Master =
    at_rate("mpeg2.mxf", "25", "-c:v mpeg2video -b:v 5M -g 12 -bf 2 -c:a pcm_s16le -ar 48000");
pub(crate) static MXF_DNXHR: Master = Master {
    file: "dnxhr.mxf",
    picture: Picture::Numbered { width: 960, height: 540, rate: "25", seconds: SECONDS },
    made: "-c:v dnxhd -profile:v dnxhr_lb -pix_fmt yuv422p -c:a pcm_s16le -ar 48000",
    ..H264
};
pub(crate) static AVI: Master =
    at_rate("mpeg4.avi", "25", "-c:v mpeg4 -qscale:v 3 -g 20 -c:a libmp3lame");
pub(crate) static HEVC_10: Master = at_rate(
    "hevc-10.mkv",
    "24000/1001",
    "-c:v libx265 -preset ultrafast -x265-params keyint=48:bframes=3:log-level=error -pix_fmt yuv420p10le -c:a flac",
);

/// Fields of two moments in one frame, the top one first; sound for six loudspeakers.
pub(crate) static INTERLACED: Master = at_rate(
    "interlaced.ts",
    "50",
    "-vf tinterlace=interleave_top,fieldorder=tff,setdar=4/3 -c:v mpeg2video -flags +ilme+ildct -b:v 2M -g 12 -bf 2 -c:a ac3 -ac 6 -b:a 384k -metadata:s:a:0 language=deu",
);
/// HDR10, with the screen that it was graded on and how bright it gets.
pub(crate) static HDR10: Master = at_rate(
    "hdr10.mkv",
    "25",
    "-pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -c:v libx265 -preset ultrafast -x265-params log-level=error:repeat-headers=1:hdr10=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400 -c:a aac",
);
/// Still from 1 to 7 s, black from 8 to 12, silent from 3 to 10.
pub(crate) static FLAWED: Master = at_rate(
    "flawed.mp4",
    "25",
    "-vf drawbox=t=fill:color=gray:enable='between(t,1,6.99)',drawbox=t=fill:color=black:enable='between(t,8,11.99)' -af volume=0:enable='between(t,3,9.99)' -c:v libx264 -preset veryfast -g 48 -pix_fmt yuv420p -c:a aac -b:a 64k",
);
/// Sound from the centre, and half as loud from the left behind.
pub(crate) static FIVE_ONE: Master = Master {
    file: "five-one.mkv",
    made: "-af pan=5.1|FC=c0|BL=0.5*c0 -c:v libx264 -preset veryfast -g 48 -pix_fmt yuv420p -c:a flac -metadata:s:a:0 language=eng",
    ..H264
};
/// A tone at about -40 LUFS.
pub(crate) static QUIET: Master = Master {
    file: "quiet.mkv",
    made: "-af volume=-22dB -c:v libx264 -preset veryfast -g 48 -pix_fmt yuv420p -c:a flac",
    ..H264
};
/// The same at about -5 LUFS.
pub(crate) static LOUD: Master = Master {
    file: "loud.mkv",
    made: "-af volume=17dB -c:v libx264 -preset veryfast -g 48 -pix_fmt yuv420p -c:a flac",
    ..H264
};
/// Quiet, but for a moment in each second that is near full scale.
pub(crate) static PEAKS: Master = Master {
    file: "peaks.mkv",
    made: "-af volume='if(lt(mod(t,1),0.02),7,0.5)':eval=frame -c:v libx264 -preset veryfast -g 48 -pix_fmt yuv420p -c:a flac",
    ..H264
};
/// What [`WORDS_MKV`] says, in seconds: across the end of a segment of subtitles, and up to the end of the film.
pub(crate) const WORDS: [(f64, f64, &str); 3] =
    [(1.0, 3.5, "One"), (58.0, 62.25, "Across"), (64.0, 65.0, "Last")];

const SUBRIP: &str = "1\n00:00:01,000 --> 00:00:03,500\n<i>One</i> & two\n\n2\n00:00:58,000 --> 00:01:02,250\nAcross\nlines\n\n3\n00:01:04,000 --> 00:01:30,000\nLast\n";

/// A little more than a minute with subtitles for people who do not hear.
pub(crate) static WORDS_MKV: Master = Master {
    file: "words.mkv",
    picture: Picture::Numbered { width: 320, height: 180, rate: "25", seconds: 65 },
    sound: Sound::Tone { seconds: 65, late_ms: 0 },
    words: Some(SUBRIP),
    made: "-c:v libx264 -preset veryfast -bf 3 -g 48 -pix_fmt yuv420p -c:a aac -b:a 64k -c:s srt -metadata:s:s:0 language=eng -metadata:s:s:0 title=SDH",
    ..H264
};
/// Nothing but subtitles.
pub(crate) static WORDS_ONLY: Master = Master {
    file: "words-only.mkv",
    picture: Picture::None,
    sound: Sound::None,
    made: "-c:s srt",
    ..WORDS_MKV
};
/// The same in MP4, in no language.
pub(crate) static WORDS_MP4: Master = Master {
    file: "words.mp4",
    made: "-c:v libx264 -preset veryfast -bf 3 -g 48 -pix_fmt yuv420p -c:a aac -b:a 64k -c:s mov_text",
    ..WORDS_MKV
};
/// Stripes as standard definition has them.
pub(crate) static PATCHES_601: Master = Master {
    file: "patches-601.mp4",
    picture: Picture::Patches { seconds: 2 },
    sound: Sound::Tone { seconds: 2, late_ms: 0 },
    made: "-vf scale=out_color_matrix=bt601:out_range=tv:flags=accurate_rnd+full_chroma_int,format=yuv420p -colorspace smpte170m -color_primaries smpte170m -color_trc smpte170m -c:v libx264 -crf 10 -c:a aac",
    ..H264
};
/// As high definition has them, in all of the range.
pub(crate) static PATCHES_FULL: Master = Master {
    file: "patches-full.mp4",
    made: "-vf scale=out_color_matrix=bt709:out_range=pc:flags=accurate_rnd+full_chroma_int,format=yuvj420p -color_range pc -c:v libx264 -crf 10 -c:a aac",
    ..PATCHES_601
};
/// As they should be already.
pub(crate) static PATCHES_709: Master = Master {
    file: "patches-709.mp4",
    made: "-vf scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int,format=yuv420p -c:v libx264 -crf 10 -c:a aac",
    ..PATCHES_601
};
/// As an editor exports them, 10 bits of 4:2:2.
pub(crate) static PATCHES_PRORES: Master = Master {
    file: "patches-prores.mov",
    made: "-vf scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int,format=yuv422p10le -c:v prores_ks -profile:v 3 -c:a pcm_s16le",
    ..PATCHES_601
};
/// Red, green and blue themselves.
pub(crate) static PATCHES_RGB: Master = Master {
    file: "patches-rgb.mov",
    made: "-vf format=rgb24 -color_range pc -colorspace rgb -c:v png -c:a pcm_s16le",
    ..PATCHES_601
};
/// A minute from the first hour of a tape, as editors deliver it: nothing is lost, and frames have names.
pub(crate) static PRORES: Master = at_rate(
    "prores.mov",
    "30000/1001",
    "-c:v prores_ks -profile:v 3 -pix_fmt yuv422p10le -color_primaries bt709 -color_trc bt709 -colorspace bt709 -timecode 01:00:00;00 -c:a pcm_s24le -ac 2",
);
/// Full range, with the matrix of standard definition, as phones record it.
pub(crate) static FULL_RANGE: Master = at_rate(
    "full-range.mp4",
    "25",
    "-vf scale=out_range=full,format=yuvj420p -color_range pc -color_primaries bt470bg -color_trc smpte170m -colorspace bt470bg -c:v libx264 -preset veryfast -c:a aac",
);

/// A film in two languages, long enough that not all of it is loaded at once.
pub(crate) static LANGUAGES: Master = Master {
    file: "languages.mkv",
    picture: Picture::Numbered { width: 320, height: 180, rate: "25", seconds: 60 },
    sound: Sound::Beeps { rate: 48_000, seconds: 60, late_ms: 0 },
    made: "-map 0:v -map 1:a -map 1:a -c:v libx264 -preset veryfast -pix_fmt yuv420p -c:a aac -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu",
    ..H264
};
/// What is said in it is in its video, as in television of North America.
pub(crate) static CAPTIONED: Master = Master {
    then: Then::Captioned,
    ..at_rate(
        "captioned.mp4",
        "30000/1001",
        "-c:v libx264 -preset veryfast -bf 0 -g 48 -x264-params slices=1 -pix_fmt yuv420p -c:a aac",
    )
};
/// A picture of 134 MB in a file of some kilobytes.
pub(crate) static BOMB: Master = Master {
    file: "bomb.mov",
    picture: Picture::Plain { width: 16_384, height: 8_192 },
    sound: Sound::Tone { seconds: 1, late_ms: 0 },
    made: "-frames:v 1 -pix_fmt gray -c:v png -c:a pcm_s16le",
    ..BLINK
};
pub(crate) static ONE_PIXEL: Master = Master {
    file: "one-pixel.mov",
    picture: Picture::Plain { width: 2, height: 2 },
    sound: Sound::Tone { seconds: 1, late_ms: 0 },
    made: "-vf format=rgb24,crop=1:1 -c:v png -c:a pcm_s16le",
    ..BLINK
};
/// A tenth of its sound has a picture: GStreamer's demuxer takes that for a preview.
pub(crate) static BLINK: Master = Master {
    file: "blink.mp4",
    picture: Picture::Numbered { width: 320, height: 180, rate: "25", seconds: 1 },
    ..H264
};
pub(crate) static AUDIO_ONLY: Master = Master {
    file: "audio-only.mp4",
    picture: Picture::None,
    sound: Sound::Beeps { rate: 48_000, seconds: SECONDS, late_ms: 0 },
    made: "-c:a aac -b:a 64k",
    ..H264
};
/// Two languages and no picture.
pub(crate) static RADIO_PLAY: Master = Master {
    file: "radio-play.mka",
    picture: Picture::None,
    sound: Sound::Beeps { rate: 48_000, seconds: 16, late_ms: 0 },
    made: "-map 0:a -map 0:a -c:a flac -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu",
    ..H264
};
/// What a player needs to know stands in front: the file can be cut short and still be recognised.
pub(crate) static MOOV_FIRST: Master = Master {
    file: "moov-first.mp4",
    made: "-c:v libx264 -preset veryfast -bf 3 -g 48 -pix_fmt yuv420p -c:a aac -movflags +faststart",
    ..H264
};

impl Master {
    /// The file, made if need be. Tests run in many processes: whoever comes first makes it, the others wait.
    pub(crate) fn path(&self) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("test-masters");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{:016x}-{}", self.recipe(), self.file));
        let lock = File::create(folder.join(format!("{}.lock", self.file))).unwrap();
        lock.lock().unwrap();
        if !file.exists() {
            let making = folder.join(format!("making-{}", self.file));
            tool(program("ffmpeg").args(self.words()).arg(&making));
            self.then.apply(&making);
            fs::rename(&making, &file).unwrap();
        }
        file
    }

    /// What the file's content follows from.
    fn recipe(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        self.picture.colours().hash(&mut hasher);
        hasher.finish()
    }

    fn words(&self) -> Vec<String> {
        let mut words = split("-nostdin -v error -y");
        words.extend(self.picture.input());
        words.extend(self.sound.input());
        if let Some(text) = self.words {
            words.extend(["-f", "srt", "-i"].map(str::to_owned));
            words.push(format!("data:text/plain,{text}"));
        }
        words.extend(split(self.picture.colours()));
        words.extend(split(self.made));
        words
    }
}

impl Picture {
    /// What ffmpeg is told of its colours, unless the master says otherwise: those that nothing has to be done about.
    fn colours(self) -> &'static str {
        match self {
            Picture::Of(..) | Picture::None => "-map_chapters -1",
            Picture::Numbered { .. }
            | Picture::Plain { .. }
            | Picture::Flashes { .. }
            | Picture::Patches { .. } => {
                "-color_range tv -colorspace bt709 -color_primaries bt709 -color_trc bt709"
            }
        }
    }

    fn input(self) -> Vec<String> {
        let graph = match self {
            Picture::Numbered { width, height, rate, seconds } => {
                let mut graph = format!("testsrc2=s={width}x{height}:r={rate}:d={seconds}");
                graph += ",drawbox=w=iw:h=ih/8:t=fill:c=black";
                for bit in 0..BITS {
                    // A frame's number in binary, lowest bit on the left.
                    graph += &format!(
                        ",drawbox=x={bit}*iw/{BITS}:w=iw/{BITS}:h=ih/8:t=fill:c=white:enable='mod(floor(n/{}),2)'",
                        1u32 << bit
                    );
                }
                graph
            }
            Picture::Patches { seconds } => {
                let stripe = |(n, [r, g, b]): (usize, &[u8; 3])| {
                    format!(
                        "color=0x{r:02x}{g:02x}{b:02x}:s=40x180:r=25:d={seconds},format=gbrp[{n}];"
                    )
                };
                let stripes: String = PATCHES.iter().enumerate().map(stripe).collect();
                let joined: String = (0..PATCHES.len()).map(|n| format!("[{n}]")).collect();
                format!("{stripes}{joined}hstack={}", PATCHES.len())
            }
            Picture::Plain { width, height } => format!("color=gray:s={width}x{height}:r=25:d=1"),
            Picture::Flashes { rate, seconds } => {
                // Half a frame early: a frame's time is rounded when it is not a whole number of ticks.
                format!(
                    "color=black:s=320x180:r={rate}:d={seconds},drawbox=t=fill:c=white:enable='lt(mod(t+0.005,1),0.1)'"
                )
            }
            Picture::Of(master, from) => {
                return vec![
                    "-ss".to_owned(),
                    from.to_owned(),
                    "-i".to_owned(),
                    master.path().display().to_string(),
                ];
            }
            Picture::None => return vec![],
        };
        vec!["-f".to_owned(), "lavfi".to_owned(), "-i".to_owned(), graph]
    }
}

/// Red, green and blue of the stripes of [`Picture::Patches`], from left to right.
pub(crate) const PATCHES: [[u8; 3]; 8] = [
    [191, 191, 191],
    [191, 191, 0],
    [0, 191, 191],
    [0, 191, 0],
    [191, 0, 191],
    [191, 0, 0],
    [0, 0, 191],
    [60, 90, 30],
];

/// Bits of a frame's number: enough for 16 s at 59.94 frames per second.
const BITS: u32 = 10;

impl Sound {
    fn input(self) -> Vec<String> {
        let (graph, late_ms) = match self {
            Sound::Tone { seconds, late_ms } => {
                (format!("sine=f=440:r=48000:d={seconds}"), late_ms)
            }
            Sound::Beeps { rate, seconds, late_ms } => {
                let beeps = format!(
                    "aevalsrc='0.8*sin(2*PI*1000*t)*lt(mod(t,1),0.1)':s={rate}:d={seconds}"
                );
                (beeps, late_ms)
            }
            Sound::None => return vec![],
        };
        let late = format!("{}.{:03}", late_ms / 1000, late_ms % 1000);
        ["-itsoffset", &late, "-f", "lavfi", "-i", &graph].map(str::to_owned).to_vec()
    }
}

impl Then {
    fn apply(self, file: &Path) {
        match self {
            Then::Nothing => {}
            Then::Rotated => {
                let mut bytes = fs::read(file).unwrap();
                // ISO/IEC 14496-12, 8.3.2: in version 0 the matrix starts 40 bytes after the header's type and flags.
                let matrix = find(&bytes, b"tkhd").unwrap() + 8 + 36;
                let quarter_turn =
                    [0, 0x0001_0000, 0, 0xFFFF_0000_u32, 0, 0].map(u32::to_be_bytes).concat();
                bytes[matrix..matrix + quarter_turn.len()].copy_from_slice(&quarter_turn);
                fs::write(file, bytes).unwrap();
            }
            Then::Captioned => captions::write_into(file),
        }
    }
}

/// Where `needle` starts in `bytes` for the first time.
pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

fn split(words: &str) -> Vec<String> {
    words.split(' ').map(str::to_owned).collect()
}
