//! `docs/faults.md`: what a caller is told of each fault between mfagate and Cognito, from calls that meet it.

use super::notice;
use crate::hostile::fault_table;

pub(super) async fn render() -> String {
    let mut page = notice("the calls of tests/integration/hostile/fault_table.rs");
    page.push_str(
        "# Faults before Cognito\n\n\
         What a caller is told when something is wrong between mfagate and Cognito, at the latest at its deadline. Every operation meets\n\
         every fault in a test, on a fresh or a reused connection, which makes no difference. Reads, and changes that may be repeated,\n\
         have met it up to three times by then; `AssociateSoftwareToken`, `VerifySoftwareToken` and `CompleteWebAuthnRegistration` are\n\
         sent once. `outcome` is UNKNOWN where a change may have been made and could not be read back. [Errors](errors.md) says what to\n\
         do about a reason.\n\n\
         | fault | read | change that may be repeated | change that must not be repeated |\n|---|---|---|---|\n",
    );
    page.push_str(&fault_table::rows_as_met().await);
    page
}
