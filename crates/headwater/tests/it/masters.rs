//! Test masters, made with ffmpeg when they are first needed and kept in `target/test-masters`.
//!
//! Every frame shows its own number, as bars on top of a moving test picture: a frame that is lost, doubled or swapped
//! is seen in the pixels, not only in the count.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::run::{program, tool};

/// A file to make. Masters with the same recipe are the same file.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) struct Master {
    /// Its name; the extension decides the container.
    pub(crate) file: &'static str,
    picture: Picture,
    sound: Sound,
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
}

/// Long enough for four segments of 5 s, the last of them short.
const SECONDS: u32 = 16;

const X264: &str = "-c:v libx264 -preset veryfast -bf 3 -g 48 -pix_fmt yuv420p -c:a aac -b:a 64k";

const H264: Master = Master {
    file: "h264-25.mp4",
    picture: Picture::Numbered { width: 320, height: 180, rate: "25", seconds: SECONDS },
    sound: Sound::Tone { seconds: SECONDS, late_ms: 0 },
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

pub(crate) static AUDIO_ONLY: Master =
    Master { file: "audio-only.mp4", picture: Picture::None, made: "-c:a aac -b:a 64k", ..H264 };
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
        hasher.finish()
    }

    fn words(&self) -> Vec<String> {
        let mut words = split("-nostdin -v error -y");
        words.extend(self.picture.input());
        words.extend(self.sound.input());
        words.extend(split(self.made));
        words
    }
}

impl Picture {
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
