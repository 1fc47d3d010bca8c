//! The ranks of a run, and what they send to each other.

use std::fmt;
use std::ops::Range;

use geartrain::Scalar;
use geartrain_cli::Failure;
use mpi::Count;
use mpi::collective::SystemOperation;
use mpi::datatype::{Partition, PartitionMut};
use mpi::point_to_point::send_receive_into;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives, Destination, Equivalence, Root, Source};

/// All ranks of an MPI run, seen from one of them. Every rank has to call the same methods in the
/// same order.
pub struct Team {
    world: SimpleCommunicator,
}

impl fmt::Debug for Team {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} of {}", self.rank(), self.size())
    }
}

/// The error of a call, with the rank where it occurred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankError {
    /// The rank, from 0.
    pub rank: usize,
    /// The problem.
    pub message: String,
}

impl fmt::Display for RankError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {}: {}", self.rank, self.message)
    }
}

impl std::error::Error for RankError {}

impl From<RankError> for Failure {
    fn from(error: RankError) -> Self {
        Failure::other(error)
    }
}

impl Team {
    /// The ranks of `world`.
    pub fn new(world: SimpleCommunicator) -> Self {
        Team { world }
    }

    /// The communicator.
    pub fn world(&self) -> &SimpleCommunicator {
        &self.world
    }

    /// This rank, from 0.
    pub fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    /// The number of ranks.
    pub fn size(&self) -> usize {
        self.world.size() as usize
    }

    /// The results of all ranks if all succeeded; otherwise, on every rank, the error of the lowest
    /// rank that failed.
    ///
    /// # Errors
    /// If a rank has an error.
    pub fn agree<T>(&self, result: Result<T, String>) -> Result<T, RankError> {
        let failed = self.any(result.is_err());
        let error = match result {
            Ok(value) if !failed => return Ok(value),
            Ok(_) => String::new(),
            Err(message) => message,
        };
        let messages = self.gather(error.as_bytes());
        let (rank, message) = messages
            .into_iter()
            .enumerate()
            .find(|(_, message)| !message.is_empty())
            .unwrap_or((0, b"an unknown error".to_vec()));
        Err(RankError { rank, message: String::from_utf8_lossy(&message).into_owned() })
    }

    /// The values of every rank, on every rank.
    pub fn gather<T: Equivalence + Clone + Default>(&self, values: &[T]) -> Vec<Vec<T>> {
        let mut counts = vec![0 as Count; self.size()];
        self.world.all_gather_into(&(values.len() as Count), &mut counts[..]);
        let starts = starts(&counts);
        let mut all = vec![T::default(); counts.iter().map(|&count| count as usize).sum()];
        let mut parts = PartitionMut::new(&mut all[..], &counts[..], &starts[..]);
        self.world.all_gather_varcount_into(values, &mut parts);
        split(&all, &counts)
    }

    /// The bytes of rank 0, on every rank.
    pub fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8> {
        let root = self.world.process_at_rank(0);
        let mut len = bytes.len() as u64;
        root.broadcast_into(&mut len);
        let mut bytes = bytes;
        bytes.resize(len as usize, 0);
        // A count is a 32-bit number.
        bytes.chunks_mut(1 << 30).for_each(|chunk| root.broadcast_into(chunk));
        bytes
    }

    /// Adds vectors of which every entry is 0 on all ranks but one, so that the sum is exact in any
    /// order.
    pub fn merge(&self, values: &mut Vec<f64>) {
        let mut sum = vec![0.0; values.len()];
        self.world.all_reduce_into(&values[..], &mut sum[..], SystemOperation::sum());
        *values = sum;
    }

    /// The sum of a hash over the ranks, which wraps around.
    pub fn wrapping_sum(&self, hash: u64) -> u64 {
        self.gather(&[hash]).iter().flatten().fold(0, |sum, &hash| u64::wrapping_add(sum, hash))
    }

    /// Whether any rank says so.
    pub fn any(&self, here: bool) -> bool {
        let mut any = [0_u8];
        self.world.all_reduce_into(&[u8::from(here)], &mut any, SystemOperation::max());
        any[0] > 0
    }

    /// Sends `parts[rank]` to every rank; receives `counts[rank]` numbers from every rank.
    ///
    /// # Errors
    /// On every rank, if a rank would have to send or receive more than 2³¹ − 1 numbers.
    pub fn exchange<T: Equivalence + Clone + Default>(
        &self,
        parts: &[Vec<T>],
        counts: &[usize],
    ) -> Result<Vec<Vec<T>>, RankError> {
        let (send, receive): (usize, usize) = (parts.iter().map(Vec::len).sum(), counts.iter().sum());
        let fits = send.max(receive) <= Count::MAX as usize;
        let message = || format!("has to exchange {} numbers at once; use more ranks", send.max(receive));
        self.agree(if fits { Ok(()) } else { Err(message()) })?;
        let send_counts: Vec<Count> = parts.iter().map(|part| part.len() as Count).collect();
        let counts: Vec<Count> = counts.iter().map(|&count| count as Count).collect();
        let mut all = vec![T::default(); receive];
        let (send_starts, receive_starts) = (starts(&send_counts), starts(&counts));
        let sent = parts.concat();
        let sent = Partition::new(&sent[..], &send_counts[..], &send_starts[..]);
        let mut received = PartitionMut::new(&mut all[..], &counts[..], &receive_starts[..]);
        self.world.all_to_all_varcount_into(&sent, &mut received);
        Ok(split(&all, &counts))
    }

    /// Adds the vectors of the ranks `0..used` in a binary tree over neighbours: rank 0 + rank 1,
    /// rank 2 + rank 3, then the sums of these. Every rank gets the sum, whose bits are those of
    /// the tree on one machine. `scratch` is memory.
    ///
    /// If all ranks take part and their number is a power of two, every rank adds a part of the
    /// vector (recursive halving, then doubling; Rabenseifner 2004), which sends `2 (n − 1) / n`
    /// vectors from each of n ranks. Otherwise rank 0 has the sum, and broadcasts it.
    pub fn sum<F: Scalar + Equivalence>(&self, values: &mut [F], used: usize, scratch: &mut Vec<F>) {
        let (rank, size) = (self.rank(), self.size());
        scratch.resize(values.len(), F::zero());
        if used == size && size.is_power_of_two() {
            return self.sum_by_halves(values, scratch);
        }
        let mut step = 1;
        while step < used && rank < used {
            if rank % (2 * step) == step {
                self.world.process_at_rank((rank - step) as i32).send(&values[..]);
                break;
            }
            if rank + step < used {
                self.world.process_at_rank((rank + step) as i32).receive_into(&mut scratch[..]);
                add(values, scratch);
            }
            step *= 2;
        }
        self.world.process_at_rank(0).broadcast_into(values);
    }

    fn sum_by_halves<F: Scalar + Equivalence>(&self, values: &mut [F], scratch: &mut [F]) {
        let (rank, size) = (self.rank(), self.size());
        // The part of the vector that this rank adds, and those that it gave away.
        let mut mine = 0..values.len();
        let mut given: Vec<Range<usize>> = Vec::new();
        let mut step = 1;
        while step < size {
            let partner = self.world.process_at_rank((rank ^ step) as i32);
            let middle = mine.start + mine.len() / 2;
            let (lower, upper) = (mine.start..middle, middle..mine.end);
            let (keep, give) = if rank & step == 0 { (lower, upper) } else { (upper, lower) };
            let received = &mut scratch[..keep.len()];
            send_receive_into(&values[give.clone()], &partner, received, &partner);
            // a + b has the same bits as b + a
            add(&mut values[keep.clone()], received);
            (mine, step) = (keep, 2 * step);
            given.push(give);
        }
        while let Some(give) = given.pop() {
            step /= 2;
            let partner = self.world.process_at_rank((rank ^ step) as i32);
            let middle = mine.start.max(give.start);
            let (low, high) = values.split_at_mut(middle);
            let (whole_start, whole_end) = (mine.start.min(give.start), mine.end.max(give.end));
            let (low, high) = (&mut low[whole_start..], &mut high[..whole_end - middle]);
            let (own, other) = if mine.start < give.start { (low, high) } else { (high, low) };
            send_receive_into(&*own, &partner, other, &partner);
            mine = whole_start..whole_end;
        }
    }
}

fn add<F: Scalar>(into: &mut [F], from: &[F]) {
    into.iter_mut().zip(from).for_each(|(into, &from)| *into += from);
}

fn starts(counts: &[Count]) -> Vec<Count> {
    let sum = |start: &mut Count, &count: &Count| {
        *start += count;
        Some(*start - count)
    };
    counts.iter().scan(0, sum).collect()
}

fn split<T: Clone>(all: &[T], counts: &[Count]) -> Vec<Vec<T>> {
    let mut rest = all;
    let mut parts = Vec::with_capacity(counts.len());
    for &count in counts {
        let (part, after) = rest.split_at(count as usize);
        parts.push(part.to_vec());
        rest = after;
    }
    parts
}
