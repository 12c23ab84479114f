//! QR: cards, plans and messages cross an air gap by screen and camera.
//!
//! A document is its canonical JSON, compressed ([`payload`]), cut into the frames of a uniform
//! resource (BC-UR, BCR-2020-005) with fountain parts (BCR-2024-001) that repeat without end
//! ([`frames`]), each drawn as one QR code ([`symbol`]). On the other side codes are found in
//! pictures ([`sight`]), frames of several documents are put together in any order ([`collect`]), and
//! a document counts when its own signature or hash says so ([`document`]).
//!
//! A person with a camera is no mailbox that can be asked for what it has. So this is no
//! [`super::Courier`]: what was scanned goes into a folder, and the folder is the courier.

pub mod collect;
pub mod document;
pub mod frames;
pub mod page;
pub mod payload;
pub mod sight;
pub mod symbol;
