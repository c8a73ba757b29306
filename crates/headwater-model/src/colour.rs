//! How the numbers of a picture become colours: the code points of ITU-T H.273, which containers, bitstreams and
//! manifests share.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Code point of H.273 for "unspecified".
const UNSPECIFIED: u8 = 2;

/// Transfer characteristics of SMPTE ST 2084 (PQ), H.273 table 3.
const PQ: u8 = 16;
/// Transfer characteristics of ARIB STD-B67 (HLG), H.273 table 3.
const HLG: u8 = 18;

/// What a stream says of its colours, or what is taken for granted where it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Colour {
    /// `colour_primaries`, H.273 table 2.
    pub primaries: u8,
    /// `transfer_characteristics`, H.273 table 3.
    pub transfer: u8,
    /// `matrix_coefficients`, H.273 table 4.
    pub matrix: u8,
    /// `video_full_range_flag`: black is 0 and not 16 (of 8 bits).
    pub full_range: bool,
}

/// How bright the brightest may be: what a rendition is told by (`VIDEO-RANGE` of RFC 8216bis, 4.4.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DynamicRange {
    /// As on any screen.
    Sdr,
    /// Hybrid log-gamma (ARIB STD-B67).
    Hlg,
    /// Perceptual quantiser (SMPTE ST 2084): HDR10 with its metadata.
    Pq,
}

impl DynamicRange {
    /// The word in a playlist.
    pub fn video_range(self) -> &'static str {
        match self {
            DynamicRange::Sdr => "SDR",
            DynamicRange::Hlg => "HLG",
            DynamicRange::Pq => "PQ",
        }
    }
}

impl Colour {
    /// High definition: BT.709 of limited range, what SDR renditions have.
    pub const BT709: Colour = Colour { primaries: 1, transfer: 1, matrix: 1, full_range: false };
    /// Standard definition with 525 lines: SMPTE 170M, which is BT.601.
    pub const SMPTE170M: Colour =
        Colour { primaries: 6, transfer: 6, matrix: 6, full_range: false };
    /// Standard definition with 625 lines: BT.470 B and G primaries, the matrix of BT.601.
    pub const BT470BG: Colour = Colour { primaries: 5, transfer: 6, matrix: 5, full_range: false };
    /// Nothing is said.
    pub const UNSPECIFIED: Colour = Colour {
        primaries: UNSPECIFIED,
        transfer: UNSPECIFIED,
        matrix: UNSPECIFIED,
        full_range: false,
    };

    /// What is not said is filled in as the industry takes it: standard definition is BT.601, all else BT.709.
    pub fn or_usual(self, width: u32, height: u32) -> Self {
        let usual = match (width, height) {
            (1281.., _) | (_, 577..) => Colour::BT709,
            (_, 481..=576) => Colour::BT470BG,
            _ => Colour::SMPTE170M,
        };
        let said = |code: u8, usual: u8| if code == UNSPECIFIED { usual } else { code };
        Colour {
            primaries: said(self.primaries, usual.primaries),
            transfer: said(self.transfer, usual.transfer),
            matrix: said(self.matrix, usual.matrix),
            full_range: self.full_range,
        }
    }

    /// Whether a picture has light that no ordinary screen can show: of a wider gamut, or brighter.
    pub fn is_beyond_sdr(self) -> bool {
        const WIDE: [u8; 3] = [9, 11, 12];
        self.dynamic_range() != DynamicRange::Sdr || WIDE.contains(&self.primaries)
    }

    /// The colours of an SDR rendition of such a picture: BT.709. The primaries of standard definition stay what they are:
    /// they are so near to those of BT.709 that the trade does not convert them, and a screen that knows better can.
    pub fn as_sdr(self) -> Self {
        const STANDARD_DEFINITION: std::ops::RangeInclusive<u8> = 4..=7;
        let kept = STANDARD_DEFINITION.contains(&self.primaries) && !self.is_beyond_sdr();
        let primaries = if kept { self.primaries } else { Colour::BT709.primaries };
        Colour { primaries, ..Colour::BT709 }
    }

    /// How bright it may get.
    pub fn dynamic_range(self) -> DynamicRange {
        match self.transfer {
            PQ => DynamicRange::Pq,
            HLG => DynamicRange::Hlg,
            _ => DynamicRange::Sdr,
        }
    }
}

impl fmt::Display for Colour {
    /// `BT.709, limited range`; where primaries, transfer and matrix are not of one standard, each by itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [primaries(self.primaries), transfer(self.transfer), matrix(self.matrix)];
        let range = if self.full_range { "full range" } else { "limited range" };
        match names {
            [one, same, again] if one == same && same == again => write!(f, "{one}, {range}"),
            [primaries, transfer, matrix] => {
                write!(f, "primaries {primaries}, transfer {transfer}, matrix {matrix}, {range}")
            }
        }
    }
}

fn primaries(code: u8) -> String {
    match code {
        1 => "BT.709".to_owned(),
        UNSPECIFIED => "not stated".to_owned(),
        4 => "BT.470 M".to_owned(),
        5 | 6 => "BT.601".to_owned(),
        7 => "SMPTE 240M".to_owned(),
        9 => "BT.2020".to_owned(),
        11 => "DCI-P3".to_owned(),
        12 => "Display P3".to_owned(),
        other => format!("H.273 code {other}"),
    }
}

fn transfer(code: u8) -> String {
    match code {
        1 => "BT.709".to_owned(),
        UNSPECIFIED => "not stated".to_owned(),
        4 => "gamma 2.2".to_owned(),
        5 => "gamma 2.8".to_owned(),
        6 => "BT.601".to_owned(),
        7 => "SMPTE 240M".to_owned(),
        8 => "linear".to_owned(),
        11 => "xvYCC".to_owned(),
        13 => "sRGB".to_owned(),
        14 | 15 => "BT.2020".to_owned(),
        PQ => "PQ".to_owned(),
        HLG => "HLG".to_owned(),
        other => format!("H.273 code {other}"),
    }
}

fn matrix(code: u8) -> String {
    match code {
        0 => "RGB".to_owned(),
        1 => "BT.709".to_owned(),
        UNSPECIFIED => "not stated".to_owned(),
        4 => "FCC".to_owned(),
        5 | 6 => "BT.601".to_owned(),
        7 => "SMPTE 240M".to_owned(),
        9 | 10 => "BT.2020".to_owned(),
        other => format!("H.273 code {other}"),
    }
}

/// What the screen was like on which an HDR picture was graded (SMPTE ST 2086), in the units of its SEI message
/// (ITU-T H.265, D.3.28).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasteringDisplay {
    /// Chromaticity of red, green and blue, in 0.00002.
    pub primaries: [(u16, u16); 3],
    /// Chromaticity of white, likewise.
    pub white: (u16, u16),
    /// Brightest, in 0.0001 cd/m².
    pub max_luminance: u32,
    /// Darkest, likewise.
    pub min_luminance: u32,
}

/// How bright the content gets (CTA-861.3), in cd/m².
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentLight {
    /// MaxCLL: the brightest pixel.
    pub max_pixel: u16,
    /// MaxFALL: the brightest picture, on average.
    pub max_frame_average: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_depends_on_the_size() {
        let nothing = Colour::UNSPECIFIED;
        assert_eq!(nothing.or_usual(720, 576), Colour::BT470BG);
        assert_eq!(nothing.or_usual(720, 480), Colour::SMPTE170M);
        assert_eq!(nothing.or_usual(1280, 720), Colour::BT709);
        assert_eq!(nothing.or_usual(1920, 544), Colour::BT709);
        let full = Colour { full_range: true, ..nothing };
        assert_eq!(full.or_usual(1280, 720), Colour { full_range: true, ..Colour::BT709 });
        let said = Colour { matrix: 6, ..nothing };
        assert_eq!(said.or_usual(1280, 720), Colour { matrix: 6, ..Colour::BT709 });
    }

    #[test]
    fn people_read_names() {
        assert_eq!(Colour::BT709.to_string(), "BT.709, limited range");
        assert_eq!(Colour::BT470BG.to_string(), "BT.601, limited range");
        let hlg = Colour { primaries: 9, transfer: HLG, matrix: 9, full_range: false };
        assert_eq!(
            hlg.to_string(),
            "primaries BT.2020, transfer HLG, matrix BT.2020, limited range"
        );
        assert_eq!(hlg.dynamic_range().video_range(), "HLG");
        assert_eq!(Colour::UNSPECIFIED.dynamic_range(), DynamicRange::Sdr);
        assert_eq!(hlg.as_sdr(), Colour::BT709);
        assert_eq!(Colour::BT470BG.as_sdr(), Colour { primaries: 5, ..Colour::BT709 });
    }
}
