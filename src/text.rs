// SPDX-License-Identifier: GPL-2.0-only
//! Text that somebody else chose, byte for byte. It is the type of the wire formats, under a name of this house: what is
//! wanted holds texts of users, and knows nothing else of the wire. Patterns of all rules are brought into one form.

pub use lttng_protocol::Text;
pub use lttng_protocol::trigger::normalise_pattern;
