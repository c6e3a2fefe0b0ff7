//! The landing page's tables. On a narrow screen a row becomes a card, so every cell carries the
//! heading of its column. Pure.

use std::fmt::Write;

use crate::serve::phrase::NOTHING;

/// A column: its heading, and how its cells are set.
pub struct Column {
    heading: &'static str,
    class: &'static str,
}

impl Column {
    /// What a row is about.
    pub const fn name(heading: &'static str) -> Self {
        Self { heading, class: "name" }
    }

    /// Text that may go on in the next line.
    pub const fn text(heading: &'static str) -> Self {
        Self { heading, class: "text" }
    }

    /// A few words that stay in one line.
    pub const fn words(heading: &'static str) -> Self {
        Self { heading, class: "w" }
    }

    /// Figures, which are set to the right.
    pub const fn figure(heading: &'static str) -> Self {
        Self { heading, class: "n" }
    }
}

/// A table of rows of cells, which are HTML, or a line that says that there is nothing to put in.
pub fn table(columns: &[Column], rows: &[Vec<String>], nothing: &str) -> String {
    if rows.is_empty() {
        return format!("<p class=\"empty\">{nothing}</p>");
    }
    let headings: String = columns.iter().map(heading).collect();
    let rows: String = rows.iter().map(|cells| row(columns, cells)).collect();
    format!("<table><thead><tr>{headings}</tr></thead><tbody>\n{rows}</tbody></table>")
}

fn heading(Column { heading, class }: &Column) -> String {
    format!("<th class=\"{class}\" scope=\"col\">{heading}</th>")
}

fn row(columns: &[Column], cells: &[String]) -> String {
    let mut row = "<tr>".to_owned();
    for (Column { heading, class }, cell) in columns.iter().zip(cells) {
        // A card leaves out what there is nothing to say about.
        let none = if cell == NOTHING { " none" } else { "" };
        // A String takes everything.
        let _ = write!(row, "<td class=\"{class}{none}\" data-column=\"{heading}\">{cell}</td>");
    }
    row + "</tr>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 2] = [Column::name("Process"), Column::figure("Restarts")];

    #[test]
    fn every_cell_carries_the_heading_of_its_column() {
        let page = table(&COLUMNS, &[vec!["web".to_owned(), "3".to_owned()]], "none");
        assert!(page.contains("<td class=\"name\" data-column=\"Process\">web</td>"), "{page}");
        assert!(page.contains("<td class=\"n\" data-column=\"Restarts\">3</td>"), "{page}");
        assert!(page.contains("<th class=\"n\" scope=\"col\">Restarts</th>"), "{page}");
    }

    #[test]
    fn a_cell_that_says_nothing_can_be_left_out() {
        let page = table(&COLUMNS, &[vec!["web".to_owned(), NOTHING.to_owned()]], "none");
        assert!(page.contains("<td class=\"n none\" data-column=\"Restarts\">–</td>"), "{page}");
    }

    #[test]
    fn a_table_without_rows_says_so() {
        assert_eq!(table(&COLUMNS, &[], "No process."), "<p class=\"empty\">No process.</p>");
    }
}
