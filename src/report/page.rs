// SPDX-License-Identifier: GPL-2.0-only
//! A page of text for people: headings, lines, tables whose columns line up, as long and as wide as there is room for.
//!
//! What is written here may be anybody's: names and messages are shown without what a terminal would obey.

/// How something stands out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    #[default]
    Plain,
    Heading,
    /// Of less interest.
    Faint,
    Good,
    /// Worth a look.
    Notable,
    Bad,
}

impl Style {
    /// The numbers of its ANSI sequence.
    fn code(self) -> Option<&'static str> {
        match self {
            Style::Plain => None,
            Style::Heading => Some("1"),
            Style::Faint => Some("2"),
            Style::Good => Some("32"),
            Style::Notable => Some("33"),
            Style::Bad => Some("31"),
        }
    }
}

/// A piece of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    text: String,
    style: Style,
    /// Numbers stand at the right of their column.
    right: bool,
}

impl Cell {
    /// Text.
    pub fn new(text: impl Into<String>) -> Self {
        Cell { text: harmless(&text.into()), ..Cell::default() }
    }

    /// A number.
    pub fn number(text: impl ToString) -> Self {
        Cell { right: true, ..Cell::new(text.to_string()) }
    }

    /// The same, standing out.
    #[must_use]
    pub fn with(mut self, style: Style) -> Self {
        self.style = style;
        self
    }
}

/// The text without control characters, which are shown instead, and without what turns the direction of writing.
pub fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        let turns =
            matches!(letter, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if letter.is_control() || turns {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Columns; none is as many as are needed.
    pub width: Option<usize>,
    /// Lines; none is as many as are needed.
    pub height: Option<usize>,
    /// What stands out may be in another colour.
    pub colour: bool,
}

impl Room {
    /// For a file, or another program.
    pub const ENDLESS: Room = Room { width: None, height: None, colour: false };
}

/// A table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    head: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these columns. Those that begin with `>` have numbers.
    pub fn new(columns: &[&str]) -> Self {
        let cell = |name: &&str| match name.strip_prefix('>') {
            Some(name) => Cell::number(name).with(Style::Faint),
            None => Cell::new(*name).with(Style::Faint),
        };
        Table { head: columns.iter().map(cell).collect(), rows: Vec::new() }
    }

    /// One more row.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines of the first `most` rows, and one that says how many there are besides.
    fn lines(&self, most: usize) -> Vec<Vec<Cell>> {
        let shown: Vec<&Vec<Cell>> = std::iter::once(&self.head).chain(self.rows.iter().take(most)).collect();
        let columns = shown.iter().map(|row| row.len()).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = shown.iter().filter_map(|row| row.get(column));
            cells.map(|cell| columns_of(&cell.text)).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |row: &&Vec<Cell>| {
            let mut line = vec![Cell::new("  ")];
            for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let missing = width.saturating_sub(columns_of(&cell.text));
                let last = at.saturating_add(1) == row.len();
                let text = match (cell.right, last) {
                    (true, _) => format!("{}{}", " ".repeat(missing), cell.text),
                    (false, true) => cell.text.clone(),
                    (false, false) => format!("{}{}", cell.text, " ".repeat(missing)),
                };
                line.push(Cell { text, style: cell.style, right: false });
                if !last {
                    line.push(Cell { text: "  ".to_owned(), ..Cell::default() });
                }
            }
            line
        };
        let mut lines: Vec<Vec<Cell>> = shown.iter().map(line).collect();
        let more = self.rows.len().saturating_sub(most);
        if more > 0 {
            lines.push(vec![Cell::new(format!("  and {more} more")).with(Style::Faint)]);
        }
        lines
    }
}

/// Columns that a text takes, as far as that can be told without tables of all writing systems.
fn columns_of(text: &str) -> usize {
    text.chars().count()
}

#[derive(Debug)]
enum Part {
    Line(Vec<Cell>),
    Table(Table),
}

/// A page.
#[derive(Debug, Default)]
pub struct Page {
    parts: Vec<Part>,
}

impl Page {
    /// A line.
    pub fn line(&mut self, cells: Vec<Cell>) {
        self.parts.push(Part::Line(cells));
    }

    /// A table.
    pub fn table(&mut self, table: Table) {
        self.parts.push(Part::Table(table));
    }

    /// The page as text. If not all rows of all tables have room, the longest tables are cut.
    pub fn text(&self, room: Room) -> String {
        let rows = self.parts.iter().map(|part| match part {
            Part::Line(_) => 0,
            Part::Table(table) => table.len(),
        });
        let mut most = rows.max().unwrap_or(0);
        let mut lines = self.lines(most);
        while most > 1 && room.height.is_some_and(|height| lines.len() > height) {
            most = most.saturating_sub(1).min(room.height.unwrap_or(most));
            lines = self.lines(most);
        }
        let mut text = String::new();
        for line in lines {
            write_line(&mut text, &line, room);
        }
        text
    }

    fn lines(&self, most: usize) -> Vec<Vec<Cell>> {
        let mut lines = Vec::new();
        for part in &self.parts {
            match part {
                Part::Line(cells) => lines.push(cells.clone()),
                Part::Table(table) => lines.extend(table.lines(most)),
            }
        }
        lines
    }
}

fn write_line(text: &mut String, cells: &[Cell], room: Room) {
    let mut left = room.width.unwrap_or(usize::MAX);
    for cell in cells {
        let shown: String = cell.text.chars().take(left).collect();
        left = left.saturating_sub(columns_of(&shown));
        match cell.style.code().filter(|_| room.colour && !shown.is_empty()) {
            Some(code) => {
                text.push_str("\x1b[");
                text.push_str(code);
                text.push('m');
                text.push_str(&shown);
                text.push_str("\x1b[m");
            }
            None => text.push_str(&shown),
        }
    }
    let end = text.trim_end_matches(' ').len();
    text.truncate(end);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(rows: usize) -> Page {
        let mut page = Page::default();
        page.line(vec![Cell::new("Things").with(Style::Heading)]);
        let mut table = Table::new(&["NAME", ">COUNT", "STATE"]);
        for row in 0..rows {
            table.row(vec![Cell::new("a".repeat(row + 1)), Cell::number(row * 7), Cell::new("well")]);
        }
        page.table(table);
        page
    }

    #[test]
    fn columns_line_up() {
        let text = page(3).text(Room::ENDLESS);
        assert_eq!(
            text,
            "Things\n  NAME  COUNT  STATE\n  a         0  well\n  aa        7  well\n  aaa      14  well\n"
        );
    }

    #[test]
    fn a_page_is_as_long_and_wide_as_there_is_room() {
        let room = Room { width: Some(10), height: Some(8), colour: false };
        let text = page(100).text(room);
        assert_eq!(text.lines().count(), 8, "{text}");
        assert!(text.ends_with("  and 95 m\n"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 10));
        // A table keeps a row, even so.
        assert_eq!(page(100).text(Room { height: Some(1), ..room }).lines().count(), 4);
    }

    #[test]
    fn colours_do_not_count_and_nobody_elses_are_shown() {
        let mut page = Page::default();
        page.line(vec![Cell::new("a\x1b[31mb\u{202e}").with(Style::Bad), Cell::new("c")]);
        assert_eq!(page.text(Room::ENDLESS), "a\\u{1b}[31mb\\u{202e}c\n");
        let room = Room { width: Some(2), height: None, colour: true };
        assert_eq!(page.text(room), "\x1b[31ma\\\x1b[m\n");
    }
}
