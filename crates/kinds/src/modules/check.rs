//! `flowork module check`: what a person who writes a module wants to know before the node sees it.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use flowork_api_types::{engine::NewLogLine, job::JobError};
use flowork_engine::{KindRegistry, kind::detached_context};
use serde::Serialize;
use serde_json::Value;

use super::{ModuleOptions, manifest::Manifest, run::Module};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingLevel {
    /// The module can't be used.
    Error,
    /// It can, but a person would want to know.
    Warning,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: FindingLevel,
    /// What it is.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// How a run with example inputs went.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// What it was run on.
    pub inputs: Value,
    /// What it gave.
    pub result: Option<Value>,
    /// Why it failed.
    pub error: Option<JobError>,
    /// What it logged.
    pub logs: Vec<NewLogLine>,
    /// How long it took.
    pub elapsed_ms: u64,
}

/// What was found out about a module.
#[derive(Clone, Debug, Serialize)]
pub struct ModuleReport {
    /// Its folder's name.
    pub id: String,
    /// Whether it can be used, and ran well if it was run.
    pub ok: bool,
    /// What it declares to use; shown, not enforced.
    pub permissions: Option<String>,
    /// What is wrong or odd.
    pub findings: Vec<Finding>,
    /// A run for each example, or for the inputs given.
    pub runs: Vec<RunReport>,
}

/// Checks the module in `folder` and runs it on `inputs`, or else on the examples of its manifest.
pub async fn check_module(folder: &Path, inputs: Option<Value>, options: &ModuleOptions) -> ModuleReport {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let id = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut report = ModuleReport { id, ok: false, permissions: None, findings: Vec::new(), runs: Vec::new() };
    let manifest = match Manifest::load(&folder) {
        Ok(manifest) => manifest,
        Err(error) => {
            report.add(FindingLevel::Error, error.reason, error.hint);
            return report;
        }
    };
    report.permissions = Some(manifest.permissions.describe());
    report.advise(&manifest);
    let all_inputs: Vec<Value> = inputs.map_or_else(|| manifest.examples.clone(), |inputs| vec![inputs]);
    let timeout = Duration::from_millis(manifest.limits.timeout_ms);
    let registry = KindRegistry::default();
    let name = super::manifest::kind_name(&manifest.id);
    if let Err(error) = registry.register(Arc::new(Module::new(manifest, folder, options.clone()))) {
        report.add(FindingLevel::Error, error.to_string(), None);
        return report;
    }
    let Some(registered) = registry.get(&name) else {
        return report;
    };
    for inputs in all_inputs {
        if let Err(errors) = registered.check(&inputs) {
            for error in errors {
                let message = format!("the inputs do not meet the schema: {}: {}", error.field, error.message);
                report.add(FindingLevel::Error, message, Some("correct the inputs or the schema".to_owned()));
            }
            continue;
        }
        let started = Instant::now();
        let context = detached_context(inputs.clone(), timeout);
        let reporter = context.reporter.clone();
        let outcome = registered.kind.run(context).await;
        let logs = reporter.take().map(|(_, logs)| logs).unwrap_or_default();
        let (result, error) = match outcome {
            Ok(result) => (Some(result), None),
            Err(failure) => (None, Some(failure.error)),
        };
        report.runs.push(RunReport { inputs, result, error, logs, elapsed_ms: started.elapsed().as_millis() as u64 });
    }
    report.ok = report.findings.iter().all(|finding| finding.level != FindingLevel::Error)
        && report.runs.iter().all(|run| run.error.is_none());
    report
}

impl ModuleReport {
    fn add(&mut self, level: FindingLevel, message: String, hint: Option<String>) {
        self.findings.push(Finding { level, message, hint });
    }

    fn advise(&mut self, manifest: &Manifest) {
        if manifest.description.trim().is_empty() {
            let hint = "say in a sentence what it does; people see it when they choose a kind".to_owned();
            self.add(FindingLevel::Warning, "there is no description".to_owned(), Some(hint));
        }
        let properties = manifest.inputs["properties"].as_object();
        for (name, property) in properties.into_iter().flatten() {
            if property["title"].as_str().is_none() {
                let hint = format!("add \"title\" to inputs.properties.{name}; the form shows it");
                self.add(FindingLevel::Warning, format!("the input {name:?} has no title"), Some(hint));
            }
        }
        if manifest.examples.is_empty() {
            let hint = "add \"examples\": [{…}] to run the module with this check".to_owned();
            self.add(FindingLevel::Warning, "there are no example inputs".to_owned(), Some(hint));
        }
    }
}
