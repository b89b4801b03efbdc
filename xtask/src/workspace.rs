//! Where things are, and how programs are run.

use serde_json::Value;
use std::error::Error;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The crate that every gate is about.
pub(crate) const CORE: &str = "tokenward";

/// Features of the core that need `std`, and so are left out wherever the target has none.
const STD_FEATURES: &[&str] = &["std"];

pub(crate) struct Workspace {
    /// The folder of the root manifest.
    pub(crate) root: PathBuf,
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
    /// Features of the core, without `default`.
    pub(crate) core_features: Vec<String>,
    /// The oldest Rust that the workspace promises to build with.
    pub(crate) rust_version: String,
}

impl Workspace {
    pub(crate) fn open() -> Result<Self> {
        let here = env::var_os("CARGO_MANIFEST_DIR").ok_or("start it as `cargo xtask`")?;
        let root = Path::new(&here).parent().ok_or("xtask stands in the root of the disk")?.to_path_buf();
        let text = Program::cargo(&root).args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
        let metadata: Value = serde_json::from_str(&text)?;
        let target = metadata["target_directory"].as_str().ok_or("cargo names no target folder")?.into();
        let core = metadata["packages"]
            .as_array()
            .and_then(|packages| packages.iter().find(|package| package["name"] == CORE))
            .ok_or("the workspace has no core")?;
        let features = core["features"].as_object().ok_or("cargo names no features")?;
        Ok(Self {
            target,
            core_features: features.keys().filter(|name| *name != "default").cloned().collect(),
            rust_version: core["rust_version"].as_str().ok_or("the core has no rust-version")?.into(),
            root,
        })
    }

    /// Cargo, started in the workspace's root.
    pub(crate) fn cargo(&self) -> Program {
        Program::cargo(&self.root)
    }

    /// A script of the repository, started in the root, with cargo's target folder.
    pub(crate) fn script(&self, path: &str) -> Program {
        Program::new(self.root.join(path)).dir(&self.root).env("CARGO_TARGET_DIR", &self.target)
    }

    /// Features of the core that a target without `std` can have.
    pub(crate) fn no_std_features(&self) -> impl Iterator<Item = &str> {
        self.core_features.iter().map(String::as_str).filter(|name| !STD_FEATURES.contains(name))
    }

    /// Where a tool of cargo's is; built once, in the cache, where none is installed.
    pub(crate) fn tool(&self, name: &str, version: &str) -> Result<PathBuf> {
        if on_path(name) {
            return Ok(name.into());
        }
        let root = Self::cache()?.join(format!("tools/{name}-{version}"));
        let program = root.join("bin").join(name);
        if !program.is_file() {
            println!("building {name} {version} once, in {}", root.display());
            let install = ["install", "--locked", "--quiet", name, "--version", version, "--root"];
            self.cargo().args(install).args([&root]).run()?;
        }
        Ok(program)
    }

    /// What is downloaded or built once for all clones: toolchains and tools.
    pub(crate) fn cache() -> Result<PathBuf> {
        let folder = match (env::var_os("TOKENWARD_CACHE"), env::var_os("HOME")) {
            (Some(cache), _) => PathBuf::from(cache),
            (None, Some(home)) => Path::new(&home).join(".cache/tokenward"),
            (None, None) => return Err("set TOKENWARD_CACHE to a folder for toolchains".into()),
        };
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(folder)
    }
}

/// Whether a program of this name stands in `PATH`.
pub(crate) fn on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// A program to run; failing is an error that shows its command line.
pub(crate) struct Program(Command);

impl Program {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        // What the outer cargo says of the package `xtask` must not reach the packages built from here.
        for (name, _) in env::vars_os() {
            if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
                .iter()
                .any(|prefix| name.to_string_lossy().starts_with(prefix))
            {
                command.env_remove(&name);
            }
        }
        Self(command)
    }

    fn cargo(root: &Path) -> Self {
        Self::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).dir(root)
    }

    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.0.current_dir(dir);
        self
    }

    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.0.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Adds a word to an environment variable that holds flags, beside those the caller gave.
    pub(crate) fn flags(self, name: &str, flags: &str) -> Self {
        let value = match env::var(name) {
            Ok(given) if !given.is_empty() => format!("{given} {flags}"),
            _ => flags.to_owned(),
        };
        self.env(name, value)
    }

    /// What another crate runs.
    pub(crate) fn into_command(self) -> Command {
        self.0
    }

    /// Runs it with its output shown.
    pub(crate) fn run(mut self) -> Result<()> {
        let status = self.0.status().map_err(|error| self.failed(&error.to_string()))?;
        if status.success() { Ok(()) } else { Err(self.failed(&status.to_string())) }
    }

    /// Runs it and returns what it wrote to its standard output.
    pub(crate) fn output(mut self) -> Result<String> {
        let output = self.0.output().map_err(|error| self.failed(&error.to_string()))?;
        if output.status.success() {
            Ok(String::from_utf8(output.stdout)?)
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(self.failed(&format!("{}\n{}", output.status, said.trim_end())))
        }
    }

    /// Whether it ends well, and what it wrote to its standard error.
    pub(crate) fn outcome(mut self) -> Result<(bool, String)> {
        let output = self.0.output().map_err(|error| self.failed(&error.to_string()))?;
        Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    fn failed(&self, why: &str) -> Box<dyn Error> {
        let words = std::iter::once(self.0.get_program()).chain(self.0.get_args());
        let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
        format!("`{}`: {why}", words.join(" ")).into()
    }
}
