//! Notices that the config file may have changed.
//!
//! What is watched is the folder, not the file: editors replace files, and Kubernetes swaps the link
//! `..data` beside a ConfigMap's keys, which a watch on the file itself never sees.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::watch;

/// How long nothing more may happen before the file is read: it is often written in several steps.
const SETTLE: Duration = Duration::from_millis(300);

/// How long that is waited for: something that keeps writing must not put a reload off for ever.
const MAX_SETTLE: Duration = Duration::from_secs(3);

/// Watches the folders in which a file and what it links to are.
pub(super) struct Watch {
    changes: watch::Receiver<()>,
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Begins to watch.
    ///
    /// # Errors
    /// When the system does not let us, for instance for want of inotify watches.
    pub(super) fn begin(file: &Path) -> notify::Result<Watch> {
        let (sender, changes) = watch::channel(());
        let names = names(file);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |event| concerns(&event, &names)) {
                sender.send_replace(());
            }
        })?;
        for folder in folders(file) {
            watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        }
        Ok(Watch { changes, _watcher: watcher })
    }

    /// Waits until something has changed and has come to rest.
    pub(super) async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            return std::future::pending().await;
        }
        let deadline = Instant::now() + MAX_SETTLE;
        let mut settling = true;
        while settling && Instant::now() < deadline {
            settling = matches!(tokio::time::timeout(SETTLE, self.changes.changed()).await, Ok(Ok(())));
        }
    }
}

/// The file's own name and, where it is a link, that of what it leads to.
fn names(file: &Path) -> Vec<OsString> {
    let real = file.canonicalize().ok();
    let names = [Some(file), real.as_deref()].into_iter().flatten().filter_map(Path::file_name);
    names.map(OsStr::to_owned).collect()
}

/// Whether the file may be another now. Reading it is an event too; names that begin with two dots are
/// the links of Kubernetes.
fn concerns(event: &notify::Event, names: &[OsString]) -> bool {
    let of_ours =
        |name: &OsStr| names.iter().any(|own| own == name) || name.as_encoded_bytes().starts_with(b"..");
    !matches!(event.kind, EventKind::Access(_))
        && (event.paths.is_empty() || event.paths.iter().filter_map(|path| path.file_name()).any(of_ours))
}

/// The file's own folder and, where it is a link, that of what it leads to.
fn folders(file: &Path) -> Vec<PathBuf> {
    let folder = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut folders = vec![folder(file)];
    if let Ok(real) = file.canonicalize() {
        let real = folder(&real);
        if folder(file).canonicalize().is_ok_and(|own| own != real) {
            folders.push(real);
        }
    }
    folders
}
