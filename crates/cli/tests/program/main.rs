//! The program as its users run it: commands, in any folder.

mod bench_and_graph;
mod classification;
mod models;
mod options;
mod regression;
mod support;
mod sweeps;
mod tables;
mod writing;
