// SPDX-License-Identifier: GPL-2.0-only
//! The agents of logging libraries.

use super::State;

impl State {
    /// Whether agents can connect: without that, nothing can be done in their domains.
    pub fn serves_agents(&self) -> bool {
        true
    }

    /// Something else may be wanted of agents: they are looked at when the state settles.
    pub fn touch_agents(&mut self) {}
}
