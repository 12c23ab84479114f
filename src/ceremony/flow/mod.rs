//! The flows: what the messages of each kind of ceremony lead to.

pub mod keygen;
pub mod sign;
