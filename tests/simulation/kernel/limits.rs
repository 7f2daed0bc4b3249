// SPDX-License-Identifier: GPL-2.0-only
//! As much as there can be.

use super::life::SESSION;
use crate::client::{self, kernel};
use crate::world::World;

#[test]
fn many_rules_with_the_longest_filters() {
    let mut world = World::with_kernel();
    world.create_kernel_session(SESSION);
    let rules = 40;
    for number in 0..rules {
        world.must(&kernel::enable_event(SESSION, "c", client::filtered_at_length(&format!("rule{number}"))));
    }
    assert_eq!(world.tracer.objects.recorded(SESSION).len(), rules + 1);
    world.must(&client::start(SESSION));
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}

#[test]
fn hundreds_of_rules_and_cpus() {
    let mut world = World::for_kernel(|settings| settings.possible_cpus = 300);
    world.tracer.objects.cpus = 300;
    world.create_kernel_session(SESSION);
    world.must(&kernel::enable_channel(SESSION, "d"));
    for number in 0..300 {
        world.must(&kernel::enable_event(SESSION, "c", client::rule(&format!("rule{number}"))));
    }
    world.must(&client::start(SESSION));
    world.kernel_consumer().check_kernel();
    assert_eq!(world.kernel_consumer().kernel_channels(), [("c", 300), ("d", 300), ("metadata", 1)]);
    world.must(&kernel::disable_event(SESSION, "c", ""));
    assert_eq!(world.tracer.objects.recorded(SESSION), [""; 0]);
    world.must(&client::stop(SESSION));
    let flushes = world.tracer.transcript(0).iter().filter(|line| *line == "R.FLUSH").count();
    assert_eq!(flushes, 601);
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}
