//! How many connections there are, of each address and beyond the bounds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::headers::network;

/// Connections beyond a bound that are told so at a time. More are closed without a word.
const MAX_TOLD: usize = 64;

/// The connections of all listeners, as far as they are counted.
#[derive(Debug, Clone, Default)]
pub struct Crowd(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    addresses: Mutex<HashMap<IpAddr, usize>>,
    told: AtomicUsize,
}

impl Crowd {
    /// Counts a connection for its address until the guard is dropped; none where it has `max` already.
    pub(super) fn enter(&self, address: IpAddr, max: usize) -> Option<Place> {
        let address = network(address);
        let mut addresses = self.0.addresses();
        let count = addresses.entry(address).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        drop(addresses);
        Some(Place { inner: Arc::clone(&self.0), address })
    }

    /// A place among those that are told that there is no room.
    pub(super) fn tell(&self) -> Option<Told> {
        let free = |told| (told < MAX_TOLD).then_some(told + 1);
        let entered = self.0.told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        entered.ok().map(|_| Told(Arc::clone(&self.0)))
    }
}

impl Inner {
    fn addresses(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection of an address.
#[derive(Debug)]
pub(super) struct Place {
    inner: Arc<Inner>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut addresses = self.inner.addresses();
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

/// One connection that is told that there is no room.
#[derive(Debug)]
pub(super) struct Told(Arc<Inner>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.told.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_bound_and_leaves_nothing_behind() {
        let crowd = Crowd::default();
        let enter = |address: &str| crowd.enter(address.parse().unwrap(), 2);
        let (one, _two) = (enter("192.0.2.1").unwrap(), enter("::ffff:192.0.2.1").unwrap());
        assert!(enter("192.0.2.1").is_none());
        assert!(enter("192.0.2.2").is_some());
        drop(one);
        assert!(enter("192.0.2.1").is_some());
        let _six = (enter("2001:db8::1").unwrap(), enter("2001:db8::ffff").unwrap());
        assert!(enter("2001:db8::2").is_none(), "the same /64");
        assert!(enter("2001:db8:0:1::").is_some());
        assert_eq!(crowd.0.addresses().len(), 2);
    }

    #[test]
    fn so_many_are_told_and_no_more() {
        let crowd = Crowd::default();
        let told: Vec<Told> = std::iter::from_fn(|| crowd.tell()).collect();
        assert_eq!(told.len(), MAX_TOLD);
        drop(told);
        assert!(crowd.tell().is_some());
    }
}
