//! Tables, data sets, and the scores of classifiers.

mod as_written;
mod classification;
mod confusion;
mod csv;
mod dataset;
