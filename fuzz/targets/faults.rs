//! Whole ceremonies over homes and sticks, with cheats that an input chooses.

use crate::harness::faultplan::FaultPlan;

/// Plays a fault plan; it says itself what has to hold.
pub(crate) fn play(bytes: &[u8]) {
    FaultPlan::from_bytes(bytes).play();
}
