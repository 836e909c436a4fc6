//! `validate FILE`: any manifest file against every rule. No extension is compiled for it.

use std::path::Path;
use std::process::ExitCode;

use imperal_manifest::{Finding, ReportStyle, findings_to_json, is_rule, render_findings, visible};

use crate::error::CommandError;
use crate::output;

/// Prints the findings. Exit code 1 if one of them is an error.
pub(crate) fn validate_file(file: &Path, allow: &[String], json: bool) -> Result<ExitCode, CommandError> {
    let findings = without_allowed(imperal_manifest::validate_file(file), allow)?;
    if json {
        output::print_line(&visible::in_json(&findings_to_json(&findings).to_string()));
    } else {
        let style = ReportStyle::full(output::stdout_has_color());
        output::print_line(render_findings(&findings, style).trim_end());
    }
    Ok(if findings.iter().any(Finding::is_error) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The findings except the warnings and notes of allowed rules. Errors stay.
fn without_allowed(mut findings: Vec<Finding>, allow: &[String]) -> Result<Vec<Finding>, CommandError> {
    if let Some(unknown) = allow.iter().find(|code| !is_rule(code)) {
        return Err(CommandError::usage(format!("there is no rule `{unknown}`; docs/manifest.md lists the rules")));
    }
    findings.retain(|finding| finding.is_error() || !allow.iter().any(|code| code == finding.rule));
    Ok(findings)
}
