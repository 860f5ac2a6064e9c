//! `flowork config show`

use flowork_node::{Config, config::ShownSetting};
use serde_json::{Value, json};

use crate::{
    exit::Failure,
    output::{Format, table},
};

/// Show the settings and where each came from
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Every setting, its value, and where it came from: default, file, environment or flag
    Show,
}

pub(super) fn run(command: &Command, config: &Config, format: Format) -> Result<(), Failure> {
    let Command::Show = command;
    let settings: Vec<Value> = config.shown.iter().map(as_json).collect();
    format.print(&json!({"settings": settings}), |_| {
        let rows: Vec<_> = config.shown.iter().map(row).collect();
        table(&["SETTING", "VALUE", "FROM", "WHAT IT DOES"], &rows)
    })
}

fn as_json(setting: &ShownSetting) -> Value {
    json!({"key": setting.key, "value": setting.value, "from": setting.place.to_string(), "doc": setting.doc})
}

fn row(setting: &ShownSetting) -> Vec<String> {
    let value = setting.value.as_ref().map(ToString::to_string).filter(|text| !text.is_empty());
    let value = value.unwrap_or_else(|| "-".to_owned());
    vec![setting.key.clone(), value, setting.place.to_string(), setting.doc.to_owned()]
}
