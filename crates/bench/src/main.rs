//! Measures the parts whose speed is promised, each beside what limits it, in one run on one disk.
//!
//! Figures are for comparing within a run; they say nothing about another machine.

mod client;
mod contenders;
mod disk;
mod harness;
mod node;
mod queue;
mod security;
mod sync;

use clap::{Parser, Subcommand};

/// Measures Flowork.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The job queue, beside what the disk gives and, with `--peers`, beside the queues of others.
    Queue(queue::Options),
    /// A whole node: how soon it is ready, and what it costs while idle.
    Node(node::Options),
    /// What being careful costs: tokens, rate limits, sign-ins.
    Security(security::Options),
    /// Sync sessions: thousands of them with a socket each, switched at a steady rate.
    Sync(sync::Options),
    /// One queue that answers requests on stdin; `queue` starts it.
    #[command(hide = true)]
    Contender(contenders::Options),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().what {
        What::Queue(options) => queue::run(&options),
        What::Node(options) => node::run(&options),
        What::Security(options) => security::run(&options),
        What::Sync(options) => sync::run(&options),
        What::Contender(options) => contenders::run(options),
    }
}
