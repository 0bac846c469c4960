//! A socket's life: asked in, its events handled one after another, its end told once.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Waker};

use futures_util::FutureExt as _;
use tokio::sync::oneshot;

use super::recovery::Key;
use super::socket::lock;
use super::{Command, Event, Hub, Refusal, Socket, conversation};
use crate::engineio::{Hold, Reason};
use crate::telemetry::metrics;

/// Where a socket is in its life.
#[derive(Debug)]
pub(super) struct Life {
    admitted: bool,
    ended: Option<Reason>,
    /// Whether a task is at work for the socket. There is none while it is idle. A new socket counts as
    /// busy, so that its end cannot come before its beginning.
    working: bool,
    events: VecDeque<(Event, Hold)>,
}

impl Default for Life {
    fn default() -> Life {
        Life { admitted: false, ended: None, working: true, events: VecDeque::new() }
    }
}

impl Life {
    pub(super) fn is_connected(&self) -> bool {
        self.admitted && self.ended.is_none()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }
}

enum Work {
    Event(Event, Hold),
    End(Reason),
    Rest,
}

impl Socket {
    fn life(&self) -> std::sync::MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks whether the socket may join, and does its work from then on.
    pub(super) fn start(self: &Arc<Self>) {
        let socket = self.clone();
        let hold = self.hold_back();
        run(self.talk.hub(), async move {
            let hub = socket.talk.hub().clone();
            if let Some(previous) = socket.previous_work() {
                // What the client did before it was gone comes before what it does now.
                let _ = previous.await;
            }
            let admission = hub.events().connect(&hub, socket.clone()).await;
            drop(hold);
            match admission {
                Ok(commands) if socket.welcome(&commands) => {
                    hub.events().connected(&hub, &socket);
                    socket.work().await;
                }
                Ok(_) => socket.begin_anew().await,
                Err(refusal) => socket.refuse(&refusal),
            }
        });
    }

    /// The same once it is known whether its client was on another node: then it is who it was there.
    pub(super) fn start_as_known(self: &Arc<Self>, key: Key) {
        let (socket, hub, hold) = (self.clone(), self.talk.hub().clone(), self.hold_back());
        run(self.talk.hub(), async move {
            let known = hub.recovery().recall(&hub, socket.namespace(), &key).await;
            drop(hold);
            let Some(who) = known else { return socket.start() };
            let back = Arc::new(socket.as_whom(who));
            hub.recovery().connected(&back);
            if socket.talk.replace(&socket, &back) {
                back.start();
            } else {
                // Its client is gone again, and may try again.
                hub.recovery().ended(&back, Reason::TransportClose);
            }
        });
    }

    /// Counts a connect or disconnect as being handled. As many of them as a session may have
    /// namespaces hold it back: it could come and go faster than the rules can say.
    fn hold_back(&self) -> Hold {
        self.session.hold(self.session.options().max_payload / self.talk.hub().limits().namespaces.max(1))
    }

    fn previous_work(&self) -> Option<oneshot::Receiver<()>> {
        lock(self.trail.as_ref()?).previous()
    }

    /// Lets an admitted socket in and does what its connect rule said, in one step: whatever is sent
    /// to its rooms has either been missed or comes behind. False when not all it missed is there any
    /// more.
    fn welcome(self: &Arc<Self>, commands: &[Command]) -> bool {
        let hub = self.talk.hub();
        let mut log = hub.recovery().log();
        let missed = match &self.trail {
            Some(trail) => lock(trail).enter(self.namespace(), self.id(), log.as_deref()),
            None => Some(Vec::new()),
        };
        let Some(missed) = missed else { return false };
        self.admit();
        for command in commands {
            hub.run_for(command, self, log.as_deref_mut());
        }
        if self.is_connected() {
            if self.recovered() {
                metrics::recovery("recovered");
            }
            self.open(missed);
            self.session.admit();
            hub.note_change(self);
        }
        true
    }

    /// The client is somebody new after all: who it was has left, and its rules are asked again.
    async fn begin_anew(self: Arc<Self>) {
        metrics::recovery("too_old");
        let hub = self.talk.hub().clone();
        hub.recovery().forget(&self);
        let reason = *self.life().ended.get_or_insert(Reason::TransportClose);
        self.tell_end(&hub, reason).await;
        let socket = Arc::new(self.stranger());
        if self.talk.replace(&self, &socket) {
            socket.start();
        }
    }

    fn admit(self: &Arc<Self>) {
        let mut life = self.life();
        life.admitted = true;
        if life.ended.is_none() {
            // Under the lock, so that an end that comes now finds the socket to remove.
            self.talk.hub().enter(self);
            if !self.recovered() {
                // Its client is told the `pid` next. Who came back is known since it was recognized.
                self.talk.hub().recovery().connected(self);
            }
            self.count(Some(self.transport()));
            self.show_connected();
        }
    }

    fn refuse(self: &Arc<Self>, refusal: &Refusal) {
        self.talk.hub().recovery().forget(self);
        if self.recovered() {
            metrics::recovery("refused");
        }
        {
            let mut life = self.life();
            life.working = false;
            if life.ended.is_some() {
                return;
            }
        }
        self.talk.forget(self);
        conversation::refuse(&self.session, self.namespace(), &refusal.message, refusal.data.as_ref());
    }

    /// Handles an event, or queues it behind those that came before it.
    pub(super) fn receive(self: &Arc<Self>, event: Event, hold: Hold) {
        {
            let mut life = self.life();
            if !life.is_connected() {
                return;
            }
            if std::mem::replace(&mut life.working, true) {
                life.events.push_back((event, hold));
                return;
            }
        }
        self.work_from(event, hold);
    }

    /// Handles events, from this one on; a task does what is left once one has to wait.
    fn work_from(self: &Arc<Self>, mut event: Event, mut hold: Hold) {
        let hub = self.talk.hub();
        let _busy = Busy::begin(hub.clone());
        loop {
            if let Some(rest) = hub.events().event(hub, self.clone(), event) {
                let socket = self.clone();
                // It will have to wait: to poll it here would only be once more.
                return spawn(hub, async move {
                    rest.await;
                    drop(hold);
                    socket.work().await;
                });
            }
            drop(hold);
            (event, hold) = match self.next_work() {
                Work::Event(event, hold) => (event, hold),
                Work::End(reason) => return run(hub, self.clone().leave(reason)),
                Work::Rest => return,
            };
        }
    }

    /// Ends the socket: it is in no room any more at once, and its disconnect rule runs after its
    /// last event.
    pub(super) fn end(self: &Arc<Self>, reason: Reason) {
        let idle = {
            let mut life = self.life();
            if life.ended.is_some() {
                return;
            }
            life.ended = Some(reason);
            !std::mem::replace(&mut life.working, true)
        };
        self.talk.hub().exit(self);
        self.show_end(reason);
        self.count(None);
        self.fail_acks();
        self.talk.hub().recovery().ended(self, reason);
        if idle {
            // Never here: whoever sent what ended it may have the log, which rules need as well.
            spawn(self.talk.hub(), self.clone().work());
        }
    }

    /// Why it ended, if it has.
    pub(super) fn ended_by(&self) -> Option<Reason> {
        self.life().ended
    }

    async fn work(self: Arc<Self>) {
        let hub = self.talk.hub().clone();
        loop {
            let work = self.next_work();
            match work {
                Work::Event(event, hold) => {
                    if let Some(rest) = hub.events().event(&hub, self.clone(), event) {
                        rest.await;
                    }
                    drop(hold);
                }
                Work::End(reason) => return self.leave(reason).await,
                Work::Rest => return,
            }
        }
    }

    /// Tells the rules of its end.
    async fn leave(self: Arc<Self>, reason: Reason) {
        let hub = self.talk.hub().clone();
        let _hold = self.hold_back();
        self.tell_end(&hub, reason).await;
        self.trail.iter().for_each(|trail| lock(trail).finish());
    }

    /// Tells the rules of the end, unless another node has.
    async fn tell_end(self: &Arc<Self>, hub: &Arc<Hub>, reason: Reason) {
        if let Some(settled) = hub.peers().and_then(|peers| peers.settled(self)) {
            settled.await;
        }
        if self.told.load(Ordering::Acquire) {
            return hub.events().let_go(self);
        }
        hub.peers().inspect(|peers| peers.ended(self));
        hub.events().disconnect(hub, self.clone(), reason).await;
    }

    fn next_work(&self) -> Work {
        let mut life = self.life();
        if let Some((event, hold)) = life.events.pop_front() {
            return Work::Event(event, hold);
        }
        if let Some(reason) = life.ended {
            // `working` stays set: nothing starts again after the end.
            return Work::End(reason);
        }
        life.working = false;
        if life.events.capacity() > 4 {
            life.events = VecDeque::new();
        }
        Work::Rest
    }
}

/// Counts as work of the hub until it is dropped, however the work ended.
pub(super) struct Busy(Arc<Hub>);

impl Busy {
    pub(super) fn begin(hub: Arc<Hub>) -> Busy {
        hub.begin_work();
        Busy(hub)
    }

    /// Is busy for as long as the work goes on.
    pub(super) async fn during(self, work: impl Future<Output = ()>) {
        work.await;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.end_work();
    }
}

/// Runs a socket's work in a task.
pub(super) fn spawn(hub: &Arc<Hub>, work: impl Future<Output = ()> + Send + 'static) {
    let busy = Busy::begin(hub.clone());
    tokio::spawn(work.map(move |()| drop(busy)));
}

/// Runs a socket's work at once as far as it goes, and the rest of it in a task. Most events are
/// handled without waiting for anything and cost no task.
fn run(hub: &Arc<Hub>, work: impl Future<Output = ()> + Send + 'static) {
    let busy = Busy::begin(hub.clone());
    let mut work: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(work.map(move |()| drop(busy)));
    // The task polls again at once, so no wake-up is lost.
    if work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        tokio::spawn(work);
    }
}
