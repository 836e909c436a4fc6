//! A method.

use imperal::prelude::*;

struct Tidy {}

impl Tidy {
    #[schedule(cron = "0 3 * * *")]
    async fn run(self, _ctx: Context) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = Tidy::run;
}
