//! The Flowork desktop app: a window on the node that it starts, or on the one that already runs on the same data.
//!
//! The window shows the same GUI as any browser and speaks the same HTTP; it may call no Tauri command. Start reading
//! at [`shell::run`].

#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

mod arguments;
mod attach;
mod failure;
mod hosting;
mod navigation;
mod shell;
mod window;

use std::process::ExitCode;

use arguments::{Arguments, Command, ModuleCommand};
use clap::Parser;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        // Before anything of the GUI: a module is a child of this program and has no screen.
        Some(Command::Module(ModuleCommand::Run { name })) => flowork_sample_modules::run(&name),
        None => shell::run(arguments),
    }
}
