//! Live progress: one bar for every title that is being worked on, fed from the catalog.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use headwater_model::history::counted;
use headwater_model::id::TitleId;
use headwater_model::life::{TitleRecord, TitleState};
use indicatif::{ProgressBar, ProgressStyle};

use crate::report::length;
use crate::terminal::{bars, news};

/// How often the catalog is asked: what people see as live.
pub(crate) const REFRESH: Duration = Duration::from_millis(500);

/// The bars.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    titles: BTreeMap<TitleId, Shown>,
}

#[derive(Debug)]
struct Shown {
    state: &'static str,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Takes titles that are finished already as read: only what happens from now on is news.
    pub(crate) fn after(records: &[TitleRecord]) -> Self {
        let finished = records.iter().filter(|r| r.state.is_final());
        Self {
            titles: finished
                .map(|r| (r.title.clone(), Shown { state: r.state.name(), bar: None }))
                .collect(),
        }
    }

    /// Shows how things stand now.
    pub(crate) fn show(&mut self, records: &[TitleRecord]) {
        let terminal = std::io::stderr().is_terminal();
        for record in records {
            let shown =
                self.titles.entry(record.title.clone()).or_insert(Shown { state: "", bar: None });
            let changed = shown.state != record.state.name();
            shown.state = record.state.name();
            if record.state.is_final() {
                shown.clear();
                if changed {
                    news(&last_line(record));
                }
            } else if terminal {
                shown.draw(record);
            } else if changed {
                news(&format!("{}  {}", record.title, record.state));
            }
        }
    }

    /// Takes the bars away.
    pub(crate) fn clear(&mut self) {
        self.titles.values_mut().for_each(Shown::clear);
    }
}

impl Shown {
    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            bars().remove(&bar);
        }
    }

    fn draw(&mut self, record: &TitleRecord) {
        let bar = self.bar.get_or_insert_with(|| {
            let bar = bars().add(ProgressBar::new(0));
            let style = ProgressStyle::with_template("{prefix:24!} {bar:24.cyan/dim} {msg}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_prefix(record.title.to_string())
        });
        let p = record.progress;
        bar.set_length(p.frames.max(1));
        bar.set_position(p.frames_done);
        bar.set_message(match record.state {
            TitleState::Transcoding => {
                format!(
                    "{} of {}  {}",
                    p.spans_done,
                    counted(p.spans.into(), "span"),
                    pace(p.frames_done, p.frames, p.duration_ms, p.working_ms)
                )
            }
            TitleState::Queued if record.held => "held".to_owned(),
            TitleState::Queued => "reading the master".to_owned(),
            TitleState::Sealing => "writing playlists and inventory".to_owned(),
            TitleState::Verifying => "asking the origin about every object".to_owned(),
            _ => record.state.to_string(),
        });
    }
}

/// `37 fps, 1.5 x, 42 s left`, as soon as there is something to tell.
fn pace(done: u64, frames: u64, duration_ms: u64, working_ms: u64) -> String {
    if done == 0 || working_ms == 0 || frames == 0 {
        return "starting".to_owned();
    }
    let fps = done as f64 * 1000.0 / working_ms as f64;
    let speed = duration_ms as f64 * (done as f64 / frames as f64) / working_ms as f64;
    let left = frames.saturating_sub(done) as f64 / fps;
    format!("{fps:.0} fps  {speed:.2}x  {} left", length(left))
}

fn last_line(record: &TitleRecord) -> String {
    let p = record.progress;
    match &record.state {
        TitleState::Rejected(refusal) | TitleState::Failed(refusal) => {
            format!("{}  {}: {refusal}\n  {}", record.title, record.state, refusal.code.next_step())
        }
        _ => format!(
            "{}  published as {}: {} in {}",
            record.title,
            record.version,
            length(p.duration_ms as f64 / 1000.0),
            length(p.working_ms as f64 / 1000.0)
        ),
    }
}
