//! `cargo xtask sharing` and `cargo xtask fleet`: the simulations of `tokenward-conformance`, built for speed.

use crate::workspace::{Result, Workspace};

/// Runs the program of this name.
pub(crate) fn run(workspace: &Workspace, name: &str, args: &[String]) -> Result<()> {
    let build = ["run", "--quiet", "--release", "--package", "tokenward-conformance", "--bin", name, "--"];
    workspace.cargo().args(build).args(args).run()
}
