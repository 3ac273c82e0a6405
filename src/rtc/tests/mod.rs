//! Two peers in one process, over loopback.

mod bulk;
mod descriptions;
mod pair;
mod restart;
mod support;
