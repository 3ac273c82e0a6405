//! The real server on port 0 with real sockets: what each kind of input is answered, and that nobody else
//! is disturbed by it.

mod bad_input;
mod calls;
mod harness;
mod robust;
mod tls;
