//! Whole ceremonies over homes and sticks, with cheats that an input chooses.

use crate::harness::faultplan::FaultPlan;
use crate::harness::signplan::SignFaultPlan;

/// Plays a fault plan; it says itself what has to hold.
pub(crate) fn play(bytes: &[u8]) {
    FaultPlan::from_bytes(bytes).play();
}

/// The same of a signing ceremony.
pub(crate) fn sign(bytes: &[u8]) {
    SignFaultPlan::from_bytes(bytes).play();
}
