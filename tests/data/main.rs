//! Tables, data sets, and the scores of classifiers.

mod confusion;
mod csv;
mod dataset;
