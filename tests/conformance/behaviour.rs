//! What a behaviour is and how an adapter is judged by it.

use crate::backend::{Backend, Boxed};
use crate::bench::{Bench, Difference};

/// What a behaviour comes to: nothing, or what differed.
pub(crate) type Check = Result<(), Difference>;

/// Behaviours that belong together.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) behaviours: &'static [Behaviour],
}

/// Something that every adapter does alike.
pub(crate) struct Behaviour {
    pub(crate) name: &'static str,
    pub(crate) run: for<'a> fn(&'a Bench) -> Boxed<'a, Check>,
}

/// A behaviour that an adapter's backend has not.
#[derive(Debug)]
pub(crate) struct Cannot {
    /// The behaviour's name.
    pub(crate) what: &'static str,
    /// Why not, for the table.
    pub(crate) why: &'static str,
    /// What must differ when it is tried all the same: a part of the difference's text.
    pub(crate) shows: &'static str,
}

/// How an adapter does by a behaviour.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict {
    /// As all others.
    Can,
    /// Not, in the way and for the reason stated.
    Cannot(&'static str),
}

/// Names behaviours and the functions that check them.
macro_rules! behaviours {
    ($($name:literal => $run:path,)*) => {
        &[$($crate::behaviour::Behaviour {
            name: $name,
            run: |bench| Box::pin($run(bench)),
        }),*]
    };
}
pub(crate) use behaviours;

impl Behaviour {
    /// Runs the behaviour on an adapter. What the adapter is said to lack must really fail, and so.
    pub(crate) fn judge(&self, backend: Backend) -> Result<Verdict, String> {
        let bench = Bench::new(backend);
        let result = (backend.drive)(bench.guarded(self.run));
        let known = backend
            .cannot
            .iter()
            .find(|cannot| cannot.what == self.name);
        let (name, behaviour) = (backend.name, self.name);
        match (result, known) {
            (Ok(()), None) => Ok(Verdict::Can),
            (Err(difference), None) => Err(format!("{name}: {behaviour}: {difference}")),
            (Ok(()), Some(cannot)) => Err(format!(
                "{name}: {behaviour}: it can, although it is said that it cannot: {}",
                cannot.why
            )),
            (Err(difference), Some(cannot)) if difference.0.contains(cannot.shows) => {
                Ok(Verdict::Cannot(cannot.why))
            }
            (Err(difference), Some(cannot)) => Err(format!(
                "{name}: {behaviour}: it should fail with {:?}, not so: {difference}",
                cannot.shows
            )),
        }
    }
}
