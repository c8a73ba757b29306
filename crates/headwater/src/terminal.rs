//! What goes to the terminal: results to standard output, everything else to standard error, and progress bars that
//! neither of them tears.

use std::io::{self, Write};
use std::sync::OnceLock;

use anyhow::Context;
use indicatif::MultiProgress;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Log, LogFormat};

/// All progress bars of the process. They draw on standard error, and only when that is a terminal.
pub(crate) fn bars() -> &'static MultiProgress {
    static BARS: OnceLock<MultiProgress> = OnceLock::new();
    BARS.get_or_init(MultiProgress::new)
}

/// Prints one line of result.
#[expect(clippy::print_stdout, reason = "the one place that prints results")]
pub(crate) fn say(line: &str) {
    bars().suspend(|| println!("{line}"));
}

/// Prints news about what goes on, which is not the result.
#[expect(clippy::print_stderr, reason = "the one place that prints news")]
pub(crate) fn news(line: &str) {
    bars().suspend(|| eprintln!("{line}"));
}

/// Prints why a command ended.
pub(crate) fn complain(message: &str) {
    news(&format!("error: {message}"));
}

/// Log lines go to standard error, above the bars.
struct AboveBars;

impl Write for AboveBars {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        bars().suspend(|| io::stderr().write(buffer))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for AboveBars {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        AboveBars
    }
}

/// Starts logging, by `filter` unless the configuration has its own.
pub(crate) fn start_log(log: &Log, filter: &str) -> anyhow::Result<()> {
    let filter = log.filter.as_deref().unwrap_or(filter);
    let filter = EnvFilter::try_new(filter).context("read the log filter")?;
    let log_lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| AboveBars);
    match log.format {
        LogFormat::Text => log_lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).init(),
        LogFormat::Json => log_lines.json().init(),
    }
    Ok(())
}
