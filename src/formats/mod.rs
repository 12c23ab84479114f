//! Files of other tools for distributed validators, as far as this one reads them. Pure.

pub mod obol_lock;
