//! Descriptions that no call can be made of.
