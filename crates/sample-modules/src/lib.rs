//! The three modules that ship with Flowork, run as child processes of the same binary.
//!
//! Each is a program like any user's module: it reads one JSON request on stdin and writes JSON lines on stdout. They
//! live in the binary, so that one file holds everything; their manifests are written to the modules folder by
//! [`install`], and the manifest's command starts the binary again, which ends up in [`run`].
//!
//! Knows nothing of the engine. Start reading at [`run`].

mod channel;
mod csv_profile;
mod failure;
#[doc(hidden)]
pub mod fuzzing;
mod image_thumbnails;
mod install;
mod site_check;

use std::{
    io::{Read, Write},
    process::ExitCode,
};

use serde::Deserialize;
use serde_json::Value;

use crate::{channel::Channel, failure::Failure};

pub use install::{InstallError, Installed, install};

/// The names [`run`] knows, which are also the ids of the modules.
pub const NAMES: [&str; 3] = ["csv-profile", "image-thumbnails", "site-check"];

/// A request is at most a payload of 1 MiB and what goes around it.
const REQUEST_BYTES_MAX: u64 = 4 << 20;

/// What a module is sent on stdin. Keys it does not need are ignored.
#[derive(Debug, Deserialize)]
struct ModuleRequest {
    inputs: Value,
    #[serde(default)]
    policy: Policy,
}

/// What the owner allows.
#[derive(Debug, Default, Deserialize)]
struct Policy {
    #[serde(default)]
    allow_hosts: Vec<String>,
}

/// Runs the module `name`: request on stdin, JSON lines on stdout. Called for `flowork module run NAME`.
pub fn run(name: &str) -> ExitCode {
    run_with(name, std::io::stdin().lock(), std::io::stdout())
}

/// Runs the module `name` on any pair of streams.
pub fn run_with(name: &str, input: impl Read, output: impl Write + Send + 'static) -> ExitCode {
    let channel = Channel::new(output);
    match read_and_run(name, input, &channel) {
        Ok(value) => {
            channel.result(&value);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            channel.failure(&failure);
            ExitCode::FAILURE
        }
    }
}

fn read_and_run(name: &str, input: impl Read, channel: &Channel) -> Result<Value, Failure> {
    // One value, not the whole stream: a person who tries a module by hand need not close stdin.
    let mut values = serde_json::Deserializer::from_reader(input.take(REQUEST_BYTES_MAX)).into_iter::<ModuleRequest>();
    let request = match values.next() {
        Some(Ok(request)) => request,
        Some(Err(error)) => return Err(Failure::new("INVALID_REQUEST", format!("the request is not valid: {error}"))),
        None => {
            return Err(Failure::new("INVALID_REQUEST", "no request came on stdin")
                .hint("modules are started by the node; try one with: flowork job enqueue module.csv-profile"));
        }
    };
    match name {
        "csv-profile" => csv_profile::run(&parse(request.inputs)?, channel),
        "image-thumbnails" => image_thumbnails::run(&parse(request.inputs)?, channel),
        "site-check" => site_check::run(parse(request.inputs)?, &request.policy.allow_hosts, channel),
        _ => Err(Failure::new("UNKNOWN_MODULE", format!("{name:?} is not a module in this binary"))
            .hint(format!("the modules are {}", NAMES.join(", ")))),
    }
}

fn parse<T: serde::de::DeserializeOwned>(inputs: Value) -> Result<T, Failure> {
    serde_json::from_value(inputs)
        .map_err(|error| Failure::new("INVALID_INPUTS", format!("the inputs are not valid: {error}")))
}
