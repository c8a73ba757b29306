//! temporary
use std::path::Path;
use std::sync::{Arc, Mutex};
use headwater_model::id::Sha256;
use headwater_model::pipeline::*;
/// temp
pub fn run(path: &str, span: u32, out: &str) {
    gstreamer::init().unwrap();
    let master = crate::source::Master::new(std::fs::File::open(path).unwrap()).unwrap();
    let t = std::time::Instant::now();
    let i = match crate::inspect::inspect(&master, || ()) { Ok(i) => i, Err(e) => { println!("REFUSED {}", e.into_refusal()); return; } };
    let ladder = [(1920u32, 1080u32, 6000u32), (1280, 720, 3000), (960, 540, 2000), (640, 360, 730), (416, 234, 300)].map(|(l, s, k)| Rung { name: format!("{s}p"), long_side: l, short_side: s, crf: 23.0, max_kbps: k, buffer_kbit: k * 2 }).to_vec();
    let copy = std::env::var("COPY").is_ok();
    let p = Pipeline { name: "x".into(), sha256: Sha256([0; 32]), segment_ms: 6000, gop_ms: 2000, span_segments: span,
        video: if copy { Video::Copy } else { Video::Encode(VideoEncode { encoders: vec!["x264enc".into()], preset: std::env::var("PRESET").unwrap_or("ultrafast".into()), ladder }) },
        audio: if copy { Audio::Copy } else { Audio::Encode(AudioEncode { encoders: vec!["avenc_aac".into()], kbps: 128, sample_rate: 48000, channels: 2 }) } };
    let plan = match headwater_model::plan::plan(Sha256([0; 32]), &p, "e", &i.facts, &i.index, i.zero_ns) { Ok(p) => p, Err(e) => { println!("REFUSED {e}"); return; } };
    println!("{path}: {:?} {:?} frames {} units {} segs {} spans {} zero {} in {:?}", i.index.basis, plan.cadence, plan.frames, i.index.units.len(), plan.segments.len(), plan.spans.len(), i.zero_ns, t.elapsed());
    if std::env::var("FACTS").is_ok() { println!("{:#?}", i.facts); }
    let objs = Arc::new(Mutex::new(Vec::new())); let o2 = objs.clone();
    let emit: crate::segmenter::Emit = Arc::new(move |r| if let headwater_ports::transcoder::Report::Made(m) = r { o2.lock().unwrap().push(m) });
    let _ = std::fs::remove_dir_all(out);
    for s in &plan.spans {
        let t = std::time::Instant::now();
        let r = match &plan.pipeline.video { Video::Encode(v) => crate::span::transcode(&master, &plan, v, s, Path::new(out), emit.clone()), Video::Copy => crate::copy::video(&master, &plan, s, Path::new(out), emit.clone()) };
        match r { Ok(d) => println!("  span {} ok {:?} {:?}", s.first_segment, d.codecs.first(), t.elapsed()), Err(e) => println!("  span {} FAILED {}", s.first_segment, e.into_refusal()) }
    }
    for a in &plan.audio {
        let t = std::time::Instant::now();
        let r = match &plan.pipeline.audio { Audio::Encode(s) => crate::sound::transcode(&master, s, a, Path::new(out), emit.clone()), Audio::Copy => crate::copy::audio(&master, a, Path::new(out), emit.clone()) };
        match r { Ok(d) => println!("  audio {} ok {:?} {:?}", a.name, d.codecs, t.elapsed()), Err(e) => println!("  audio {} FAILED {}", a.name, e.into_refusal()) }
    }
    println!("  {} objects", objs.lock().unwrap().len());
}
