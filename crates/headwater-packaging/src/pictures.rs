//! What tells players of a title's small pictures: WebVTT, an HLS image playlist (Roku's image media playlists) and, in
//! [`crate::dash`], tiles of DASH-IF.

use std::fmt::Write as _;

use headwater_model::key::picture_name;
use headwater_model::time::MediaTime;

use crate::view::PicturesView;

/// The WebVTT file beside the sheets: for each segment where its picture is.
pub fn webvtt(view: &PicturesView) -> String {
    let mut file = String::from("WEBVTT\n");
    let ms = |ticks: u64| MediaTime { ticks, timescale: view.timescale }.rescale(1000);
    let clock = |ms: u64| {
        let s = ms / 1000;
        format!("{:02}:{:02}:{:02}.{:03}", s / 3600, s / 60 % 60, s % 60, ms % 1000)
    };
    let plan = &view.plan;
    for (n, (start, ticks)) in (0u32..).zip(&view.segments) {
        let (sheet, place) = (n / plan.on_a_sheet() as u32, n % plan.on_a_sheet() as u32);
        let (x, y) = (place % plan.columns * plan.width, place / plan.columns * plan.height);
        let (from, to) = (clock(ms(*start)), clock(ms(start + ticks)));
        let name = picture_name(Some(sheet));
        let (width, height) = (plan.width, plan.height);
        let _ = write!(file, "\n{from} --> {to}\n{name}#xywh={x},{y},{width},{height}\n");
    }
    file
}

/// The image playlist beside the sheets.
pub fn playlist(view: &PicturesView) -> String {
    let plan = &view.plan;
    let seconds = |ticks: u64| {
        let micros = MediaTime { ticks, timescale: view.timescale }.rescale(1_000_000);
        format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    };
    let lengths: Vec<u64> = view
        .segments
        .chunks(plan.on_a_sheet())
        .map(|run| run.iter().map(|(_, t)| t).sum())
        .collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let target = MediaTime { ticks: longest, timescale: view.timescale }.rescale(1).max(1);
    let each = view.segments.first().map_or(0, |(_, ticks)| *ticks);
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-IMAGES-ONLY\n"
    );
    for (n, length) in (0u32..).zip(&lengths) {
        let tiles = format!(
            "RESOLUTION={}x{},LAYOUT={}x{},DURATION={}",
            plan.width,
            plan.height,
            plan.columns,
            plan.rows,
            seconds(each)
        );
        let _ = write!(
            text,
            "#EXTINF:{},\n#EXT-X-TILES:{tiles}\n{}\n",
            seconds(*length),
            picture_name(Some(n))
        );
    }
    text + "#EXT-X-ENDLIST\n"
}
