//! The theory of wide random networks. No file here measures anything.

pub(crate) mod batch_norm;
pub(crate) mod edge_of_chaos;
pub(crate) mod flow;
pub mod formulas;
pub(crate) mod mean_field;
pub(crate) mod moments;
pub(crate) mod overlap;
pub(crate) mod predict;
pub(crate) mod quadrature;
pub(crate) mod weights;
