//! Tells when files have changed, whichever way: written in place, renamed over, or behind a symlink that
//! was swapped, as Kubernetes does with `..data`.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

/// How long nothing more may happen before files are read: a certificate and its key are two, and one is
/// often written in several steps.
const SETTLE: Duration = Duration::from_millis(300);

/// How long that is waited for: something that keeps writing must not put a reload off for ever.
const MAX_SETTLE: Duration = Duration::from_secs(3);

/// How often files are looked at although nothing was told: not every file system tells.
const LOOK: Duration = Duration::from_secs(60);

/// A watch on files. Make it first and read the files then, so that no change is missed.
pub struct Watch {
    told: Arc<Notify>,
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Watches the folders that the files, and what symlinks lead to, are in.
    pub fn new(files: &[PathBuf]) -> Watch {
        let told = Arc::new(Notify::new());
        let folders: BTreeSet<PathBuf> = files.iter().flat_map(|file| folders(file)).collect();
        let names = files.iter().flat_map(|file| names(file)).collect();
        let watcher = if folders.is_empty() { None } else { watch(&folders, names, &told) };
        Watch { told, _watcher: watcher }
    }

    /// Waits until something has changed and has settled, or it is time to look all the same.
    pub async fn changed(&self) {
        if timeout(LOOK, self.told.notified()).await.is_err() {
            return;
        }
        let latest = Instant::now() + MAX_SETTLE;
        while timeout_at((Instant::now() + SETTLE).min(latest), self.told.notified()).await.is_ok() {}
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

fn watch(
    folders: &BTreeSet<PathBuf>,
    names: BTreeSet<OsString>,
    told: &Arc<Notify>,
) -> Option<RecommendedWatcher> {
    let told = Arc::clone(told);
    let tell = move |event: notify::Result<notify::Event>| {
        if event.map_or(true, |event| concerns(&event, &names)) {
            told.notify_one();
        }
    };
    let mut watcher = notify::recommended_watcher(tell)
        .inspect_err(|error| tracing::warn!(%error, "files cannot be watched, looking at them every minute"))
        .ok()?;
    for folder in folders {
        if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
            tracing::warn!(folder = %folder.display(), %error, "cannot be watched, looking at it every minute");
        }
    }
    Some(watcher)
}

/// A file's own name and, where it is a link, that of what it leads to.
fn names(file: &Path) -> Vec<OsString> {
    let real = file.canonicalize().ok();
    let names = [Some(file), real.as_deref()].into_iter().flatten().filter_map(Path::file_name);
    names.map(OsStr::to_owned).collect()
}

/// Whether one of the files may be another now. Reading it is an event too; names that begin with two
/// dots are the links of Kubernetes.
fn concerns(event: &notify::Event, names: &BTreeSet<OsString>) -> bool {
    let of_ours = |name: &OsStr| names.contains(name) || name.as_encoded_bytes().starts_with(b"..");
    !matches!(event.kind, EventKind::Access(_))
        && (event.paths.is_empty() || event.paths.iter().filter_map(|path| path.file_name()).any(of_ours))
}

/// The folder a file is in as it is written, and the one it is really in.
fn folders(file: &Path) -> Vec<PathBuf> {
    let folder = |path: &Path| match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let real = file.canonicalize().ok().map(|real| folder(&real));
    [Some(folder(file)), real].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    async fn is_told(watch: &Watch) -> bool {
        let begun = Instant::now();
        watch.changed().await;
        begun.elapsed() < Duration::from_secs(10)
    }

    #[tokio::test]
    async fn every_way_to_change_a_file_is_told_and_reading_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        // As Kubernetes lays it out: file -> ..data/file, ..data -> a folder of that version.
        for version in ["..1", "..2"] {
            std::fs::create_dir(at(version)).unwrap();
            std::fs::write(at(version).join("tls.crt"), version).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/tls.crt", at("tls.crt")).unwrap();
        std::fs::write(at("plain"), "1").unwrap();
        let files = [at("tls.crt"), at("plain")];

        let watch = Watch::new(&files);
        std::fs::read(at("plain")).unwrap();
        std::fs::read(at("tls.crt")).unwrap();
        let quiet = tokio::time::timeout(Duration::from_millis(300), watch.told.notified()).await;
        assert!(quiet.is_err(), "reading is no change");

        std::fs::write(at("another"), "1").unwrap();
        let quiet = tokio::time::timeout(Duration::from_millis(300), watch.told.notified()).await;
        assert!(quiet.is_err(), "another file of the folder");

        std::fs::write(at("plain"), "2").unwrap();
        assert!(is_told(&watch).await, "written in place");

        std::fs::write(at("new"), "3").unwrap();
        let watch = Watch::new(&files);
        std::fs::rename(at("new"), at("plain")).unwrap();
        assert!(is_told(&watch).await, "renamed over");

        let watch = Watch::new(&files);
        symlink("..2", at("..data_tmp")).unwrap();
        std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
        assert!(is_told(&watch).await, "the symlink was swapped");

        let watch = Watch::new(&files);
        std::fs::write(at("..2").join("tls.crt"), "4").unwrap();
        assert!(is_told(&watch).await, "written where the symlink leads");
    }
}
