//! `flowork module …`

use std::path::PathBuf;

use flowork_api_types::kind::KindList;
use flowork_kinds::{FindingLevel, ModuleOptions, ModuleReport, NewModuleError, Template, check_module, new_module};
use flowork_node::{Config, DataDir, Flags};
use serde_json::{Value, json};

use crate::{
    args::load_config,
    client::Client,
    exit::{Exit, Failure},
    output::{Format, pretty, table},
};

/// What the names of all kinds that are modules begin with.
const KIND_PREFIX: &str = "module.";

/// Make, check and list modules
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a module that works, to start from
    New {
        /// Its id: the name of its folder, and module.ID is its job kind
        id: String,
        /// What it is written in: python, javascript or shell
        #[arg(long, default_value_t = Template::Python)]
        template: Template,
        /// Where to make it; the node's modules directory without it
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Check a module and run it on the examples of its manifest, without a node
    Check {
        /// Its folder, or the id of a module of the node
        module: String,
        /// Run it on these inputs instead of its examples
        #[arg(long, value_name = "JSON")]
        inputs: Option<String>,
    },
    /// List the modules of the running node, and those that can't be used
    List,
    /// Run a module that ships with Flowork, as the node does
    #[command(hide = true)]
    Run {
        /// Its id
        id: String,
    },
}

pub(super) async fn run(command: Command, flags: &Flags, format: Format) -> Result<(), Failure> {
    match command {
        Command::New { id, template, dir } => new(&id, template, dir, &load_config(flags)?, format),
        Command::Check { module, inputs } => check(&module, inputs, &load_config(flags)?, format).await,
        Command::List => list(&Client::connect(&load_config(flags)?)?, format).await,
        // `main` runs the known ones before it gets here.
        Command::Run { id } => Err(not_found(format!("{id} is no module that ships with Flowork"))),
    }
}

fn not_found(message: String) -> Failure {
    Failure::new(Exit::NotFound, "MODULE_NOT_FOUND", message)
}

fn new(id: &str, template: Template, dir: Option<PathBuf>, config: &Config, format: Format) -> Result<(), Failure> {
    let dir = match dir {
        Some(dir) => dir,
        // A node may never have run here, and the directory must be as private as if it had.
        None => DataDir::prepare(&config.data_dir)
            .map_err(|error| Failure::from_error(Exit::Failed, "DATA_DIR", &error).hint(error.hint()))?
            .modules(),
    };
    let folder = new_module(&dir, id, template).map_err(|error| {
        let exit = if matches!(error, NewModuleError::InvalidId(_)) { Exit::Usage } else { Exit::Failed };
        let hint = if let NewModuleError::InvalidId(error) = &error { error.hint.clone() } else { None };
        Failure::from_error(exit, "NEW_MODULE", &error).hint(hint)
    })?;
    format.print(&json!({"id": id, "kind": format!("{KIND_PREFIX}{id}"), "folder": folder}), |_| {
        format!("Made {}.\nTry it: flowork module check {}", folder.display(), folder.display())
    })
}

async fn check(module: &str, inputs: Option<String>, config: &Config, format: Format) -> Result<(), Failure> {
    let by_path = PathBuf::from(module);
    let folder = if by_path.is_dir() { by_path } else { config.data_dir.join("modules").join(module) };
    if !folder.is_dir() {
        return Err(not_found(format!("there is no folder {module} and no module of that id")));
    }
    let inputs: Option<Value> = inputs
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| Failure::new(Exit::Usage, "INVALID_JSON", format!("--inputs is not JSON: {error}")))?;
    let options = ModuleOptions { allow_hosts: config.egress_allow_hosts.clone(), ..ModuleOptions::default() };
    let report = check_module(&folder, inputs, &options).await;
    format.print(&report, describe)?;
    if report.ok {
        Ok(())
    } else {
        Err(Failure::new(Exit::Failed, "MODULE_BROKEN", format!("the module {} cannot be used as it is", report.id)))
    }
}

fn describe(report: &ModuleReport) -> String {
    let mut lines = vec![format!("{}: {}", report.id, if report.ok { "ok" } else { "broken" })];
    let permissions = report.permissions.as_ref().filter(|permissions| !permissions.is_empty());
    lines.extend(permissions.map(|permissions| format!("uses {permissions} (declared, not enforced)")));
    for finding in &report.findings {
        let level = if finding.level == FindingLevel::Error { "error" } else { "warning" };
        lines.push(format!("{level}: {}", finding.message));
        lines.extend(finding.hint.as_ref().map(|hint| format!("  hint: {hint}")));
    }
    for run in &report.runs {
        lines.push(format!("ran on {} in {} ms", run.inputs, run.elapsed_ms));
        lines.extend(run.logs.iter().map(|log| format!("  {:5} {}", log.level.as_str(), log.message)));
        lines.extend(run.result.as_ref().map(|result| format!("  result {}", pretty(result))));
        lines.extend(run.error.as_ref().map(|error| format!("  error  {}: {}", error.code, error.message)));
    }
    lines.join("\n")
}

async fn list(client: &Client, format: Format) -> Result<(), Failure> {
    let mut kinds: KindList = client.get("/v1/kinds").await?;
    kinds.items.retain(|kind| kind.descriptor.name.starts_with(KIND_PREFIX));
    format.print(&kinds, |kinds| {
        let usable = kinds.items.iter().map(|kind| {
            vec![kind.descriptor.name[KIND_PREFIX.len()..].to_owned(), "ok".to_owned(), kind.descriptor.title.clone()]
        });
        let broken = kinds.broken_modules.iter().map(|module| {
            let hint = module.hint.as_ref().map(|hint| format!(" (hint: {hint})")).unwrap_or_default();
            vec![module.id.clone(), "broken".to_owned(), format!("{}{hint}", module.reason)]
        });
        table(&["MODULE", "STATE", "WHAT IT IS"], &usable.chain(broken).collect::<Vec<_>>())
    })
}
