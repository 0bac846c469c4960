//! What a key means when it is not written. One constant a key, in the order of the contract's table.

use std::time::Duration;

use super::file::Transport;
use super::value::Rate;

/// `listen`.
pub const LISTEN: &str = "0.0.0.0:4000";
/// Name of the upstream that the top-level `upstream` makes.
pub const UPSTREAM_NAME: &str = "default";

/// `upstreams.*.connect_timeout`.
pub const UPSTREAM_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// `upstreams.*.response_timeout`: from the end of the request's body to the response's head.
pub const UPSTREAM_RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// `upstreams.*.stream_idle_timeout`: as Envoy has it. Streams of events send comments well within it.
pub const UPSTREAM_STREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// `upstreams.*.idle_timeout`: below the 5s after which Node closes an idle connection.
pub const UPSTREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// `upstreams.*.max_connection_age`: as nginx's `keepalive_time`.
pub const UPSTREAM_MAX_CONNECTION_AGE: Duration = Duration::from_secs(3600);
/// `upstreams.*.max_connections`: to all endpoints of the upstream together.
pub const UPSTREAM_MAX_CONNECTIONS: usize = 1024;
/// `upstreams.*.max_pending`: requests that wait for a connection.
pub const UPSTREAM_MAX_PENDING: usize = 1024;
/// `upstreams.*.retry.attempts`: tries after the first.
pub const RETRY_ATTEMPTS: u32 = 1;
/// `upstreams.*.retry.budget`: a share of the requests.
pub const RETRY_BUDGET: f64 = 0.2;
/// `upstreams.*.health_check.interval`.
pub const HEALTH_CHECK_INTERVAL: Duration = Duration::from_secs(10);
/// `upstreams.*.health_check.timeout`.
pub const HEALTH_CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// `upstreams.*.health_check.unhealthy_after`.
pub const HEALTH_CHECK_UNHEALTHY_AFTER: u32 = 3;
/// `upstreams.*.health_check.healthy_after`.
pub const HEALTH_CHECK_HEALTHY_AFTER: u32 = 2;
/// `upstreams.*.outlier.consecutive_failures`; 0 never ejects.
pub const OUTLIER_CONSECUTIVE_FAILURES: u32 = 5;
/// `upstreams.*.outlier.eject_for`: the first time.
pub const OUTLIER_EJECT_FOR: Duration = Duration::from_secs(30);

/// `cors.allow_credentials`.
pub const CORS_ALLOW_CREDENTIALS: bool = false;
/// `cors.allow_headers`: reflects what the preflight asked for.
pub const CORS_ALLOW_HEADERS: &str = "*";
/// `cors.max_age`.
pub const CORS_MAX_AGE: Duration = Duration::from_secs(600);

/// `credentials.token`.
pub const CREDENTIALS_TOKEN: [&str; 2] = ["header:authorization", "auth:token"];
/// `credentials.cookies`.
pub const CREDENTIALS_COOKIES: bool = true;
/// `credentials.jwt.jwks_refresh`.
pub const JWKS_REFRESH: Duration = Duration::from_secs(600);
/// `credentials.jwt.jwks_cooldown`.
pub const JWKS_COOLDOWN: Duration = Duration::from_secs(5);
/// `credentials.jwt.jwks_timeout`.
pub const JWKS_TIMEOUT: Duration = Duration::from_secs(5);
/// `credentials.jwt.max_token`, in bytes.
pub const JWT_MAX_TOKEN: u64 = 16_000;
/// `credentials.jwt.leeway`.
pub const JWT_LEEWAY: Duration = Duration::from_secs(30);

/// `socketio.path`.
pub const SOCKETIO_PATH: &str = "/socket.io";
/// `socketio.ping_interval`.
pub const PING_INTERVAL: Duration = Duration::from_secs(25);
/// `socketio.ping_timeout`.
pub const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// `socketio.upgrade_timeout`.
pub const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);
/// `socketio.connect_timeout`: how long a session may stay without a namespace.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(45);
/// `socketio.max_payload`, in bytes.
pub const MAX_PAYLOAD: u64 = 1_000_000;
/// `socketio.max_attachments`.
pub const MAX_ATTACHMENTS: usize = 10;
/// `socketio.attachment_timeout`: how long the attachments of a packet may take to come.
pub const ATTACHMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// `socketio.post_timeout`: how long a POST's body may take to come.
pub const POST_TIMEOUT: Duration = Duration::from_secs(60);
/// `socketio.max_packets_per_post`: the stock client posts all it has waiting at once.
pub const MAX_PACKETS_PER_POST: usize = 10_000;
/// `socketio.max_fragments`: enough for every message of `max_payload` in pieces of 10 bytes.
pub const MAX_FRAGMENTS: usize = 100_000;
/// `socketio.max_sessions`; 0 sets no bound.
pub const MAX_SESSIONS: usize = 100_000;
/// `socketio.max_sessions_per_ip`; 0 sets no bound: behind a proxy or a NAT many share an address.
pub const MAX_SESSIONS_PER_IP: usize = 0;
/// `socketio.max_sockets_per_user`; 0 sets no bound.
pub const MAX_SOCKETS_PER_USER: usize = 0;
/// `socketio.max_namespaces`.
pub const MAX_NAMESPACES: usize = 100;
/// `socketio.max_rooms`.
pub const MAX_ROOMS: usize = 10_000;
/// `socketio.max_pending_acks`.
pub const MAX_PENDING_ACKS: usize = 1_000;
/// `socketio.transports`.
pub const TRANSPORTS: [Transport; 2] = [Transport::Polling, Transport::Websocket];
/// `socketio.eio3`.
pub const EIO3: bool = false;
/// `socketio.send_queue.max_bytes`, in bytes.
pub const SEND_QUEUE_MAX_BYTES: u64 = 1_000_000;
/// `socketio.recovery.max_disconnection`.
pub const RECOVERY_MAX_DISCONNECTION: Duration = Duration::from_secs(120);
/// `socketio.recovery.max_bytes`, in bytes.
pub const RECOVERY_MAX_BYTES: u64 = 16_000_000;
/// `socketio.recovery.max_sessions`.
pub const RECOVERY_MAX_SESSIONS: usize = 10_000;

/// `socketio.admin_ui.namespace`.
pub const ADMIN_UI_NAMESPACE: &str = "/admin";
/// `socketio.admin_ui.session`: as Node's RedisStore has it.
pub const ADMIN_UI_SESSION: Duration = Duration::from_secs(86_400);
/// `socketio.admin_ui.max_logins`: each keeps a core busy.
pub const ADMIN_UI_MAX_LOGINS: usize = 2;
/// `socketio.admin_ui.failed_logins`.
pub const ADMIN_UI_FAILED_LOGINS: Rate = Rate { count: 10, per: Duration::from_secs(60) };
/// `socketio.admin_ui.max_sockets`.
pub const ADMIN_UI_MAX_SOCKETS: usize = 10_000;
/// `socketio.admin_ui.max_queue`, in bytes.
pub const ADMIN_UI_MAX_QUEUE: u64 = 4_000_000;

/// `taps[].status`.
pub const TAP_STATUS: &str = "2xx";
/// `taps[].namespace`.
pub const TAP_NAMESPACE: &str = "/";
/// `taps[].max_body`, in bytes.
pub const TAP_MAX_BODY: u64 = 1_000_000;

/// `hooks.timeout`.
pub const HOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// `hooks.ack_timeout`.
pub const HOOK_ACK_TIMEOUT: Duration = Duration::from_secs(10);

/// `cluster.redis.prefix`.
pub const CLUSTER_PREFIX: &str = "frontroom";
/// `cluster.redis.max_queue`, in bytes.
pub const CLUSTER_MAX_QUEUE: u64 = 16_000_000;
/// `cluster.redis.max_stream`, in messages.
pub const CLUSTER_MAX_STREAM: u64 = 100_000;
/// `cluster.node.listen`.
pub const CLUSTER_LISTEN: &str = "0.0.0.0:4002";
/// `cluster.node.connect_timeout`.
pub const CLUSTER_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// `cluster.node.response_timeout`: as long as a backend may take, since a client that floods waits for it.
pub const CLUSTER_RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// `cluster.node.max_connections`: one address has 28,000 ports to connect from (Linux).
pub const CLUSTER_MAX_CONNECTIONS: usize = 20_000;
/// `cluster.node.max_pending`.
pub const CLUSTER_MAX_PENDING: usize = 1024;
/// `cluster.request_timeout`.
pub const CLUSTER_REQUEST_TIMEOUT: Duration = Duration::from_secs(1);
/// `cluster.lease`.
pub const CLUSTER_LEASE: Duration = Duration::from_secs(10);

/// `admin.listen`.
pub const ADMIN_LISTEN: &str = "127.0.0.1:4001";
/// `admin.max_body`, in bytes.
pub const ADMIN_MAX_BODY: u64 = 1_000_000;
/// `admin.max_followers`.
pub const ADMIN_MAX_FOLLOWERS: usize = 16;
/// `admin.follow_queue`, in bytes.
pub const ADMIN_FOLLOW_QUEUE: u64 = 1_000_000;

/// `limits.connections`; 0 sets no bound of our own.
pub const LIMIT_CONNECTIONS: usize = 0;
/// `limits.connections_per_ip`; 0 sets no bound: behind a proxy or a NAT many share an address.
pub const LIMIT_CONNECTIONS_PER_IP: usize = 0;
/// `limits.requests_per_second_per_ip`; 0 sets no bound.
pub const LIMIT_REQUESTS_PER_SECOND_PER_IP: u32 = 0;
/// `limits.tls_handshakes`.
pub const LIMIT_TLS_HANDSHAKES: usize = 1_000;
/// `limits.header_bytes`, in bytes.
pub const LIMIT_HEADER_BYTES: u64 = 32_000;
/// `limits.header_fields`.
pub const LIMIT_HEADER_FIELDS: usize = 100;
/// `limits.header_timeout`.
pub const LIMIT_HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// `limits.body_timeout`: how long a request's body may stand still.
pub const LIMIT_BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// `limits.tap_backlog`, in bytes.
pub const LIMIT_TAP_BACKLOG: u64 = 64_000_000;

/// `log.level`.
pub const LOG_LEVEL: &str = "info";
/// `log.access`.
pub const LOG_ACCESS: bool = true;
/// `log.events`.
pub const LOG_EVENTS: bool = false;
/// `reload.auto`
pub const RELOAD_AUTO: bool = true;

/// `shutdown.delay`.
pub const SHUTDOWN_DELAY: Duration = Duration::ZERO;
/// `shutdown.grace`.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(30);
