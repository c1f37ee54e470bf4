//! The search for secrets from outside: cases that show up a toy, sets that are made
//! from shapes, and input that wants to slow it down.

mod anchors;
mod cases;
mod generator;
mod hostile;
mod lines;
mod synthetic;
