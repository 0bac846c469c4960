//! All metrics, each in one function whose doc comment is the metric's help text.
//!
//! Labels are few and closed: what a client can invent freely never becomes one.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::histogram::{self, Histogram};
use super::kept::Kept;

/// Writes each metric's function, `[labels](arguments)`, and what `describe` says of it.
macro_rules! metrics {
    ($(
        $(#[doc = $help:literal])+
        $visibility:vis fn $function:ident [$($label:ident),*] ($($argument:ident: $type:ty)?)
            = $kind:ident($name:literal).$method:ident($($value:expr)?);
    )+) => {
        $(
            $(#[doc = $help])+
            $visibility fn $function($($label: &str,)* $($argument: $type)?) {
                const LABELS: &[&str] = &[$(stringify!($label)),*];
                thread_local!(static KEPT: Kept<{ LABELS.len() }, metrics!(@handle $kind)> = const { Kept::new() });
                let register = || metrics!(@register $kind $name $($label)*);
                KEPT.with(|kept| kept.with([$($label),*], register, |handle| handle.$method($($value)?)));
            }
        )+

        /// Tells the recorder every metric's help text, and starts those without labels at zero.
        fn describe() {
            $(
                metrics!(@describe $kind $name, concat!($($help),+).trim());
                metrics!(@zero $kind $name $($label)*);
            )+
        }
    };
    (@handle counter) => { metrics::Counter };
    (@handle gauge) => { metrics::Gauge };
    (@handle histogram) => { Histogram };
    (@register histogram $name:literal $($label:ident)*) => {
        Histogram::register($name, &[$((stringify!($label), $label)),*])
    };
    (@register $kind:ident $name:literal $($label:ident)*) => {
        metrics::$kind!($name $(, stringify!($label) => $label.to_owned())*)
    };
    (@describe counter $name:literal, $help:expr) => { metrics::describe_counter!($name, $help) };
    (@describe gauge $name:literal, $help:expr) => { metrics::describe_gauge!($name, $help) };
    (@describe histogram $name:literal, $help:expr) => { histogram::describe($name, $help) };
    (@zero counter $name:literal) => { metrics::counter!($name).increment(0) };
    (@zero $kind:ident $name:literal $($label:ident)*) => {};
}

metrics! {
    /// Requests answered, by route, method and status.
    fn http_requests[route, method, status]() = counter("frontroom_http_requests_total").increment(1);

    /// Seconds from a request's head to the end of its answer's head.
    fn http_request_duration[](seconds: f64) = histogram("frontroom_http_request_duration_seconds").record(seconds);

    /// Sockets connected, by namespace (as its rule is written) and transport.
    pub fn sockets[namespace, transport](change: f64) = gauge("frontroom_sockets").increment(change);

    /// Events received from clients, by namespace, event (only those with a rule) and result.
    pub fn socket_event[namespace, event, result]() = counter("frontroom_socket_events_total").increment(1);

    /// Seconds from an event, connect or disconnect to the end of its rule, for rules that ask a backend.
    pub fn event_duration[](seconds: f64) = histogram("frontroom_event_duration_seconds").record(seconds);

    /// Rooms with sockets in them, without those named by a socket's id.
    pub fn rooms[](count: f64) = gauge("frontroom_rooms").set(count);

    /// Connections of clients that are open.
    pub fn connections[](count: f64) = gauge("frontroom_connections").set(count);

    /// Events queued for clients.
    pub fn deliveries[](count: u64) = counter("frontroom_deliveries_total").increment(count);

    /// Events not queued for a client, by reason: volatile (and the client was not ready), no_room (what the Admin UI is told).
    pub fn dropped[reason]() = counter("frontroom_dropped_total").increment(1);

    /// Sessions closed because their outgoing queue was full.
    pub fn slow_consumer[]() = counter("frontroom_slow_consumers_total").increment(1);

    /// Times a client's events came faster than they were handled, so that it was not read from for a while.
    pub fn held_back[]() = counter("frontroom_held_back_total").increment(1);

    /// Sessions ended, by reason.
    pub fn disconnect[reason]() = counter("frontroom_disconnects_total").increment(1);

    /// CONNECTs of clients that say they were here before, by result: recovered, unknown, too_old, refused.
    pub fn recovery[result]() = counter("frontroom_recoveries_total").increment(1);

    /// Bytes of events kept for clients that may come back.
    pub fn recovery_bytes[](bytes: f64) = gauge("frontroom_recovery_bytes").set(bytes);

    /// Disconnected clients that may come back.
    pub fn recovery_sessions[](count: f64) = gauge("frontroom_recovery_sessions").set(count);

    /// Responses that a tap matched, by tap (its `on`) and result.
    pub fn tap[tap, result]() = counter("frontroom_taps_total").increment(1);

    /// Sockets that are being followed over the admin listener, counted once for each that looks on.
    pub fn followers[](count: f64) = gauge("frontroom_followers").set(count);

    /// What happened to sockets and was lost to followers that were too slow, or not told to the Admin UI for the same reason.
    pub fn follow_lost[]() = counter("frontroom_follow_lost_total").increment(1);

    /// Logins to the Admin UI's namespace, by result: password, session, open (nobody is asked), invalid, too_many.
    pub fn admin_ui_login[result]() = counter("frontroom_admin_ui_logins_total").increment(1);

    /// Calls of the admin listener, by path (as it is documented) and status.
    pub fn admin_call[path, status]() = counter("frontroom_admin_calls_total").increment(1);

    /// Actions that responses said in `Frontroom-Actions`, by result: done, bad, refused, no_socket.
    pub fn header_actions[result]() = counter("frontroom_header_actions_total").increment(1);

    /// Requests sent to an upstream, by result.
    pub fn upstream_request[upstream, result]() = counter("frontroom_upstream_requests_total").increment(1);

    /// Seconds from a request to the head of the upstream's answer, or to its failure.
    pub fn upstream_request_duration[upstream](seconds: f64) = histogram("frontroom_upstream_request_duration_seconds").record(seconds);

    /// Interim responses of HTTP/1.1 upstreams (1xx other than 100 and 101, as 103) that were not passed on.
    pub fn interim_response_dropped[]() = counter("frontroom_interim_responses_dropped_total").increment(1);

    /// Endpoints of an upstream, by state.
    pub fn upstream_endpoints[upstream, state](count: f64) = gauge("frontroom_upstream_endpoints").set(count);

    /// Requests and connections refused by a bound, by the bound's config key.
    pub fn refused[limit]() = counter("frontroom_refused_total").increment(1);

    /// Panics that ended one request or event and nothing else, by which it was. Each is a defect of frontroom's own.
    pub fn panic[kind]() = counter("frontroom_panics_total").increment(1);

    /// Times the config was read again, by result: reloaded, unchanged or refused.
    pub fn config_reload[result]() = counter("frontroom_config_reloads_total").increment(1);

    /// Fetches of the key set behind `credentials.jwt.jwks_url`, by result: ok or failed.
    pub fn jwks_fetch[result]() = counter("frontroom_jwks_fetches_total").increment(1);

    /// TLS handshakes, by result: ok, failed, timeout.
    pub fn tls_handshake[result]() = counter("frontroom_tls_handshakes_total").increment(1);

    /// Days until a certificate (by its file) or one of its chain expires; negative afterwards.
    pub fn certificate_expiry_days[certificate](days: f64) = gauge("frontroom_certificate_expiry_days").set(days);

    /// Times that changed certificate files were read again, by result: ok or failed.
    pub fn certificate_reload[result]() = counter("frontroom_certificate_reloads_total").increment(1);

    /// Messages of other programs over Redis, by result: ok, ignored (meant for others) or unreadable.
    pub fn emitter_message[result]() = counter("frontroom_emitter_messages_total").increment(1);

    /// Times the connection to an emitter's Redis ended: what was published until it is back was missed.
    pub fn emitter_connection_lost[]() = counter("frontroom_emitter_connections_lost_total").increment(1);

    /// Nodes that hold their lease in the cluster's Redis, this one included.
    pub fn cluster_nodes[](count: f64) = gauge("frontroom_cluster_nodes").set(count);

    /// Times a connection to the cluster's Redis ended or could not be made, by what it is for: lease, publish, subscribe, sockets, sessions.
    pub fn cluster_connection_lost[purpose]() = counter("frontroom_cluster_connections_lost_total").increment(1);

    /// Messages published for other nodes.
    pub fn cluster_published[](count: u64) = counter("frontroom_cluster_published_total").increment(count);

    /// Messages of other nodes.
    pub fn cluster_received[]() = counter("frontroom_cluster_received_total").increment(1);

    /// Messages that were not published, or perhaps not, by reason: queue_full, too_large, volatile, connection_lost.
    pub fn cluster_dropped[reason](count: u64) = counter("frontroom_cluster_dropped_total").increment(count);

    /// Messages of other nodes that did not arrive.
    pub fn cluster_missed[](count: u64) = counter("frontroom_cluster_missed_total").increment(count);

    /// What came over the cluster's channels and is no message of another node.
    pub fn cluster_unreadable[]() = counter("frontroom_cluster_unreadable_total").increment(1);

    /// Sockets of lost nodes whose disconnect rules this node took on, by result: told or unreadable.
    pub fn cluster_departure[result]() = counter("frontroom_cluster_departures_total").increment(1);

    /// Clients that came back to this node from another, by who told what they were: node (it gave them up), or redis (it did not answer).
    pub fn cluster_recovery[from]() = counter("frontroom_cluster_recoveries_total").increment(1);

    /// Messages of other nodes that did not arrive and were read from Redis' stream afterwards.
    pub fn cluster_replayed[]() = counter("frontroom_cluster_replayed_total").increment(1);

    /// Times that events of other nodes were missed for good: clients that come back and were away by then begin anew.
    pub fn cluster_stream_gap[]() = counter("frontroom_cluster_stream_gaps_total").increment(1);

    /// Requests for other nodes' sessions, by result: ok (sent on and answered), gone (the node lives no more), unreachable, timeout, broken, busy, refused (another secret, or another time), client (it broke its request off), forged (the id was not sealed by a node; not sent).
    pub fn cluster_forwarded[result]() = counter("frontroom_cluster_forwarded_total").increment(1);

    /// Requests that came to `cluster.node.listen`, by result: ok, astray (for a session of another node: two advertise one address), no_session (it names none), refused (no node has sent it).
    pub fn cluster_served[result]() = counter("frontroom_cluster_served_total").increment(1);

    /// Connections of this node to others that carry what clients that poll ask.
    pub fn cluster_links[](change: f64) = gauge("frontroom_cluster_links").increment(change);

    /// WebSockets of other nodes' sessions that go through this node.
    pub fn cluster_tunnels[](change: f64) = gauge("frontroom_cluster_tunnels").increment(change);

    /// Batches of spans sent to the collector, by result: ok or failed.
    pub fn trace_export[result]() = counter("frontroom_trace_exports_total").increment(1);

    /// CORS preflights answered, by result: allowed or denied.
    pub fn preflight[result]() = counter("frontroom_preflights_total").increment(1);

    /// Socket requests from an origin that is not allowed, by result: refused or reported.
    pub fn origin_denied[result]() = counter("frontroom_origins_denied_total").increment(1);
}

/// Counts a request answered, and how long it took to the end of its answer's head.
pub fn http_request(route: &str, method: &str, status: &str, seconds: f64) {
    http_requests(route, method_label(method), status);
    http_request_duration(seconds);
}

/// The methods of RFC 9110 and RFC 5789; a client's own inventions are one.
fn method_label(method: &str) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("other")
}

/// All metrics of the process.
#[derive(Debug, Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Installs the process's recorder, once; before that, metrics are not counted.
    pub fn install() -> Metrics {
        static INSTALLED: OnceLock<PrometheusHandle> = OnceLock::new();
        let handle = INSTALLED.get_or_init(|| {
            let recorder = PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another metrics recorder is installed: /metrics stays empty");
            }
            describe();
            handle
        });
        Metrics(handle.clone())
    }

    /// The metrics in Prometheus' text format, version 0.0.4.
    pub fn render(&self) -> String {
        let mut text = self.0.render();
        histogram::render(&mut text);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_rendered_with_its_help() {
        let metrics = Metrics::install();
        assert!(metrics.render().contains("frontroom_slow_consumers_total 0"), "there before it happens");
        for _ in 0..3 {
            http_request("/metrics-test", "GET", "200", 0.003);
        }
        http_request("/metrics-test", "BREW", "418", 0.003);
        socket_event("/", "metrics \"test\"\n", "ok");
        sockets("/metrics-test", "polling", 2.0);
        sockets("/metrics-test", "polling", -1.0);
        let text = Metrics::install().render();
        for line in [
            "# HELP frontroom_http_requests_total Requests answered, by route, method and status.",
            "# TYPE frontroom_http_requests_total counter",
            "frontroom_http_requests_total{route=\"/metrics-test\",method=\"GET\",status=\"200\"} 3",
            "frontroom_http_requests_total{route=\"/metrics-test\",method=\"other\",status=\"418\"} 1",
            "# TYPE frontroom_http_request_duration_seconds histogram",
            "frontroom_http_request_duration_seconds_bucket{le=\"0.005\"}",
            "frontroom_socket_events_total{namespace=\"/\",event=\"metrics \\\"test\\\"\\n\",result=\"ok\"} 1",
            "frontroom_sockets{namespace=\"/metrics-test\",transport=\"polling\"} 1",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
