// SPDX-License-Identifier: GPL-2.0-only
//! Agents of logging libraries: the part of a Java or Python program that hands over what loggers say.
//!
//! An agent decides only whether what its loggers say becomes events; which of these are recorded is for the tracer's
//! filters in the same program. So what is wanted of all agents of a domain is the same ([`planner::Desired`]), an agent
//! is asked for one thing at a time ([`conversation`]), and what it is known to have follows from its answers ([`mirror`]).
//! Nobody vouches for what an agent says of itself: neither the domain nor the process is to be relied on.

pub mod conversation;
pub mod listing;
pub mod mirror;
pub mod planner;
