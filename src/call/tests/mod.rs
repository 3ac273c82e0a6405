//! Tests of call control: no clock, no task, no socket.
