//! What stands behind every proxy: nginx on the generator's core, with keep-alive without limits.

use std::fs;
use std::io;

use crate::common::server::Server;
use crate::peers::{nginx, write};

/// The 100 bytes at `/json`.
pub(crate) const JSON: &str =
    r#"{"id":1,"name":"somebody","tags":["a","b","c"],"text":"Lorem ipsum dolor sit amet, consectetur adi"}"#;

/// Starts it. `/json` answers with 100 bytes, `/10k` and `/1m` are files, `/post` reads what it is
/// sent, `/seen` tells what came of `X-Forwarded-For` and `Connection`.
pub(crate) fn start() -> io::Result<Server> {
    let files = tempfile::tempdir()?;
    for (name, size) in [("10k", 10 * 1024), ("1m", 1024 * 1024)] {
        fs::write(files.path().join(name), vec![b'x'; size])?;
    }
    let address = crate::peers::free_address()?;
    let root = files.path().display().to_string();
    let config = format!(
        "
        sendfile on; tcp_nopush on; open_file_cache max=16; client_body_buffer_size 64k;
        upstream self {{ server {address}; keepalive 1024; keepalive_requests 1000000000; }}
        server {{
            listen {address} backlog=4096;
            root {root};
            location = /json {{ default_type application/json; return 200 '{JSON}'; }}
            # Answers once it has read everything.
            location = /post {{
                proxy_pass http://self/ok; proxy_http_version 1.1; proxy_set_header Connection '';
                proxy_pass_request_body off; proxy_set_header Content-Length '';
            }}
            location = /ok {{ return 200 'ok'; }}
            location = /seen {{ return 200 '$http_x_forwarded_for|$http_connection'; }}
        }}"
    );
    let config = write(&files, "nginx.conf", &nginx::config(&files, &config))?;
    nginx::start("1", &config, address, files)
}
