//! Histories: many workers that die, pause and come back late, a node that is killed, clocks that jump. Whatever they
//! were told must fit one queue in which nothing is lost, doubled or held by two.

mod checker;
mod over_http;
mod with_set_clock;
mod witness;
