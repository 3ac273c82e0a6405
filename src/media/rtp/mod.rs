//! RTP packets (temporary seam).
pub mod packet;
