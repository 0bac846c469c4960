//! Certificates that change while they are in use.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use futures_util::future::select_all;

use super::{Fault, Tls};
use crate::server::Handle;
use crate::telemetry::metrics;
use crate::watch::Watch;

/// Keeps the certificates of these listeners as their files are, and tells by a metric how long they are
/// valid, for as long as it is polled. What cannot be used is logged, and the last that could be stays.
pub async fn keep_fresh(handles: Vec<Handle>) {
    loop {
        // First the watch, then the look: what changes between the two is seen.
        let watch = Watch::new(&paths(&handles));
        for handle in &handles {
            if let Some(tls) = &handle.load().tls {
                tls.refresh();
                tls.report();
            }
        }
        let swapped = handles.iter().map(|handle| Box::pin(handle.swapped()));
        tokio::select! {
            () = watch.changed() => (),
            _ = select_all(swapped), if !handles.is_empty() => (),
        }
    }
}

fn paths(handles: &[Handle]) -> Vec<PathBuf> {
    let terms: Vec<_> = handles.iter().map(Handle::load).collect();
    let tls = terms.iter().filter_map(|terms| terms.tls.as_ref());
    tls.flat_map(|tls| tls.source.paths()).map(PathBuf::from).collect()
}

impl Tls {
    /// Reads the files again, and uses what changed if it can be used.
    fn refresh(&self) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = match self.source.read() {
            Ok(contents) if contents == read.0 => {
                read.1 = true;
                return;
            }
            Ok(contents) => contents,
            Err(faults) => {
                // Said once, not at each look.
                if std::mem::take(&mut read.1) {
                    refuse(&faults);
                }
                return;
            }
        };
        let compiled = self.source.compile(&contents, Some(&self.current.load())).and_then(|current| {
            let untimely = current.untimely();
            if untimely.is_empty() { Ok(current) } else { Err(untimely) }
        });
        match compiled {
            Ok(current) => {
                self.current.store(Arc::new(current));
                metrics::certificate_reload("ok");
                tracing::info!("certificates were read again");
            }
            Err(faults) => refuse(&faults),
        }
        *read = (contents, true);
    }

    /// Tells how long the certificates are valid.
    fn report(&self) {
        let current = self.current.load();
        for (files, certificate) in self.source.certificates.iter().zip(&current.certificates) {
            metrics::certificate_expiry_days(&files.cert.to_string_lossy(), certificate.days_left());
        }
    }
}

fn refuse(faults: &[Fault]) {
    metrics::certificate_reload("failed");
    for (key, fault) in faults {
        let (wrong, right) = (&fault.wrong, fault.right);
        tracing::error!(
            key = format!("tls.{key}"),
            "{wrong}; {right}; the last good certificates stay in use"
        );
    }
}
