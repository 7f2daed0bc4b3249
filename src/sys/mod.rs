// SPDX-License-Identifier: GPL-2.0-only
//! The thin layer over the operating system: the only place with `unsafe`.
#![allow(unsafe_code)]
