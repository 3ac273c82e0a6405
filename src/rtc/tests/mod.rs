//! Two peers in one process, over loopback.

mod descriptions;
mod pair;
mod restart;
mod support;
