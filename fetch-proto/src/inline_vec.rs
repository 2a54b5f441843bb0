//! A list that nearly always holds one element or none.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// Elements in the order in which they came. The first needs no allocation, and the place for others
/// is one pointer wide: there is one of these lists, or more, for each live fetch.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct Few<T> {
    first: Option<T>,
    /// Empty if there is no first.
    #[allow(
        clippy::box_collection,
        reason = "a third of the size, and rarely used"
    )]
    rest: Option<Box<Vec<T>>>,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self {
            first: None,
            rest: None,
        }
    }
}

impl<T> Few<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn first(&self) -> Option<&T> {
        self.first.as_ref()
    }

    pub(crate) fn push(&mut self, element: T) {
        if self.first.is_none() {
            self.first = Some(element);
        } else {
            self.rest.get_or_insert_default().push(element);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first
            .iter()
            .chain(self.rest.iter().flat_map(|rest| rest.iter()))
    }

    pub(crate) fn find_mut(&mut self, which: impl Fn(&T) -> bool) -> Option<&mut T> {
        let rest = self.rest.iter_mut().flat_map(|rest| rest.iter_mut());
        self.first
            .iter_mut()
            .chain(rest)
            .find(|element| which(element))
    }

    /// Takes the first element for which `which` holds.
    pub(crate) fn take(&mut self, which: impl Fn(&T) -> bool) -> Option<T> {
        if self.first.as_ref().is_some_and(&which) {
            return self.pop();
        }
        let rest = self.rest.as_mut()?;
        let place = rest.iter().position(which)?;
        Some(rest.remove(place))
    }

    /// Takes the first element.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let next = match &mut self.rest {
            Some(rest) if !rest.is_empty() => Some(rest.remove(0)),
            _ => None,
        };
        core::mem::replace(&mut self.first, next)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_like_a_vec(steps in prop::collection::vec((0..3u8, 0..5u8), 0..40)) {
            let (mut few, mut model) = (Few::default(), Vec::new());
            for (step, value) in steps {
                match step {
                    0 => {
                        few.push(value);
                        model.push(value);
                    }
                    1 => {
                        let expected = (!model.is_empty()).then(|| model.remove(0));
                        prop_assert_eq!(few.pop(), expected);
                    }
                    _ => {
                        let place = model.iter().position(|one| *one == value);
                        let expected = place.map(|place| model.remove(place));
                        prop_assert_eq!(few.take(|one| *one == value), expected);
                    }
                }
                prop_assert_eq!(few.iter().copied().collect::<Vec<_>>(), model.clone());
                prop_assert_eq!(few.is_empty(), model.is_empty());
                prop_assert_eq!(few.first().copied(), model.first().copied());
            }
        }
    }
}
