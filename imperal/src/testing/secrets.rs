//! Secrets of a test: entered before a call, looked at after it.

use super::{TestPlatform, TestUser};
use crate::ledger::Owner;
use crate::secrets::Secret;

impl TestPlatform {
    /// Enters a value for a secret of the app, which all users share.
    ///
    /// ```
    /// # use imperal::{Secret, testing::TestPlatform};
    /// const SHARED_KEY: Secret = Secret::new("shared_key", "One key for all users.").of_app();
    ///
    /// # async fn example(platform: TestPlatform) {
    /// platform.secret(&SHARED_KEY, "k-0123456789").await;
    /// # }
    /// ```
    ///
    /// # Panics
    /// When no extension of this test declares the secret, the value is too long, or it is not a secret of the app.
    pub async fn secret(&self, secret: &Secret, value: &str) {
        let nobody = Owner::new("", "");
        let entered = self.platform().enter_secret(secret, &nobody, Some(value)).await;
        entered.unwrap_or_else(|why| panic!("{why}"));
    }
}

impl TestUser {
    /// Enters the user's value for a secret, as the page does; also for one that only the extension writes.
    ///
    /// ```
    /// # use imperal::{Secret, testing::TestPlatform};
    /// const API_KEY: Secret = Secret::new("api_key", "Key of the service.");
    ///
    /// # async fn example(platform: TestPlatform) {
    /// let anna = platform.user("anna");
    /// anna.secret(&API_KEY, "k-0123456789").await;
    /// // .. a call ..
    /// anna.remove_secret(&API_KEY).await;
    /// assert_eq!(anna.stored_secret(&API_KEY).await, None);
    /// # }
    /// ```
    ///
    /// # Panics
    /// When no extension of this test declares the secret, the value is too long, or it is a secret of the app.
    pub async fn secret(&self, secret: &Secret, value: &str) {
        let entered = self.platform().enter_secret(secret, self.owner(), Some(value)).await;
        entered.unwrap_or_else(|why| panic!("{why}"));
    }

    /// Removes the user's value of a secret, if there is one.
    ///
    /// # Panics
    /// As [`secret`](Self::secret).
    pub async fn remove_secret(&self, secret: &Secret) {
        let removed = self.platform().enter_secret(secret, self.owner(), None).await;
        removed.unwrap_or_else(|why| panic!("{why}"));
    }

    /// The user's value of a secret, such as one that a function has stored.
    ///
    /// # Panics
    /// As [`secret`](Self::secret).
    pub async fn stored_secret(&self, secret: &Secret) -> Option<String> {
        let found = self.platform().stored_secret(secret, self.owner()).await;
        found.unwrap_or_else(|why| panic!("{why}"))
    }
}
