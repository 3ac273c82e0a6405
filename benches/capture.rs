//! conv
fn main() {}
