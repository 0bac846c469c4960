//! The table: medians, and ratios taken inside each round.

use std::collections::BTreeMap;

use super::Figure;

/// The figures of one case: by row, by round, by column.
#[derive(Debug, Default)]
pub(crate) struct Results {
    rows: Vec<(&'static str, &'static str)>,
    values: BTreeMap<(&'static str, usize, usize), f64>,
}

impl Results {
    /// Adds a run's figures.
    pub(crate) fn add(&mut self, round: usize, column: usize, figures: &[Figure]) {
        for figure in figures {
            if !self.rows.iter().any(|(row, _)| *row == figure.row) {
                self.rows.push((figure.row, figure.unit));
            }
            self.values.insert((figure.row, round, column), figure.value);
        }
    }

    fn column(&self, row: &'static str, column: usize) -> Vec<f64> {
        let of_row = self.values.iter().filter(|((name, _, place), _)| *name == row && *place == column);
        of_row.map(|(_, value)| *value).collect()
    }

    /// How many times the first column another one takes, in each round that has both.
    fn ratios(&self, row: &'static str, column: usize) -> Vec<f64> {
        let of_row = self.values.iter().filter(|((name, _, place), _)| *name == row && *place == column);
        of_row
            .filter_map(|((_, round, _), value)| Some(value / self.values.get(&(row, *round, 0))?))
            .collect()
    }

    /// Prints the rows in the columns of [`header`].
    pub(crate) fn print(&self, columns: usize, losses: &[usize]) {
        for (row, unit) in &self.rows {
            print!("| {row}, {unit} |");
            for column in 0..columns {
                print!(
                    " {} |",
                    spread(&self.column(row, column)).map_or("-".to_owned(), |(median, ..)| number(median))
                );
            }
            for column in 1..columns {
                match spread(&self.ratios(row, column)) {
                    Some((median, least, most)) => print!(" **{median:.2}** [{least:.2}..{most:.2}] |"),
                    None => print!(" - |"),
                }
            }
            let losses: Vec<String> = losses.iter().map(usize::to_string).collect();
            println!(" {} |", losses.join("/"));
        }
    }
}

/// Prints the table's head.
pub(crate) fn header(columns: &[&str]) {
    let Some((first, others)) = columns.split_first() else { return };
    let ratios: Vec<String> = others.iter().map(|other| format!("{other} / {first}")).collect();
    println!("\n| case | {} | {} | runs with a loss |", columns.join(" | "), ratios.join(" | "));
    println!("|{}", " --- |".repeat(2 + columns.len() + others.len()));
}

fn number(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// Median, least and most.
fn spread(values: &[f64]) -> Option<(f64, f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    let median = if sorted.len() % 2 == 1 { upper } else { (sorted.get(middle - 1)? + upper) / 2.0 };
    Some((median, *sorted.first()?, *sorted.last()?))
}
