// SPDX-License-Identifier: GPL-2.0-only
//! Clients: `lttng` and everything else that uses liblttng-ctl.
//!
//! A client sends one request ([`connection`]) and gets one reply ([`clients`]). What its bytes mean, and which bytes
//! it understands, is known to its [`dialect`] only: a request is decoded to an [`Action`](table::Action), and an
//! [`Answer`](crate::operation::answer::Answer) is encoded. The [`table`] has one row for each command: what it needs,
//! and the function that serves it; [`serve`] makes the checks that all commands share. Functions that serve commands
//! are in the modules named after what they are about, and get a [`desk`]; what they do in the [`kernel`]'s domain is in a
//! folder of its own. What needs peers goes on as a task.
//!
//! Health queries ([`health`]) are no requests, but come from clients, too. When there are too many connections of both,
//! some have to make [`room`].
//!
//! What a trigger does to a session is served like a client's command ([`reaction`]), and so is what makes the sessions that
//! are loaded at the start ([`load`]).
//!
//! Error codes are given here and nowhere else ([`code`]).

pub mod action;
pub mod channel;
pub mod clients;
pub mod code;
pub mod connection;
pub mod context;
pub mod desk;
pub mod dialect;
pub mod event_rule;
pub mod health;
pub mod kernel;
pub mod listing;
pub mod load;
mod logger;
mod notifier;
pub mod reaction;
pub mod recording;
pub mod room;
pub mod rotation;
pub mod save;
pub mod serve;
pub mod session;
pub mod snapshot;
pub mod table;
pub mod tracker;
pub mod trigger;
pub mod uri;

pub use clients::Clients;
