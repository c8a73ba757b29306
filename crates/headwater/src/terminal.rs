//! What goes to the terminal: results to standard output, everything else to standard error, and progress bars that
//! neither of them tears.
//!
//! Whoever reads any of it may go away, and a disk that it is written to may be full. Work goes on without being heard:
//! lines of standard error are lost then, and of results that cannot be written [`unwritten`] tells at the end.

use std::io::{self, ErrorKind, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

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

/// Why a line of result could not be written, of the first that could not.
static UNWRITTEN: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints one line of result.
pub(crate) fn say(line: &str) {
    let mut unwritten = UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    if unwritten.is_none() {
        *unwritten = bars().suspend(|| writeln!(io::stdout(), "{line}")).err();
    }
}

/// Why results could not be written, if somebody still waits for them: a reader that went away, such as `head`, has read
/// what it wanted.
pub(crate) fn unwritten() -> Option<io::Error> {
    let unwritten = UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    unwritten.filter(|error| error.kind() != ErrorKind::BrokenPipe)
}

/// Prints news about what goes on, which is not the result.
pub(crate) fn news(line: &str) {
    let _ = bars().suspend(|| writeln!(io::stderr(), "{line}"));
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
    // They would go where the line could not, and take the thread with them.
    let log_lines = log_lines.log_internal_errors(false);
    match log.format {
        LogFormat::Text => log_lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).init(),
        LogFormat::Json => log_lines.json().init(),
    }
    Ok(())
}
