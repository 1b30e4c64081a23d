//! Whole numbers.

/// The largest number that divides both; the other one where one is 0.
#[must_use]
pub const fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The smallest number that both divide, as far as it fits; 0 where one is 0.
#[must_use]
pub const fn least_common_multiple(a: u64, b: u64) -> u64 {
    match greatest_common_divisor(a, b) {
        0 => 0,
        common => (a / common).saturating_mul(b),
    }
}
