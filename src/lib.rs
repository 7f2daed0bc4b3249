// SPDX-License-Identifier: GPL-2.0-only
//! The LTTng session daemon.
#![deny(unsafe_code)]

pub mod sys;
