//! The curve of [`Jitter::Smooth`](super::Jitter::Smooth), in integer arithmetic.
//!
//! `f(t) = 2^t × tanh(√(4t))`, and the wait before retry `n` is
//! `(f(n + u) − f(n − 1 + v)) × base / 1.4`, where `u` and `v` are the draws of this retry and of
//! the previous one. The formula is by George Polevoy, published in Polly (App-vNext/Polly,
//! `src/Polly.Core/Retry/RetryHelper.cs`).
//!
//! Fixed-point arithmetic gives the same wait on every machine. The error is less than
//! `base × 2^(n − 56)`; the wait is rounded down to the nanosecond.

/// 1.0 with 62 bits after the binary point.
const ONE: u64 = 1 << 62;
/// `ln 2`, with 64 bits after the binary point.
const LN_2: u64 = 0xb172_17f7_d1cf_79ab;
/// `log2 e`, with 63 bits after the binary point.
const LOG2_E: u64 = 0xb8aa_3b29_5c17_f0bc;

/// The wait before retry `n` in nanoseconds, for `base` nanoseconds. `draw` and `earlier` are the
/// random words of this retry and of the one before, as fractions of 2^64; the first retry ignores
/// `earlier`. From retry 64 on, the curve exceeds `u64` and the wait saturates.
pub(super) fn wait(base: u64, n: u32, draw: u64, earlier: u64) -> u64 {
    if base == 0 {
        return 0;
    }
    if n >= 64 {
        return u64::MAX;
    }
    let before = n.checked_sub(1).map_or(0, |n| curve(n, earlier));
    // Divided by 1.4, so that the medians are near `base × 2^n`.
    let rise = curve(n, draw).saturating_sub(before) / 7 * 5;
    let (whole, part) = (rise >> 62, rise % u128::from(ONE));
    let base = u128::from(base);
    let wait = (whole * base).saturating_add((part * base) >> 62);
    u64::try_from(wait).unwrap_or(u64::MAX)
}

/// `f(n + part / 2^64)` with 62 bits after the binary point, for `n` below 64.
fn curve(n: u32, part: u64) -> u128 {
    let t = u128::from(n) << 64 | u128::from(part);
    // √t with 61 bits after the binary point is 4√t with 59.
    let y = (t << 58).isqrt();
    // e^(−y) = 2^(−z) = 2^r / 2^k, with z = y × log2 e = k − r.
    let z = (y * u128::from(LOG2_E)) >> 63;
    let k = z.div_ceil(1 << 59);
    let r = (((k << 59) - z) << 5) as u64;
    let decay = u128::from(exp2(r) >> k);
    // tanh(y / 2) = (1 − e^(−y)) / (1 + e^(−y)).
    let one = u128::from(ONE);
    let tanh = ((one - decay) << 62) / (one + decay);
    ((u128::from(exp2(part)) * tanh) >> 62) << n
}

/// `2^(part / 2^64)` with 62 bits after the binary point, by the series of `e^x` at `x = part × ln
/// 2`. The first omitted term is below 2^-76.
fn exp2(part: u64) -> u64 {
    let x = mul_high(part, LN_2);
    (1..=20)
        .rev()
        .fold(ONE, |sum, k| ONE + mul_high(sum, x) / k)
}

/// The product of a number and a fraction of 2^64.
fn mul_high(number: u64, fraction: u64) -> u64 {
    ((u128::from(number) * u128::from(fraction)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// The formula in floating point.
    fn float(base: u64, n: u32, draw: u64, earlier: u64) -> f64 {
        let curve = |n: u32, part: u64| {
            let t = f64::from(n) + part as f64 / 2f64.powi(64);
            t.exp2() * (4.0 * t).sqrt().tanh()
        };
        let before = n.checked_sub(1).map_or(0.0, |n| curve(n, earlier));
        (curve(n, draw) - before) * base as f64 / 1.4
    }

    #[test]
    fn integer_waits_match_the_formula_in_floating_point() {
        let words = [
            0,
            1,
            1 << 20,
            1 << 62,
            1 << 63,
            0xdead_beef_dead_beef,
            u64::MAX,
        ];
        for n in 0..30 {
            for draw in words {
                for earlier in words {
                    let exact = float(SECOND, n, draw, earlier);
                    let ours = wait(SECOND, n, draw, earlier) as f64;
                    let bound = 1.0 + SECOND as f64 * f64::from(n).exp2() / 2f64.powi(49);
                    let off = (exact - ours).abs();
                    assert!(off < bound, "{n} {draw:x} {earlier:x}: {exact} {ours}");
                }
            }
        }
    }

    #[test]
    fn the_curve_has_the_expected_ends() {
        assert_eq!(curve(0, 0), 0);
        assert_eq!(exp2(0), ONE);
        assert_eq!(wait(0, 5, 7, 7), 0);
        assert_eq!(wait(1, 64, 0, u64::MAX), u64::MAX);
        assert_eq!(wait(u64::MAX, 63, u64::MAX, 0), u64::MAX);
    }

    #[test]
    fn a_wait_is_less_than_four_times_the_exponential_one() {
        // The bound that Polly's RetryHelperTests set.
        for n in 0..32 {
            let waits = (0..200).map(|i| wait(SECOND, n, i << 56 | i, !(i << 56)));
            assert!(waits.max().unwrap() < (SECOND << n) * 4, "{n}");
        }
    }
}
