//! Playback gain: ReplayGain in most containers, R128 gain in Ogg Opus.
//!
//! An Opus file must not carry ReplayGain's names (RFC 7845 section 5.2.1); its own are whole
//! numbers of 1/256 dB towards -23 LUFS, where ReplayGain 2.0 aims at -18 LUFS.

use lofty::tag::ItemKey;

use super::{Item, Key, Metadata};

/// How much louder ReplayGain's reference is, in dB.
const REFERENCE_DB: f64 = 5.0;

const PAIRS: [(ItemKey, ItemKey); 2] = [
    (ItemKey::ReplayGainTrackGain, ItemKey::R128TrackGain),
    (ItemKey::ReplayGainAlbumGain, ItemKey::R128AlbumGain),
];
const PEAKS: [ItemKey; 2] = [ItemKey::ReplayGainTrackPeak, ItemKey::ReplayGainAlbumPeak];

impl Metadata {
    /// The same in Ogg Opus' words; what cannot be read as a gain is left out.
    pub fn gain_for_opus(&mut self) {
        for (replay_gain, r128) in PAIRS {
            let gain = self.first(&Key::Known(replay_gain)).and_then(decibels);
            let has_own = self.first(&Key::Known(r128)).is_some();
            if let (Some(gain), false) = (gain, has_own) {
                let steps = ((gain - REFERENCE_DB) * 256.0).round().clamp(-32768.0, 32767.0);
                self.items.push(Item { key: Key::Known(r128), value: format!("{steps:.0}") });
            }
            self.items.retain(|item| item.key != Key::Known(replay_gain));
        }
        self.items.retain(|item| !PEAKS.iter().any(|peak| item.key == Key::Known(*peak)));
    }

    /// The same in ReplayGain's words.
    pub fn gain_for_others(&mut self) {
        for (replay_gain, r128) in PAIRS {
            let steps =
                self.first(&Key::Known(r128)).and_then(|text| text.trim().parse::<i16>().ok());
            let has_own = self.first(&Key::Known(replay_gain)).is_some();
            if let (Some(steps), false) = (steps, has_own) {
                let gain = f64::from(steps) / 256.0 + REFERENCE_DB;
                let value = format!("{gain:.2} dB");
                self.items.push(Item { key: Key::Known(replay_gain), value });
            }
            self.items.retain(|item| item.key != Key::Known(r128));
        }
    }
}

/// Reads "-6.50 dB".
fn decibels(text: &str) -> Option<f64> {
    let number = text.trim().trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim();
    number.parse().ok().filter(|gain: &f64| gain.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(key: ItemKey, value: &str) -> Metadata {
        Metadata {
            items: vec![
                Item { key: Key::Known(key), value: value.into() },
                Item { key: Key::Known(ItemKey::ReplayGainTrackPeak), value: "0.98".into() },
            ],
            ..Metadata::default()
        }
    }

    #[test]
    fn gain_is_said_in_each_containers_words() {
        let mut metadata = with(ItemKey::ReplayGainTrackGain, "-6.50 dB");
        metadata.gain_for_opus();
        assert_eq!(metadata.first(&Key::Known(ItemKey::R128TrackGain)), Some("-2944"));
        assert_eq!(metadata.items.len(), 1, "no name of ReplayGain is left");
        metadata.gain_for_others();
        assert_eq!(metadata.first(&Key::Known(ItemKey::ReplayGainTrackGain)), Some("-6.50 dB"));
        let mut unreadable = with(ItemKey::ReplayGainTrackGain, "loud");
        unreadable.gain_for_opus();
        assert_eq!(unreadable.items, []);
    }
}
