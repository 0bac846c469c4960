//! `frontroom doctor`: looks at a running site from outside, as a browser would, and says which hop is
//! likely at fault and which lines to change. Works against any Socket.IO server.

mod advice;
mod answer;
mod check;
mod client;
mod hop;
mod report;
mod site;
mod wire;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use check::{affinity, connect, cors, handshake, heartbeat, reach, upgrade};
use client::Client;
use report::{Finding, Report};
use site::Site;

/// What is looked at, as the command line gives it.
#[derive(Debug, Clone)]
pub struct Options {
    /// `http://` or `https://` URL of the site; its path is where REST is looked at.
    pub url: String,
    /// Origin of the page that uses the site. Without it nothing is said about CORS.
    pub origin: Option<String>,
    /// Path of Socket.IO, the client's option `path`.
    pub path: String,
    /// Access token: `auth.token` of the client and `Authorization` of REST requests.
    pub token: Option<String>,
    /// Namespace that is entered.
    pub namespace: String,
}

/// Looks at a site and prints what was seen. 0 when nothing failed, 1 otherwise, 2 for a bad URL.
pub fn run(options: &Options) -> ExitCode {
    let site = match Site::parse(options) {
        Ok(site) => site,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let report = runtime.block_on(examine(site));
    report.print_advice();
    if report.is_healthy() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Makes every check, in the order in which a page would meet its subject; prints a line for each at once.
async fn examine(site: Site) -> Report {
    let mut report = Report::default();
    let client = match Client::new(&site) {
        Ok(client) => client,
        Err(error) => {
            report
                .add(Finding::fail("reach", format!("cannot read this machine's CA certificates: {error}")));
            return report;
        }
    };
    let reached = reach::check(&client).await;
    let stop = reached.failed();
    report.add(reached);
    if stop {
        return report;
    }
    let opened = handshake::check(&client).await;
    report.add_all(opened.findings);
    // A ping may take its whole interval to come: it is waited for while the rest is looked at.
    let heartbeat = heartbeat::check(&client, opened.opening.as_ref());
    let rest = async {
        if opened.opening.is_some() {
            report.add_all(upgrade::check(&client, opened.polling).await);
            if opened.polling {
                report.add(affinity::check(&client).await);
            }
            report.add(connect::check(&client, opened.polling).await);
        }
        report.add_all(cors::check(&client, opened.polling).await);
    };
    let ((), beat) = tokio::join!(rest, heartbeat);
    report.add_all(beat);
    report
}
