//! The laboratory against exact identities, independent numbers and measurements.

mod activations;
mod curvature;
mod diagnose;
mod funnel;
mod grid;
mod jacobian;
mod measure;
mod narrow;
mod report;
mod theory;
mod watch;
mod width;
