//! How often a fetch was sent again for authentication.

/// Requests of one fetch to one URL that answer a challenge: the first one, one after its nonce has
/// become stale, and one for another realm.
const MAX_CHALLENGE_ANSWERS: u8 = 3;

/// Set if a server refused the token.
const TOKEN_REFUSED: u8 = 0x80;

/// How often a fetch was sent again because a server asked for a login at the current target, and whether
/// it was because a server refused its token. One byte, because each fetch has one.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct AuthRetries(u8);

impl AuthRetries {
    pub(super) fn can_answer_challenge(self) -> bool {
        self.0 & !TOKEN_REFUSED < MAX_CHALLENGE_ANSWERS
    }

    /// How often it was sent again for authentication: at the current target, and for a refused token.
    pub(super) fn count(self) -> u16 {
        u16::from(self.0 & !TOKEN_REFUSED) + u16::from(self.was_token_refused())
    }

    pub(super) fn was_token_refused(self) -> bool {
        self.0 & TOKEN_REFUSED != 0
    }

    /// An answer to a challenge is sent.
    pub(super) fn count_challenge(&mut self) {
        self.0 += 1;
    }

    /// The target changes.
    pub(super) fn forget_challenges(&mut self) {
        self.0 &= TOKEN_REFUSED;
    }

    /// Another token is sent, whose challenges are answered again.
    pub(super) fn note_refused_token(&mut self) {
        self.0 = TOKEN_REFUSED;
    }
}
