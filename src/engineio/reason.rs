//! Why a session or socket ended, in Node's words; `slow consumer` and `node lost`, which Node does not know, are ours.

/// Why a session or socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The client closed its transport.
    TransportClose,
    /// The transport broke.
    TransportError,
    /// No pong came.
    PingTimeout,
    /// The client sent what is not the protocol.
    ParseError,
    /// The client did not take what was sent to it fast enough.
    SlowConsumer,
    /// The client sent what is no Socket.IO packet.
    ForcedClose,
    /// The server closed the session: at its own wish, for a packet that came at the wrong time, or as
    /// no namespace was joined in time.
    ForcedServerClose,
    /// The client left the namespace.
    ClientNamespaceDisconnect,
    /// The server made it leave the namespace.
    ServerNamespaceDisconnect,
    /// The server ends.
    ServerShuttingDown,
    /// The node that had it is gone.
    NodeLost,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 11] = [
        Reason::TransportClose,
        Reason::TransportError,
        Reason::PingTimeout,
        Reason::ParseError,
        Reason::SlowConsumer,
        Reason::ForcedClose,
        Reason::ForcedServerClose,
        Reason::ClientNamespaceDisconnect,
        Reason::ServerNamespaceDisconnect,
        Reason::ServerShuttingDown,
        Reason::NodeLost,
    ];

    /// Node's words.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::TransportClose => "transport close",
            Reason::TransportError => "transport error",
            Reason::PingTimeout => "ping timeout",
            Reason::ParseError => "parse error",
            Reason::SlowConsumer => "slow consumer",
            Reason::ForcedClose => "forced close",
            Reason::ForcedServerClose => "forced server close",
            Reason::ClientNamespaceDisconnect => "client namespace disconnect",
            Reason::ServerNamespaceDisconnect => "server namespace disconnect",
            Reason::ServerShuttingDown => "server shutting down",
            Reason::NodeLost => "node lost",
        }
    }
}
