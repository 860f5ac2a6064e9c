//! Measures the parts whose speed is promised, each beside what limits it, in one run on one disk.
//!
//! Figures are for comparing within a run; they say nothing about another machine.

mod disk;
mod node;
mod queue;

use clap::{Parser, Subcommand};

/// Measures Flowork.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The job queue, in process: enqueue, claim and finish, and the time from enqueue to claim.
    Queue(queue::Options),
    /// A whole node: how soon it is ready, and what it costs while idle.
    Node(node::Options),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().what {
        What::Queue(options) => queue::run(&options),
        What::Node(options) => node::run(&options),
    }
}
