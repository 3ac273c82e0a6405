//! Two peers in one process, over loopback.

mod bulk;
mod codecs;
pub(in crate::rtc) mod coturn;
mod descriptions;
mod pair;
mod restart;
mod streams;
mod support;
