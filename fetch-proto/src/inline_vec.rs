//! A list optimised for at most one element.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// A list that stores its first element inline. Further elements go to an allocation behind a
/// single pointer, because every live fetch holds one or more of these lists.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct InlineVec<T> {
    first: Option<T>,
    /// Empty if there is no first element.
    #[allow(
        clippy::box_collection,
        reason = "a third of the size, and rarely used"
    )]
    rest: Option<Box<Vec<T>>>,
}

impl<T> Default for InlineVec<T> {
    fn default() -> Self {
        Self {
            first: None,
            rest: None,
        }
    }
}

impl<T> InlineVec<T> {
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
            .chain(self.rest.as_deref().map_or(&[][..], Vec::as_slice))
    }

    /// The first element that satisfies `is_match`.
    pub(crate) fn find_mut(&mut self, is_match: impl Fn(&T) -> bool) -> Option<&mut T> {
        // The inline element nearly always matches.
        if self.first.as_ref().is_some_and(&is_match) {
            return self.first.as_mut();
        }
        let rest = self.rest.as_mut()?;
        rest.iter_mut().find(|element| is_match(element))
    }

    /// Removes the first element that satisfies `is_match`.
    pub(crate) fn remove_first(&mut self, is_match: impl Fn(&T) -> bool) -> Option<T> {
        if self.first.as_ref().is_some_and(&is_match) {
            return self.pop_front();
        }
        let rest = self.rest.as_mut()?;
        let place = rest.iter().position(is_match)?;
        Some(rest.remove(place))
    }

    /// Removes the first element.
    pub(crate) fn pop_front(&mut self) -> Option<T> {
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
            let (mut few, mut model) = (InlineVec::default(), Vec::new());
            for (step, value) in steps {
                match step {
                    0 => {
                        few.push(value);
                        model.push(value);
                    }
                    1 => {
                        let expected = (!model.is_empty()).then(|| model.remove(0));
                        prop_assert_eq!(few.pop_front(), expected);
                    }
                    _ => {
                        let place = model.iter().position(|one| *one == value);
                        let expected = place.map(|place| model.remove(place));
                        prop_assert_eq!(few.remove_first(|one| *one == value), expected);
                    }
                }
                prop_assert_eq!(few.iter().copied().collect::<Vec<_>>(), model.clone());
                prop_assert_eq!(few.is_empty(), model.is_empty());
                prop_assert_eq!(few.first().copied(), model.first().copied());
            }
        }
    }
}
