//! Tables of what clients took for a number of objects, and how Headwater's figures stand to others'.

use std::fmt::Write as _;
use std::time::Duration;

use crate::results::{Tool, median};

/// What a client was measured on.
pub(super) struct Work {
    /// Objects that each run dealt with.
    pub(super) objects: u64,
    /// Processor time of the server in each run, by client in the order of the table.
    pub(super) server: Vec<Vec<Duration>>,
}

impl Work {
    /// Objects per second, median.
    pub(super) fn rate(&self, tool: &Tool<'_>) -> f64 {
        self.objects as f64 / tool.wall()
    }

    /// A Markdown table of medians, with every run's times.
    pub(super) fn table(&self, tools: &[Tool<'_>]) -> String {
        let mut text = String::from(
            "| client | wall s | objects/s | CPU s | CPU ms an object | server CPU s | peak MB | wall, CPU s of each round |\n\
             |---|---|---|---|---|---|---|---|\n",
        );
        for (tool, server) in tools.iter().zip(&self.server) {
            let each: Vec<String> = tool
                .runs
                .iter()
                .map(|run| {
                    let (wall, cpu) = (run.cost.wall.as_secs_f64(), run.cost.cpu.as_secs_f64());
                    format!("{wall:.2}, {cpu:.2}")
                })
                .collect();
            let _ = writeln!(
                text,
                "| {} | {:.2} | {:.0} | {:.2} | {:.3} | {:.2} | {:.0} | {} |",
                tool.name,
                tool.wall(),
                self.rate(tool),
                tool.cpu(),
                tool.cpu() * 1000.0 / self.objects as f64,
                median(server.iter().map(Duration::as_secs_f64).collect()),
                tool.memory() / 1e6,
                each.join(" · ")
            );
        }
        text
    }
}

/// A figure that should be at least or at most something, in bold, and whether it is.
pub(crate) fn judged(figure: f64, goal: Goal) -> String {
    let (reached, words) = match goal {
        Goal::None => return format!("**{figure:.2}**"),
        Goal::AtLeast(least) => (figure >= least, format!("at least {least}")),
        Goal::AtMost(most) => (figure <= most, format!("at most {most}")),
    };
    format!("**{figure:.2}** (goal {words}: {})", if reached { "reached" } else { "missed" })
}

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    None,
    AtLeast(f64),
    AtMost(f64),
}
