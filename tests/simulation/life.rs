// SPDX-License-Identifier: GPL-2.0-only
//! Lives with a peer in trouble: what is the same whatever happens in them.

use crate::consumer::Trouble;
use crate::world::World;

/// Runs a life with a running application and a consumer daemon in trouble. Returns how many messages the consumer
/// daemon got.
pub fn with_trouble(trouble: Trouble, life: impl FnOnce(&mut World)) -> usize {
    let mut world = World::new();
    world.consumer().trouble = Some(trouble);
    let app = world.start_application();
    life(&mut world);
    assert!(world.apps[app].alive && world.apps[app].released);
    assert_eq!(world.apps[app].objects(), 0, "{trouble:?}");
    let steps = world.consumer().steps;
    // Out of step with the daemon, it may wait for ever as well.
    end(&mut world, matches!(trouble, Trouble::Hang(_) | Trouble::Chatter(_)));
    steps
}

/// Ends a life. With a peer that is stuck, something may be left; every client was answered all the same.
pub fn end(world: &mut World, stuck: bool) {
    if stuck {
        world.check_replies();
    } else {
        world.end_of_everything();
    }
}

/// A life with something wrong at each step that there is. `live` gets the step and returns how many there were, more
/// than `least`.
pub fn at_every_step(least: usize, mut live: impl FnMut(usize) -> usize) {
    let mut at = 1;
    while live(at) >= at {
        at += 1;
    }
    assert!(at > least, "there are more steps than {at}");
}
