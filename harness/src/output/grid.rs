//! Rows of cells, and their three forms.

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use super::markup::Markup;

/// The only line in a terminal's table, below the headers.
const RULE: LineStyle = LineStyle::new('─', '─', '─', '─');

/// A table of texts; the first `left` columns are words, the rest are figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    left: usize,
    headers: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// An empty table.
    #[must_use]
    pub fn new(left: usize, headers: &[&str]) -> Self {
        let headers = headers.iter().map(|header| (*header).to_owned()).collect();
        Self { left, headers, rows: Vec::new() }
    }

    /// Adds a row, one cell a header.
    pub fn push(&mut self, row: Vec<String>) {
        debug_assert_eq!(row.len(), self.headers.len(), "a cell a column");
        self.rows.push(row);
    }

    /// Without the columns in which every row has `-`.
    #[must_use]
    pub fn without_empty_columns(mut self) -> Self {
        for column in (self.left..self.headers.len()).rev() {
            if self.rows.iter().all(|row| row[column] == "-") {
                self.headers.remove(column);
                self.rows.iter_mut().for_each(|row| drop(row.remove(column)));
            }
        }
        self
    }

    /// For a terminal.
    #[must_use]
    pub fn terminal(&self) -> String {
        let mut table = Table::new();
        table.load_style(TableStyle::new().header_separator(RULE));
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(&self.headers);
        for row in &self.rows {
            table.add_row(row.iter().enumerate().map(|(column, text)| {
                let alignment =
                    if column < self.left { CellAlignment::Left } else { CellAlignment::Right };
                Cell::new(text).set_alignment(alignment)
            }));
        }
        table.to_string()
    }

    /// As a Markdown table.
    #[must_use]
    pub fn markdown(&self) -> String {
        let line = |cells: &mut dyn Iterator<Item = String>| {
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        let escape = |text: &String| text.replace('|', "\\|").replace('\n', "<br>");
        let rule = |column| if column < self.left { "---".to_owned() } else { "--:".to_owned() };
        let mut text = line(&mut self.headers.iter().map(escape));
        text += &line(&mut (0..self.headers.len()).map(rule));
        for row in &self.rows {
            text += &line(&mut row.iter().map(escape));
        }
        text
    }

    /// As a table of a page.
    pub(super) fn html(&self, markup: &mut Markup) {
        let class = |column| [("class", if column < self.left { "word" } else { "number" })];
        markup.around("table", &[], |markup| {
            markup.around("tr", &[], |markup| {
                for (column, header) in self.headers.iter().enumerate() {
                    let [class] = class(column);
                    markup.element("th", &[("scope", "col"), class], header);
                }
            });
            for row in &self.rows {
                markup.around("tr", &[], |markup| {
                    for (column, cell) in row.iter().enumerate() {
                        markup.around("td", &class(column), |markup| html_cell(markup, cell));
                    }
                });
            }
        });
    }
}

/// What follows the first line is a detail of it.
fn html_cell(markup: &mut Markup, cell: &str) {
    for (number, line) in cell.lines().enumerate() {
        if number == 0 {
            markup.text(line);
        } else {
            markup.empty("br", &[]);
            markup.element("small", &[], line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_cells_become_markdown_or_a_terminal_table() {
        let mut grid = Grid::new(1, &["phase", "p50", "p99"]);
        grid.push(vec!["a|b".into(), "1us".into(), "-".into()]);
        let grid = grid.without_empty_columns();
        assert_eq!(grid.markdown(), "| phase | p50 |\n| --- | --: |\n| a\\|b | 1us |\n");
        assert!(grid.terminal().contains("1us") && !grid.terminal().contains("p99"));
    }
}
