//! Profiles and targets as text: what is read, what is refused and in which words, and that nothing is lost.

mod errors;
mod round_trip;
mod targets;
mod toy;
mod values;
