//! Pango markup, which demuxers give: XML with the tags that WebVTT has and some more, which are left out.

use super::{escaped, lines};

pub(super) fn text(markup: &str) -> String {
    const KEPT: [&str; 6] = ["<i>", "</i>", "<b>", "</b>", "<u>", "</u>"];
    let mut done = String::new();
    let mut rest = markup;
    while let Some(at) = rest.find('<') {
        done += &decoded(&rest[..at]);
        rest = &rest[at..];
        let Some(end) = rest.find('>') else { break };
        let tag = rest[..=end].to_ascii_lowercase();
        if KEPT.contains(&tag.as_str()) {
            done += &tag;
        }
        rest = &rest[end + 1..];
    }
    done += &decoded(rest);
    lines(&done)
}

/// With WebVTT's references for characters, of which it has fewer than XML.
fn decoded(text: &str) -> String {
    let plain = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&#39;", "'")
        .replace("&amp;", "&");
    escaped(&plain)
}
