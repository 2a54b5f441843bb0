//! The attempts in flight, in slots that are used again.

use alloc::vec::Vec;
use core::time::Duration;

use super::load::RequestResult;
use crate::model::id::AttemptId;

/// No flight.
const NONE: u32 = u32::MAX;

/// An attempt that was sent and has not ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    /// Bytes of a good answer's body, and how many come in a second.
    pub(super) body: (u64, Option<u64>),
    pub(super) host: u32,
    pub(super) id: AttemptId,
    /// Its number among all, so that what comes for an earlier one in its place is known.
    pub(super) serial: u64,
    pub(super) stage: Stage,
}

/// What comes next in a flight.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    Body { piece: u64, left: u64 },
    Head(RequestResult, Option<Duration>),
}

/// The flights. Those of one fetch, hedges included, are chained from its slot.
#[derive(Debug, Default)]
pub(super) struct Flights {
    /// The first flight of the fetch in each slot of the engine.
    first: Vec<u32>,
    free: Vec<u32>,
    len: usize,
    /// Each with the next of the same fetch.
    places: Vec<(Option<Flight>, u32)>,
}

impl Flights {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn insert(&mut self, flight: Flight) -> u32 {
        let slot = flight.id.fetch.slot();
        if self.first.len() <= slot {
            self.first.resize(slot + 1, NONE);
        }
        let place = self.free.pop().unwrap_or(self.places.len() as u32);
        let entry = (Some(flight), self.first[slot]);
        match self.places.get_mut(place as usize) {
            Some(old) => *old = entry,
            None => self.places.push(entry),
        }
        self.first[slot] = place;
        self.len += 1;
        place
    }

    /// The flight in that place, if it is the one with this serial.
    pub(super) fn get(&self, place: u32, serial: u64) -> Option<Flight> {
        let flight = self.places.get(place as usize)?.0?;
        (flight.serial == serial).then_some(flight)
    }

    pub(super) fn set(&mut self, place: u32, stage: Stage) {
        if let Some((Some(flight), _)) = self.places.get_mut(place as usize) {
            flight.stage = stage;
        }
    }

    /// The place of an attempt.
    pub(super) fn find(&self, id: AttemptId) -> Option<u32> {
        let mut place = *self.first.get(id.fetch.slot())?;
        while let Some((flight, next)) = self.places.get(place as usize) {
            if flight.is_some_and(|flight| flight.id == id) {
                return Some(place);
            }
            place = *next;
        }
        None
    }

    pub(super) fn remove(&mut self, place: u32) -> Option<Flight> {
        let (flight, next) = self.places.get_mut(place as usize)?;
        let (flight, next) = (flight.take()?, *next);
        let link = &mut self.first[flight.id.fetch.slot()];
        if *link == place {
            *link = next;
        } else {
            let mut before = *link;
            while self.places[before as usize].1 != place {
                before = self.places[before as usize].1;
            }
            self.places[before as usize].1 = next;
        }
        self.free.push(place);
        self.len -= 1;
        Some(flight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::FetchId;

    fn flight(number: u16, serial: u64) -> Flight {
        let fetch = FetchId::STANDALONE;
        Flight {
            body: (0, None),
            host: 0,
            id: AttemptId { fetch, number },
            serial,
            stage: Stage::Head(RequestResult::Ok, None),
        }
    }

    #[test]
    fn several_attempts_of_one_fetch_are_told_apart() {
        let mut flights = Flights::default();
        let places = [1, 2, 3].map(|n| flights.insert(flight(n, n.into())));
        let id = |number| flight(number, 0).id;
        assert_eq!(flights.remove(places[1]).map(|f| f.serial), Some(2));
        assert_eq!(flights.find(id(2)), None);
        assert_eq!(flights.find(id(1)), Some(places[0]));
        assert_eq!(flights.find(id(3)), Some(places[2]));
        assert_eq!(flights.len(), 2);
    }

    #[test]
    fn what_comes_for_a_flight_that_is_over_is_not_taken_for_the_next() {
        let mut flights = Flights::default();
        let place = flights.insert(flight(1, 1));
        flights.remove(place);
        assert_eq!(flights.insert(flight(2, 2)), place);
        assert!(flights.get(place, 1).is_none() && flights.get(place, 2).is_some());
    }
}
