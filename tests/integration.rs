//! The one integration binary: what letsmeet does as a whole, seen from outside.
//!
//! `harness` starts processes and networks; each other module is one property of the product.
//! Modules under `netns` need root and network namespaces (scripts/setup --tests installs the tools).

#[path = "integration/layers/mod.rs"]
mod layers;
