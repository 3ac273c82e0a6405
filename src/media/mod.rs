//! Media: frames, codecs, RTP and the pipeline (temporary seam).
pub mod pipeline;
pub mod rtp;
