//! fake_wire
