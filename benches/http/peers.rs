//! The proxies that are compared, each with one worker on core 0. All add `X-Forwarded-For`, remove
//! hop-by-hop fields, log nothing, and keep at least as many upstream connections as they have clients.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::common::server::{self, Server};

/// Role of this program: the floor.
pub(crate) const FLOOR: &str = "--serve-floor";
/// Environment variable that tells a role where the backend is.
pub(crate) const BACKEND: &str = "BACKEND";

/// The core of the proxies.
const CORE: &str = "0";

/// One of the proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// `frontroom run`.
    Frontroom,
    /// nginx as it is installed.
    Nginx,
    /// nginx with buffers of 64 KB.
    NginxTuned,
    /// nginx that says the same to upstreams and clients as frontroom does.
    NginxAlike,
    /// HAProxy.
    Haproxy,
    /// http-proxy on Node.
    Node,
    /// A forwarder without a protocol's duties.
    Floor,
    /// No proxy at all.
    Direct,
}

impl Peer {
    /// All of them; ratios are against the first.
    pub(crate) const ALL: [Peer; 8] = [
        Peer::Frontroom,
        Peer::Nginx,
        Peer::NginxTuned,
        Peer::NginxAlike,
        Peer::Haproxy,
        Peer::Node,
        Peer::Floor,
        Peer::Direct,
    ];

    /// As the table and the arguments name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Peer::Frontroom => "frontroom",
            Peer::Nginx => "nginx",
            Peer::NginxTuned => "nginx-64k",
            Peer::NginxAlike => "nginx-alike",
            Peer::Haproxy => "haproxy",
            Peer::Node => "node",
            Peer::Floor => "floor",
            Peer::Direct => "direct",
        }
    }

    /// Starts it before a backend, and waits until it listens.
    pub(crate) fn start(self, backend: SocketAddr, tls: bool) -> io::Result<Server> {
        let files = tempfile::tempdir()?;
        if tls {
            certify(&files)?;
        }
        let address = free_address()?;
        match self {
            Peer::Frontroom => frontroom(backend, tls, files),
            Peer::Nginx => nginx::proxy(address, backend, tls, ("", ""), files),
            Peer::NginxTuned => {
                let buffers = "proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;";
                nginx::proxy(address, backend, tls, (buffers, ""), files)
            }
            Peer::NginxAlike => nginx::proxy(address, backend, tls, ("", nginx::FIELDS), files),
            Peer::Haproxy => haproxy(address, backend, tls, files),
            Peer::Node => {
                let mut command = server::node(CORE, "proxy.js");
                command.env(BACKEND, format!("http://{backend}"));
                Server::start(command, files, None)
            }
            Peer::Floor => {
                let mut command = server::this(CORE, FLOOR)?;
                command.env(BACKEND, backend.to_string());
                Server::start(command, files, None)
            }
            Peer::Direct => crate::backend::start(),
        }
    }
}

/// An address that nobody listens on: those who cannot take a free port themselves get it.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Writes a file among a server's.
pub(crate) fn write(files: &TempDir, name: &str, text: &str) -> io::Result<PathBuf> {
    let path = files.path().join(name);
    fs::write(&path, text)?;
    Ok(path)
}

/// A certificate for P-256, and both in one file as haproxy has it.
fn certify(files: &TempDir) -> io::Result<()> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).map_err(io::Error::other)?;
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    write(files, "cert.pem", &cert)?;
    write(files, "key.pem", &key)?;
    write(files, "both.pem", &format!("{cert}{key}"))?;
    Ok(())
}

fn frontroom(backend: SocketAddr, tls: bool, files: TempDir) -> io::Result<Server> {
    let at = |name| files.path().join(name).display().to_string();
    let tls = if tls {
        format!(", tls: {{certificates: [{{cert: {}, key: {}}}]}}", at("cert.pem"), at("key.pem"))
    } else {
        String::new()
    };
    let config = format!(
        "listen: [{{address: 127.0.0.1:0{tls}}}]\nadmin: {{listen: 127.0.0.1:0}}\n\
         upstream: http://{backend}\nlog: {{access: false, level: warn}}\n"
    );
    let config = write(&files, "frontroom.yaml", &config)?;
    Server::start(server::frontroom(CORE, 1, &config), files, None)
}

fn haproxy(address: SocketAddr, backend: SocketAddr, tls: bool, files: TempDir) -> io::Result<Server> {
    let tls = if tls { format!("ssl crt {}/both.pem", files.path().display()) } else { String::new() };
    let config = format!(
        "global
    nbthread 1
    maxconn 4000
defaults
    mode http
    timeout connect 5s
    timeout client 300s
    timeout server 60s
    option forwardfor
    http-reuse always
frontend front
    bind {address} backlog 4096 {tls}
    http-request del-header connection
    default_backend back
backend back
    server one {backend}
"
    );
    let config = write(&files, "haproxy.cfg", &config)?;
    let mut command = server::on(CORE);
    command.arg("haproxy").arg("-q").arg("-f").arg(config);
    listening(Server::start(command, files, Some(address))?)
}

/// Waits until a server listens.
fn listening(server: Server) -> io::Result<Server> {
    let until = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect(server.address).is_err() {
        if Instant::now() > until {
            return Err(io::Error::other("a server does not listen"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(server)
}

pub(crate) mod nginx {
    //! nginx, as a proxy and as the backend.

    use super::*;

    /// The whole of a configuration.
    pub(crate) fn config(files: &TempDir, http: &str) -> String {
        let at = files.path().display();
        format!(
            "worker_processes 1; daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;
            events {{ worker_connections 8192; }}
            http {{
                access_log off; keepalive_timeout 300s; keepalive_requests 1000000000;
                client_max_body_size 100m; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;
                fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;
                {http}
            }}"
        )
    }

    /// Starts it, and waits until it listens.
    pub(crate) fn start(
        core: &str,
        config: &Path,
        address: SocketAddr,
        files: TempDir,
    ) -> io::Result<Server> {
        let mut command = server::on(core);
        command.args(["nginx", "-e", "stderr", "-c"]).arg(config);
        listening(Server::start(command, files, Some(address))?)
    }

    /// What frontroom says besides: who asked for what, an id that the client gets too, and that it was there.
    pub(super) const FIELDS: &str = "
                    proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
                    proxy_set_header X-Forwarded-Port $server_port; proxy_set_header Via '1.1 nginx';
                    proxy_set_header X-Request-Id $request_id; add_header X-Request-Id $request_id always;";

    pub(super) fn proxy(
        address: SocketAddr,
        backend: SocketAddr,
        tls: bool,
        (more, fields): (&str, &str),
        files: TempDir,
    ) -> io::Result<Server> {
        let at = files.path().display();
        let (ssl, certificate) = if tls {
            (
                "ssl",
                format!(
                    "ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {at}/cert.pem; ssl_certificate_key {at}/key.pem;"
                ),
            )
        } else {
            ("", String::new())
        };
        let http = format!(
            "upstream backend {{
                server {backend}; keepalive 1024; keepalive_requests 1000000000; keepalive_timeout 300s;
            }}
            {certificate} {more}
            server {{
                listen {address} backlog=4096 {ssl};
                location / {{
                    proxy_pass http://backend; proxy_http_version 1.1;
                    proxy_set_header Connection ''; proxy_set_header Host $host;
                    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; {fields}
                }}
            }}"
        );
        let config = write(&files, "nginx.conf", &config(&files, &http))?;
        start(CORE, &config, address, files)
    }
}
