//! What codecs are called.

use super::*;

#[test]
fn a_codec_is_named_whatever_its_caps_leave_open() {
    gst::init().unwrap();
    for (caps, name) in [
        ("audio/x-ac3", "AC-3 (ATSC A/52)"),
        ("audio/x-ac3, channels=[1, 6], rate={32000, 44100, 48000}", "AC-3 (ATSC A/52)"),
        ("video/x-h264, stream-format={avc, byte-stream}, alignment=au", "H.264"),
        ("video/x-gst-fourcc-vvc1", "H.266/VVC (`vvc1`)"),
        ("ANY", "unknown"),
    ] {
        let caps: gst::Caps = caps.parse().unwrap();
        assert_eq!(codec(&caps), name, "{caps}");
    }
}
