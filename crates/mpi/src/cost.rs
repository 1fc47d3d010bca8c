//! A model of the time of a training step: the messages of every rank, simulated.

use crate::shard::Share;

/// The time of a step on one rank, and that of its messages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Parameters.
    pub params: usize,
    /// Bytes of a parameter.
    pub size: usize,
    /// Slices of a batch.
    pub slices: usize,
    /// Seconds for the forward and backward pass of one slice.
    pub slice: f64,
    /// Seconds for everything that every rank repeats: the optimizer's step.
    pub step: f64,
    /// Seconds to add two gradients.
    pub add: f64,
    /// Seconds of a message without its bytes.
    pub latency: f64,
    /// Bytes per second of a link.
    pub bandwidth: f64,
}

impl Cost {
    fn message(&self, bytes: f64) -> f64 {
        self.latency + bytes / self.bandwidth
    }

    /// The bytes that each rank sends per step for the gradient and the losses of the slices; the
    /// most of all ranks.
    pub fn bytes(&self, ranks: usize) -> f64 {
        if ranks == 1 {
            return 0.0;
        }
        let (vector, n) = ((self.params * self.size) as f64, ranks as f64);
        let losses = 8.0 * self.slices as f64 * n.log2().ceil();
        let share = Share::new(self.slices, ranks);
        let whole = share.used == ranks && ranks.is_power_of_two();
        // Otherwise rank 0 sends the sum to up to log₂ n ranks.
        losses + if whole { 2.0 * (n - 1.0) / n * vector } else { n.log2().ceil() * vector }
    }

    /// The time of a step on `ranks` ranks: each has a clock; a message sets that of the receiver.
    ///
    /// ```
    /// use geartrain_mpi::cost::Cost;
    /// let cost = Cost {
    ///     params: 1_000_000,
    ///     size: 4,
    ///     slices: 64,
    ///     slice: 1e-3,
    ///     step: 1e-3,
    ///     add: 1e-5,
    ///     latency: 1e-5,
    ///     bandwidth: 1e9,
    /// };
    /// assert!((cost.simulate(1) - 0.065).abs() < 0.01);
    /// assert!(cost.simulate(8) < cost.simulate(1) / 2.0);
    /// // more ranks than slices gain nothing
    /// assert!(cost.simulate(1024) > cost.simulate(64));
    /// ```
    pub fn simulate(&self, ranks: usize) -> f64 {
        let share = Share::new(self.slices, ranks);
        let vector = (self.params * self.size) as f64;
        let mut clocks: Vec<f64> = (0..ranks)
            .map(|rank| {
                let own = share.of(rank, self.slices).len();
                own as f64 * self.slice + own.saturating_sub(1) as f64 * self.add
            })
            .collect();
        let pairs = |clocks: &mut [f64], seconds: f64, distance: usize| {
            let before = clocks.to_vec();
            for (rank, clock) in clocks.iter_mut().enumerate() {
                if let Some(partner) = before.get(rank ^ distance) {
                    *clock = before[rank].max(*partner) + seconds;
                }
            }
        };
        let distances =
            || std::iter::successors(Some(1), |step| Some(2 * step)).take_while(|&step| step < ranks);
        // The losses of the slices.
        distances().for_each(|distance| pairs(&mut clocks, self.message(8.0 * self.slices as f64), distance));
        if share.used == ranks && ranks.is_power_of_two() {
            for distance in distances() {
                let part = 0.5 / distance as f64;
                pairs(&mut clocks, self.message(part * vector) + part * self.add, distance);
            }
            for distance in distances().collect::<Vec<_>>().into_iter().rev() {
                pairs(&mut clocks, self.message(0.5 / distance as f64 * vector), distance);
            }
        } else {
            for distance in distances().filter(|&distance| distance < share.used) {
                for into in (0..share.used - distance).step_by(2 * distance) {
                    let sent = clocks[into + distance] + self.message(vector);
                    clocks[into] = clocks[into].max(sent) + self.add;
                }
            }
            // The broadcast of the sum, along the same tree.
            for distance in distances().collect::<Vec<_>>().into_iter().rev() {
                for from in (0..ranks - distance).step_by(2 * distance) {
                    clocks[from] += self.message(vector);
                    clocks[from + distance] = clocks[from + distance].max(clocks[from]);
                }
            }
        }
        clocks.into_iter().fold(0.0, f64::max) + self.step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST: Cost = Cost {
        params: 10_000,
        size: 4,
        slices: 64,
        slice: 1e-3,
        step: 2e-4,
        add: 0.0,
        latency: 1e-5,
        bandwidth: 1e8,
    };

    #[test]
    fn the_simulation_is_the_formula_for_even_shares() {
        for n in [1_u32, 2, 4, 8, 64] {
            let (ranks, log) = (f64::from(n), f64::from(n.ilog2()));
            let losses = log * 64.0 * 8.0 / 1e8;
            let formula = 0.064 / ranks + 2e-4 + 3.0 * log * 1e-5 + 2.0 * (ranks - 1.0) / ranks * 4e4 / 1e8;
            let simulated = COST.simulate(n as usize);
            assert!((simulated - formula - losses).abs() < 1e-9, "{n}: {simulated}, {formula}");
        }
    }

    #[test]
    fn uneven_shares_cost_the_time_of_the_largest() {
        // 3 ranks: 64 slices are 32 + 32 + 0
        let [two, three] = [2, 3].map(|ranks| COST.simulate(ranks));
        assert!(three > two && three < two + 0.003, "{two}, {three}");
        assert!(COST.simulate(1024) > 0.001);
    }
}
