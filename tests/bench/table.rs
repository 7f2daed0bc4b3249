// SPDX-License-Identifier: GPL-2.0-only
//! What is measured, and the table that is printed: medians and the ratio of the two daemons.

use std::fmt::{self, Display, Formatter};

use crate::support::Which;

/// How a value is written.
#[derive(Clone, Copy, PartialEq)]
pub enum Unit {
    /// Values are KiB.
    Memory,
    /// Values are seconds.
    Time,
    /// Values are numbers of things.
    Count,
}

/// One line of the table.
#[derive(PartialEq)]
pub struct Figure {
    what: &'static str,
    unit: Unit,
    /// The ratio to the stock daemon that is aimed at.
    goal: Option<f64>,
}

const fn figure(what: &'static str, unit: Unit, goal: Option<f64>) -> Figure {
    Figure { what, unit, goal }
}

pub const IDLE_MEMORY: Figure = figure("idle: resident memory", Unit::Memory, None);
pub const IDLE_THREADS: Figure = figure("idle: threads", Unit::Count, None);
pub const IDLE_DESCRIPTORS: Figure = figure("idle: descriptors", Unit::Count, None);

pub const REGISTER_CPU: Figure = figure("300 register: CPU time", Unit::Time, None);
pub const RESIDENT_MEMORY: Figure = figure("300 registered: resident memory", Unit::Memory, Some(0.35));
pub const RESIDENT_DESCRIPTORS: Figure = figure("300 registered: descriptors", Unit::Count, Some(0.5));
pub const START_CPU: Figure = figure("300, `start` (filter, two contexts): CPU time", Unit::Time, Some(0.4));
pub const TRACED_MEMORY: Figure = figure("300 recorded: resident memory", Unit::Memory, Some(0.35));
pub const TRACED_DESCRIPTORS: Figure = figure("300 recorded: descriptors", Unit::Count, Some(0.5));
pub const PEAK_MEMORY: Figure = figure("300, after all of it: peak memory", Unit::Memory, Some(0.15));

pub const SHORT_CPU: Figure = figure("300 short-lived, traced: CPU time", Unit::Time, Some(0.5));
pub const SHORT_WALL: Figure = figure("300 short-lived, traced: wall clock", Unit::Time, None);
pub const SHORT_PEAK: Figure = figure("300 short-lived, traced: peak memory", Unit::Memory, None);
pub const JOIN_COMMAND_TRIPS: Figure =
    figure("joining a running session: round trips, command socket", Unit::Count, None);
pub const JOIN_NOTIFY_TRIPS: Figure =
    figure("joining a running session: round trips, notify socket", Unit::Count, None);

pub const NO_COMMAND: Figure = figure("`lttng --version`, for comparison: wall clock", Unit::Time, None);

/// Wall clock of the commands, with 300 applications that run.
pub const RUNNING: Commands = Commands {
    list: figure("300, `list -u`: wall clock", Unit::Time, None),
    start: figure("300, `start`: wall clock", Unit::Time, None),
    enable: figure("300, `enable-event` while recording: wall clock", Unit::Time, None),
    stop: figure("300, `stop`: wall clock", Unit::Time, None),
    destroy: figure("300, `destroy`: wall clock", Unit::Time, None),
};

/// The same while one application is stopped. The stock daemon waits for it, up to its time limit, in each.
pub const ONE_FROZEN: Commands = Commands {
    list: figure("one of 300 frozen, `list -u`: wall clock", Unit::Time, None),
    start: figure("one of 300 frozen, `start`: wall clock", Unit::Time, None),
    enable: figure("one of 300 frozen, `enable-event`: wall clock", Unit::Time, None),
    stop: figure("one of 300 frozen, `stop`: wall clock", Unit::Time, None),
    destroy: figure("one of 300 frozen, `destroy`: wall clock", Unit::Time, None),
};

/// The figures of the commands in a session's life.
pub struct Commands {
    pub list: Figure,
    pub start: Figure,
    pub enable: Figure,
    pub stop: Figure,
    pub destroy: Figure,
}

/// Wall clock of commands on an idle session. Clients ask again after 100 to 500 ms as long as the answer is that it
/// goes on.
pub const IDLE_ROTATE: Figure = figure("idle session, `rotate`: wall clock", Unit::Time, Some(0.25));
pub const IDLE_CLEAR: Figure = figure("idle session, `clear`: wall clock", Unit::Time, Some(0.25));
pub const IDLE_STOP: Figure = figure("idle session, `stop`: wall clock", Unit::Time, Some(0.25));
pub const IDLE_DESTROY: Figure = figure("idle session, `destroy`: wall clock", Unit::Time, Some(0.25));

/// Goal: 20 ms, with no ratio.
pub const SILENT_RELAY: Figure =
    figure("a relay daemon is silent, slowest of four commands of others: wall clock", Unit::Time, None);

/// All that was measured.
#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
}

struct Row {
    figure: Figure,
    stock: Vec<f64>,
    ours: Vec<f64>,
}

impl Table {
    /// Adds what one round gave.
    pub fn add(&mut self, which: Which, figure: Figure, value: f64) {
        let index = self.rows.iter().position(|row| row.figure == figure).unwrap_or_else(|| {
            self.rows.push(Row { figure, stock: Vec::new(), ours: Vec::new() });
            self.rows.len() - 1
        });
        let row = &mut self.rows[index];
        match which {
            Which::Stock => row.stock.push(value),
            Which::Ours => row.ours.push(value),
        }
    }

    /// True when nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | stock | ours | ours / stock | goal |")?;
        writeln!(f, "|---|---:|---:|---:|---:|")?;
        for Row { figure: Figure { what, unit, goal }, stock, ours } in &self.rows {
            let (stock, ours) = (median(stock), median(ours));
            let text = |value: Option<f64>| value.map_or("-".to_owned(), |value| unit.text(value));
            let ratio = match (stock, ours) {
                (Some(stock), Some(ours)) if stock > 0.0 => format!("{:.2}", ours / stock),
                _ => "-".to_owned(),
            };
            let goal = goal.map_or(String::new(), |goal| format!("{goal:.2}"));
            writeln!(f, "| {what} | {} | {} | {ratio} | {goal} |", text(stock), text(ours))?;
        }
        Ok(())
    }
}

impl Unit {
    fn text(self, value: f64) -> String {
        match self {
            Unit::Memory => format!("{:.1} MiB", value / 1024.0),
            Unit::Time => format!("{:.1} ms", value * 1000.0),
            Unit::Count => format!("{value:.0}"),
        }
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some((lower + upper) / 2.0)
}
