// SPDX-License-Identifier: GPL-2.0-only
//! To be written.
