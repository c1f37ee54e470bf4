//! Real-looking scripts against their trees, contexts and values.

mod flow;
mod hostile;
mod invocation;
mod outline;
mod resolve;
mod tree;
