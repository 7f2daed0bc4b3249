// SPDX-License-Identifier: GPL-2.0-only
//! What is measured, and the table that is printed: medians and the ratio of the two daemons.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use crate::support::Which;

/// How a value is written.
#[derive(Clone, Copy, PartialEq)]
pub enum Unit {
    /// Values are KiB.
    Memory,
    /// Values are seconds.
    Time,
    /// Values are seconds, and few.
    Short,
    /// Values are numbers of things.
    Count,
    /// Values are ratios of two others.
    Ratio,
}

/// One line of the table.
#[derive(Clone, PartialEq)]
pub struct Figure {
    what: Cow<'static, str>,
    unit: Unit,
    /// The ratio to the stock daemon that is aimed at.
    goal: Option<f64>,
}

const fn figure(what: &'static str, unit: Unit, goal: Option<f64>) -> Figure {
    Figure { what: Cow::Borrowed(what), unit, goal }
}

/// Who was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The stock daemon.
    Stock,
    /// The daemon of this project.
    Ours,
    /// The program that does the least that is possible.
    Floor,
}

impl From<Which> for Column {
    fn from(which: Which) -> Self {
        match which {
            Which::Stock => Column::Stock,
            Which::Ours => Column::Ours,
        }
    }
}

/// What so many real applications with twenty events cost, each with its goal.
pub struct Crowd {
    pub join_cpu: Figure,
    pub join: Figure,
    pub start_cpu: Figure,
    pub start: Figure,
    pub stop_cpu: Figure,
    pub stop: Figure,
    pub memory: Figure,
}

impl Crowd {
    /// The figures of so many.
    pub fn of(count: usize) -> Self {
        let row = |what: &str, unit, goal| Figure { what: format!("{count} {what}").into(), unit, goal };
        Crowd {
            join_cpu: row("join a recording session: CPU time", Unit::Time, Some(0.45)),
            join: row("join a recording session: wall clock", Unit::Time, None),
            start_cpu: row("`start` (filter, two contexts): CPU time", Unit::Time, Some(0.45)),
            start: row("`start`: wall clock", Unit::Time, Some(0.5)),
            stop_cpu: row("`stop` (never idle before): CPU time", Unit::Time, Some(0.5)),
            stop: row("`stop`: wall clock", Unit::Time, Some(0.3)),
            memory: row("recorded: resident memory", Unit::Memory, None),
        }
    }
}

/// CPU time of the daemon for each of so many simulated applications that join a recording session.
pub fn simulated(count: usize) -> Figure {
    let what = format!("{count} simulated join: CPU time of each");
    Figure { what: what.into(), unit: Unit::Short, goal: None }
}

pub const LIST_FIELDS_CPU: Figure = figure("300, `list -u -f`: CPU time", Unit::Time, Some(0.25));
pub const LIST_CPU: Figure = figure("300, `list -u`: CPU time", Unit::Time, None);
/// Only ours can be asked; what it costs should not be more than a listing.
pub const REPORT_CPU: Figure = figure("300, `--status=json`: CPU time", Unit::Time, None);
pub const CLIENTS_CPU: Figure =
    figure("2000 `list-sessions`, a connection each: CPU time", Unit::Time, Some(0.8));
pub const CLIENTS: Figure =
    figure("2000 `list-sessions`, a connection each: wall clock", Unit::Time, Some(0.9));

pub const IDLE_MEMORY: Figure = figure("idle: resident memory", Unit::Memory, None);
pub const IDLE_THREADS: Figure = figure("idle: threads", Unit::Count, None);
pub const IDLE_DESCRIPTORS: Figure = figure("idle: descriptors", Unit::Count, None);

pub const REGISTER_CPU: Figure = figure("300 register: CPU time", Unit::Time, None);
pub const RESIDENT_MEMORY: Figure = figure("300 registered: resident memory", Unit::Memory, Some(0.35));
pub const RESIDENT_DESCRIPTORS: Figure = figure("300 registered: descriptors", Unit::Count, Some(0.5));
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
    start: figure("300, `start` after it: wall clock", Unit::Time, None),
    enable: figure("300, `enable-event` while recording: wall clock", Unit::Time, None),
    stop: figure("300, `stop` after it: wall clock", Unit::Time, None),
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

/// Events of one application that one trigger tells one subscriber of.
pub const BURST_WALL: Figure =
    figure("10 times 8000 events, 100,000 a second: wall clock of each told", Unit::Short, Some(0.5));
pub const BURST_CPU: Figure =
    figure("10 times 8000 events, 100,000 a second: CPU time of each told", Unit::Short, Some(0.5));
pub const BURST_LOST: Figure = figure("10 times 8000 events, 100,000 a second: not told", Unit::Count, None);
pub const STEADY_LOST: Figure = figure("25,000 events, 5,000 a second: not told", Unit::Count, None);
pub const STEADY_CPU: Figure =
    figure("25,000 events, 5,000 a second: CPU time of each", Unit::Short, Some(0.5));

/// One application that is to have so many event notifiers.
pub const FEW_REGISTER: Figure = figure("10 triggers, another: CPU time", Unit::Short, None);
pub const FEW_MATCH: Figure = figure("10 triggers, an event: CPU time", Unit::Short, None);
pub const MANY_REGISTER: Figure = figure("1000 triggers, another: CPU time", Unit::Short, None);
pub const MANY_MATCH: Figure = figure("1000 triggers, an event: CPU time", Unit::Short, None);
/// Goal of both: 1.5.
pub const REGISTER_GROWTH: Figure =
    figure("1000 triggers, another, to the same with 10: CPU time", Unit::Ratio, None);
pub const MATCH_GROWTH: Figure =
    figure("1000 triggers, an event, to the same with 10: CPU time", Unit::Ratio, None);
pub const CROWD_REGISTER: Figure = figure("300 run, 10 triggers, another: CPU time", Unit::Time, Some(0.5));

/// A million events, two subscribers of which one does not read.
pub const STORM_TOLD: Figure = figure("1,000,000 events: told", Unit::Count, None);
pub const STORM_UNTOLD: Figure =
    figure("1,000,000 events: lost in the application, counted", Unit::Count, None);
pub const STORM_MISSING: Figure =
    figure("1,000,000 events: how often the reader was told that some are missing", Unit::Count, None);
pub const STORM_PEAK: Figure = figure("1,000,000 events: peak memory", Unit::Memory, None);
pub const STORM_LISTS: Figure = figure("1,000,000 events: `list` meanwhile", Unit::Count, None);
/// Goal: 20 ms.
pub const STORM_LIST: Figure =
    figure("1,000,000 events, slowest `list` meanwhile: wall clock", Unit::Time, None);

pub const STORM_NO_COMMAND: Figure = figure(
    "1,000,000 events, slowest `lttng --version` meanwhile, for comparison: wall clock",
    Unit::Time,
    None,
);

/// All that was measured.
#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
}

struct Row {
    figure: Figure,
    stock: Vec<f64>,
    ours: Vec<f64>,
    floor: Vec<f64>,
}

impl Table {
    /// Adds what one round gave.
    pub fn add(&mut self, column: Column, figure: Figure, value: f64) {
        let index = self.rows.iter().position(|row| row.figure == figure).unwrap_or_else(|| {
            self.rows.push(Row { figure, stock: Vec::new(), ours: Vec::new(), floor: Vec::new() });
            self.rows.len() - 1
        });
        let row = &mut self.rows[index];
        match column {
            Column::Stock => row.stock.push(value),
            Column::Ours => row.ours.push(value),
            Column::Floor => row.floor.push(value),
        }
    }

    /// True when nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | stock | ours | floor | ours / stock | goal | ours / floor |")?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|---:|")?;
        for Row { figure: Figure { what, unit, goal }, stock, ours, floor } in &self.rows {
            let [stock, ours, floor] = [stock, ours, floor].map(|values| median(values));
            let text = |value: Option<f64>| value.map_or(String::new(), |value| unit.text(value));
            let ratio = |to: Option<f64>| match (to, ours) {
                (Some(to), Some(ours)) if to > 0.0 => format!("{:.2}", ours / to),
                _ => String::new(),
            };
            let goal = goal.map_or(String::new(), |goal| format!("{goal:.2}"));
            let values = [text(stock), text(ours), text(floor), ratio(stock), goal, ratio(floor)];
            writeln!(f, "| {what} | {} |", values.join(" | "))?;
        }
        Ok(())
    }
}

impl Unit {
    fn text(self, value: f64) -> String {
        match self {
            Unit::Memory => format!("{:.1} MiB", value / 1024.0),
            Unit::Time => format!("{:.1} ms", value * 1000.0),
            Unit::Short => format!("{:.0} µs", value * 1e6),
            Unit::Count => format!("{value:.0}"),
            Unit::Ratio => format!("{value:.2}"),
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
