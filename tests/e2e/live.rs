// SPDX-License-Identifier: GPL-2.0-only
//! Live sessions: read while they record.
