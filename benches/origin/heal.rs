//! A title of an hour on one origin: transcoding it, against healing it after one segment was lost, and after three from
//! different spans were. The healed bytes have to be those that were lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Lab, Options};
use crate::results::median;
use crate::{headwater, measure};

/// Length of the master in minutes.
const MINUTES: u32 = 60;

const PIPELINE: &str = "vod-h264";

/// What is lost, in parts of the title's length: of one span, and of three.
const LOSSES: [&[f64]; 2] = [&[0.5], &[0.2, 0.5, 0.8]];

/// Measures, and returns the section.
pub(super) fn run(lab: &Lab<'_>, options: &Options) -> Result<String> {
    let minutes = options.sized(MINUTES);
    let master = headwater::minutes(lab.bed, minutes)?;
    let data = lab.dir.join("heal");
    let made = headwater::ingest(lab.bed, &master, PIPELINE, &data)?;
    let (whole, whole_cpu) = (made.cost.wall.as_secs_f64(), made.cost.cpu.as_secs_f64());
    let segments = segments(&made.index)?;
    let title =
        made.index.parent().and_then(Path::file_name).context("the package has no title")?;

    let (mut rows, mut healed) = (String::new(), Vec::new());
    for losses in LOSSES {
        let (mut wall, mut cpu) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            let lost: Vec<&PathBuf> = losses
                .iter()
                .filter_map(|part| segments.get((segments.len() as f64 * part) as usize))
                .collect();
            let mut before = Vec::new();
            for file in &lost {
                before.push(fs::read(file).context("read a segment")?);
                fs::remove_file(file).context("lose a segment")?;
            }
            let mut heal = Command::new(lab.bed.headwater);
            heal.arg("heal").arg(title).arg("--json").arg("--data-dir").arg(&data);
            heal.current_dir(&data);
            let (_, cost) = measure::run(&mut heal, &lab.dir.join("heal.log"))?;
            for (file, before) in lost.iter().zip(before) {
                let after = fs::read(file).context("read a healed segment")?;
                ensure!(after == before, "`{}` was healed with other bytes", file.display());
            }
            wall.push(Duration::as_secs_f64(&cost.wall));
            cpu.push(Duration::as_secs_f64(&cost.cpu));
        }
        let each: Vec<String> = wall.iter().map(|it| format!("{it:.2}")).collect();
        let (wall, cpu) = (median(wall), median(cpu));
        rows += &format!(
            "| healing {} of {} segments of a rendition | {wall:.2} | {cpu:.2} | **{:.1} %** | {} |\n",
            losses.len(),
            segments.len(),
            cpu * 100.0 / whole_cpu,
            each.join(" · ")
        );
        healed.push(cpu);
    }
    let spans = match healed.as_slice() {
        [one, three] => format!("- Three spans / one span: CPU **{:.2}**\n", three / one),
        _ => String::new(),
    };
    fs::remove_dir_all(&data).context("remove the title")?;
    Ok(format!(
        "## Heal: a title of {minutes} min in spans of a minute, on one origin\n\n{}\n\
         | what | wall s | CPU s | CPU of the whole | wall s of each round |\n|---|---|---|---|---|\n\
         | transcoding the title | {whole:.2} | {whole_cpu:.2} | 100 % | |\n{rows}\n{spans}\
         - Healed bytes are those that were lost, in every round\n",
        lab.described(None),
    ))
}

/// Segments of the first rendition of the package whose pointer is `index`, in order.
fn segments(index: &Path) -> Result<Vec<PathBuf>> {
    let text = fs::read_to_string(index).context("read the pointer")?;
    let playlist = text.lines().find(|line| !line.starts_with('#') && !line.is_empty());
    let playlist = index.with_file_name(playlist.context("the pointer leads nowhere")?);
    let folder = playlist.parent().context("the playlist has no folder")?;
    let text = fs::read_to_string(&playlist).context("read a playlist")?;
    let names = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    Ok(names.map(|name| folder.join(name)).collect())
}
