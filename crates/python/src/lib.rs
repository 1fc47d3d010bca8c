//! The native part of the Python package `geartrain`.
//!
//! | file | contents |
//! |---|---|
//! | `border` | errors, files, panics, signals and number types between the two languages |
//! | `network` | `Network`: predictions, gradients, model files |
//! | `objective` | losses with scikit-learn's conventions |
//! | `optimizer` | `Optimizer`: update rules with a state that can be pickled |
//! | `trainer` | `Trainer`: an epoch of mini-batches, or L-BFGS |
//! | `instruments` | gradient checks, and the instruments of the laboratory |
//! | `graph` | `Graph`: the scalar computational graph |
//! | `tables` | `TableModel`: models for tables |

mod border;
mod graph;
mod instruments;
mod network;
mod objective;
mod optimizer;
mod tables;
mod trainer;

use pyo3::prelude::*;

/// The native module; `geartrain/__init__.py` is the public one.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::border::write;
    #[pymodule_export]
    use super::graph::Graph;
    #[pymodule_export]
    use super::instruments::{gradcheck, measure, predict, report};
    #[pymodule_export]
    use super::network::Network;
    #[pymodule_export]
    use super::optimizer::Optimizer;
    #[pymodule_export]
    use super::tables::TableModel;
    #[pymodule_export]
    use super::trainer::Trainer;
}
