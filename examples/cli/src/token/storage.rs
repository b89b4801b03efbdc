//! The sealed snapshot on disk: replaced at once and flushed, so that a kill at any instant leaves either
//! the old one or the new one; read and written by one process at a time.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use tokenward_conformance::bytes_of_hex;

use crate::credentials::random;
use crate::failure::Failure;
use crate::inspect::base64;

/// The environment variable with the sealing key.
pub(crate) const KEY_VARIABLE: &str = "TOKENWARD_SNAPSHOT_KEY";

/// A snapshot's file and its key.
pub(crate) struct Storage {
    path: PathBuf,
    key: [u8; 32],
}

/// Whoever has it reads and writes: no process needs it for longer than a moment.
pub(crate) struct Lock {
    _held: File,
}

impl Storage {
    /// The file's key, which is made if there is none yet.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let mut storage = Self { path: path.to_owned(), key: [0; 32] };
        let _lock = storage.lock().map_err(|error| {
            let shown = path.display();
            Failure::unavailable(format!(
                "cannot lock {shown}: {error}; give --save a file in a folder that exists and is yours"
            ))
        })?;
        storage.key = key(path)?;
        Ok(storage)
    }

    /// Waits for the lock, which ends with the process however it ends. It is opened each time: a folder that is
    /// missing is found out, and not taken for an empty one.
    pub(crate) fn lock(&self) -> io::Result<Lock> {
        const PATIENCE: Duration = Duration::from_secs(5);
        const PAUSE: Duration = Duration::from_millis(10);
        let (path, since) = (beside(&self.path, ".lock"), Instant::now());
        loop {
            if let Some(held) = locked(&path)? {
                return Ok(Lock { _held: held });
            }
            if since.elapsed() > PATIENCE {
                return Err(io::Error::other("another process does not give it back"));
            }
            thread::sleep(PAUSE);
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) const fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// The snapshot, if there is one.
    pub(crate) fn load(&self) -> io::Result<Option<Vec<u8>>> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Once this returns the snapshot survives a power cut.
    pub(crate) fn store(&self, snapshot: &[u8]) -> io::Result<()> {
        replace(&self.path, snapshot)
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        tokenward::wipe(&mut self.key);
    }
}

/// Writes beside the file, flushes, renames, flushes the directory.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (new, mut file) = fresh(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // Half a token is of no use, and on a full disk in the way.
        drop(fs::remove_file(&new));
    }
    written?;
    #[cfg(unix)]
    {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// A file beside `path` that this call has made: never one that lies there, nor what a link there points to.
fn fresh(path: &Path) -> io::Result<(PathBuf, File)> {
    let usual = beside(path, ".new");
    // A process that was killed left it. What cannot be removed is somebody else's, and left alone.
    drop(fs::remove_file(&usual));
    let number = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
    let unusual = beside(path, &format!(".new-{number:016x}"));
    let made = |path: PathBuf| {
        private(OpenOptions::new().write(true).create_new(true)).open(&path).map(|file| (path, file))
    };
    made(usual).or_else(|_| made(unusual))
}

/// Readable by its owner alone, and no link to elsewhere.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
        options.mode(0o600).custom_flags(no_follow);
    }
    options
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// The lock; none where another process has it.
#[cfg(unix)]
fn locked(path: &Path) -> io::Result<Option<File>> {
    use rustix::fs::{FlockOperation, flock};
    let file = private(OpenOptions::new().write(true).create(true).truncate(false)).open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The same by a file that nobody else may open meanwhile.
#[cfg(windows)]
fn locked(path: &Path) -> io::Result<Option<File>> {
    use std::os::windows::fs::OpenOptionsExt;
    const ERROR_SHARING_VIOLATION: i32 = 32;
    match OpenOptions::new().write(true).create(true).truncate(false).share_mode(0).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The key from the environment, else from the file beside the snapshot, which is made where there is none.
fn key(path: &Path) -> Result<[u8; 32], Failure> {
    if let Some(text) = env::var_os(KEY_VARIABLE).filter(|text| !text.is_empty()) {
        let wrong = || {
            Failure::usage(format!(
                "{KEY_VARIABLE} is no key: give 32 bytes as 64 hexadecimal digits or as base64"
            ))
        };
        return text.to_str().and_then(key_of_text).ok_or_else(wrong);
    }
    let file = beside(path, ".key");
    let shown = file.display();
    match read_key(&file) {
        Ok(Some(key)) => Ok(key),
        Ok(None) if path.exists() => Err(Failure::usage(format!(
            "{shown} is missing, so that {} cannot be checked: restore the key, set {KEY_VARIABLE}, or delete the \
             snapshot to start anew",
            path.display()
        ))),
        Ok(None) => {
            let key = random::<32>()?;
            let text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
            replace(&file, format!("{text}\n").as_bytes()).map_err(|error| {
                Failure::unavailable(format!("cannot write {shown}: {error}; set {KEY_VARIABLE}"))
            })?;
            Ok(key)
        }
        Err(error) => Err(Failure::usage(format!("cannot use {shown}: {error}"))),
    }
}

/// The key in a file that nobody else may read.
fn read_key(path: &Path) -> io::Result<Option<[u8; 32]>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if file.metadata()?.mode() & 0o077 != 0 {
            return Err(io::Error::other("others may read it; chmod 600 it"));
        }
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    match key_of_text(text.trim()) {
        Some(key) => Ok(Some(key)),
        None => Err(io::Error::other("it holds no key of 64 hexadecimal digits or base64")),
    }
}

fn key_of_text(text: &str) -> Option<[u8; 32]> {
    let hex = bytes_of_hex(text).ok();
    hex.and_then(|bytes| bytes.try_into().ok()).or_else(|| base64(text)?.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::key_of_text;

    #[test]
    fn a_key_is_hexadecimal_or_base64_and_nothing_shorter() {
        let key = [0xAB; 32];
        assert_eq!(key_of_text(&"aB".repeat(32)), Some(key));
        assert_eq!(key_of_text("q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="), Some(key));
        assert_eq!(key_of_text("q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s"), Some(key));
        for wrong in ["", "ab", &"ab".repeat(31), &"ab".repeat(33), &"zz".repeat(32)] {
            assert_eq!(key_of_text(wrong), None);
        }
    }
}
