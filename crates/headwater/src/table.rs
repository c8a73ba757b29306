//! How lists of the queue are printed: tables, and stretches of time in words.

use std::array;

/// Lines of a table: the heads, then each row, in columns as wide as what they hold. A column that holds nothing is left
/// out.
pub(crate) fn lines<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = array::from_fn(|column| match widest(column) {
        None | Some(0) => 0,
        Some(widest) => widest.max(heads[column].chars().count()),
    });
    let line = |cells: [&str; N]| {
        let shown = cells.iter().zip(widths).filter(|(_, width)| *width > 0);
        let cells: Vec<String> = shown.map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    let rows = rows.iter().map(|row| line(array::from_fn(|column| row[column].as_str())));
    std::iter::once(line(heads)).chain(rows).collect()
}

/// A stretch of time in its two largest units: `41 s`, `3 min 20 s`, `2 h 05 min`, `3 d 4 h`. What is negative, since
/// this machine's clock and the catalog's differ, is nothing.
pub(crate) fn lasting(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, min, s) => format!("{min} min {s:02} s"),
        (0, h, min, _) => format!("{h} h {min:02} min"),
        (d, h, ..) => format!("{d} d {h} h"),
    }
}

#[cfg(test)]
mod tests;
