//! Characters that do not show what they do.

/// Whether a character is invisible or turns the reading direction around: directional overrides and
/// isolates, zero-width characters, line separators.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_are_invisible_and_letters_are_not() {
        assert!("\u{202e}\u{200b}\u{2028}\u{2067}\u{feff}".chars().all(is_invisible));
        assert!(!"aä\u{645}\u{1f600} ".chars().any(is_invisible));
    }
}
