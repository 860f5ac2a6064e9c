//! The Flowork desktop app: a window on the node that it starts, or on the one that already runs on the same data, and an
//! icon in the tray.
//!
//! The main window shows the same GUI as any browser and speaks the same HTTP; it may call no Tauri command. Start reading
//! at [`app::run`], then [`shell`]. What the app decides without a window is in the crate `flowork_shell`.

#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

mod actions;
mod app;
mod arguments;
mod clipboard;
mod commands;
mod ending;
mod failure;
mod hosting;
mod instance;
mod links;
mod looking_out;
mod menus;
mod navigation;
mod node;
mod opener;
mod pages;
mod shell;
mod tray;
mod window;

use std::process::ExitCode;

use arguments::{Arguments, Command, ModuleCommand};
use clap::Parser;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        // Before anything of the GUI: a module is a child of this program and has no screen.
        Some(Command::Module(ModuleCommand::Run { name })) => flowork_sample_modules::run(&name),
        None => app::run(arguments),
    }
}
