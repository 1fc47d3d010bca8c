//! Training and sweeps on many machines, with MPI.
//!
//! ```sh
//! mpirun -n 4 geartrain-mpi train data.csv --target y --batch-size 4096 --save model.safetensors
//! mpirun -n 4 --enable-recovery geartrain-mpi sweep gradients --out sweep.csv --svg phases.svg
//! ```
//!
//! # Training
//!
//! Every rank holds a part of the rows and the whole network. A batch is cut into slices
//! ([`Network::slices`](geartrain::Network::slices)), which depend on the network and the batch
//! alone; a rank computes the gradients of consecutive slices, and the slices' gradients are added
//! in one tree, whatever the number of ranks. **The weights have the bits of one process.** Every
//! rank then takes the same step. Clipping, schedules, early stopping and the history are therefore
//! those of one process. Rank 0 writes checkpoints, which any number of ranks resumes.
//!
//! - Ranks should be a power of two; of another number, some may have no slices.
//! - A network with `BatchNorm` or `Dropout` has one slice per batch, which every rank computes:
//!   the statistics are those of the whole batch, and more ranks save memory but no time.
//! - Validation and test rows are on every rank. Metrics on training rows are not available.
//! - If a rank dies, `mpirun` reports it and ends the others within seconds.
//!
//! # When it pays
//!
//! With P parameters of s bytes, n ranks, a latency of α seconds per message and β bytes per
//! second, a step takes
//!
//! ```text
//! t(n) = t_rows / n + t_step + 3 log₂(n) α + 2 (n − 1)/n · P s / β
//! ```
//!
//! where t_rows is the time for forward and backward pass of the batch, and t_step that of
//! everything each rank repeats, such as the optimizer. The gradient is added by recursive halving
//! and doubling, 2 log₂ n messages; the losses of the slices take log₂ n more. Rows travel once per
//! epoch: `(n − 1)/n` of the bytes of all rows, divided by n ranks. t_rows is about 6 P B
//! operations for B rows. So n ranks pay if
//!
//! ```text
//! t_rows (1 − 1/n)  >  3 log₂(n) α + 2 (n − 1)/n · P s / β
//! ```
//!
//! For large P both sides are proportional to P, and what counts is the batch: at F operations per
//! second, n ranks pay from `B > s F / (3 β)` rows on. At 20 GFLOP/s and 10 Gbit/s (β = 1.25 GB/s),
//! these are 22 rows; at 1 Gbit/s, 214. For small P, latency counts: with 10,000 parameters and 512
//! rows, t_rows is 1.5 ms, and 8 ranks need a latency below 140 µs.
//!
//! [`cost`] simulates the messages of each rank, also for uneven slices; `geartrain-mpi bench` puts
//! it beside the measurement and extends it to 1024 ranks.
//!
//! # Sweeps
//!
//! See [`dispatch`].

pub mod bench;
pub mod cost;
pub mod dispatch;
mod files;
mod shard;
mod team;
pub mod train;

pub use files::{read_csv, read_npy};
pub use shard::Shard;
pub use team::{RankError, Team};
