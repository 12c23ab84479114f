//! Everything about BLS12-381 and Ed25519: the only `blst` and the only `unsafe` of the crate.
//!
//! Keys lie in G1 and signatures in G2 ("min-pk", as on the beacon chain). The neutral element is
//! called *infinity*. A [`point::G1`] or [`point::G2`] is a finite point of the prime-order subgroup:
//! no value of these types can be anything else, whatever bytes it came from.
//!
//! Variable-time code (multi-scalar multiplication, small multiples, batch checks) takes public
//! values only; whatever takes a secret [`scalar::Scalar`] is constant-time.

mod affine;
pub mod bls;
pub mod encrypt;
pub mod feldman;
mod field;
mod fixed;
pub mod identity;
pub mod lagrange;
pub mod point;
pub mod polynomial;
pub mod proof;
pub mod scalar;
pub mod sharing;
mod small_sums;
mod subgroup;
pub mod xof;
