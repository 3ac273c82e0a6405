//! Calls over networks that lose, block and cut: hosts in network namespaces. Needs root.

mod chromium;
mod doctor;
mod files;
mod ipv6;
mod life;
mod lossy;
mod no_path;
mod reach;
mod voice;
