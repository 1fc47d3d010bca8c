//! Threads that wait for work and share it with whoever brings it.
//!
//! A job is a number of parts. The caller takes one after the other from the front and the workers from the back until
//! none is left, so a worker that another process keeps from running holds up nobody: the caller does its part. In one
//! product after the other, two threads thus have the same rows or columns, and find them in their caches. Which thread
//! computes a part must not change the result. A worker without work looks for some a few microseconds long, then lets
//! other threads pass, then sleeps.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock, TryLockError};
use std::thread::{self, Thread};

/// How often a worker looks for work before it lets others pass, and before it sleeps.
const SPINS: u32 = 2_000;
const YIELDS: u32 = 200;

thread_local! {
    /// How many threads this one may share its work with, itself included; 0 stands for all cores.
    static THREADS: Cell<usize> = const { Cell::new(0) };
}

/// Runs `work` with at most `threads` threads, this one included, for every matrix product and activation in it. 0 is
/// taken for 1. Outside of such a call they use all cores. The results are the same bits for any number.
///
/// ```
/// use geartrain::prelude::*;
/// let network = Network::<f32>::new(Linear::new(3, 300), 3)?;
/// let x = ndarray::Array2::ones((500, 3));
/// let one = geartrain::with_threads(1, || network.predict(x.view()))?;
/// assert_eq!(one, geartrain::with_threads(3, || network.predict(x.view()))?);
/// # Ok::<(), Error>(())
/// ```
pub fn with_threads<T>(threads: usize, work: impl FnOnce() -> T) -> T {
    /// Puts the number back, also when `work` panics.
    struct Before(usize);
    impl Drop for Before {
        fn drop(&mut self) {
            THREADS.set(self.0);
        }
    }
    let _before = Before(THREADS.replace(threads.max(1)));
    work()
}

/// How many threads may share the work of this one now.
pub(super) fn threads() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    match THREADS.get() {
        0 => *CORES.get_or_init(|| thread::available_parallelism().map_or(1, usize::from)),
        threads => threads,
    }
}

/// Runs `work` for every part, shared with the workers unless they are busy with a job of another thread.
///
/// # Panics
/// If `work` does in any part, with the same message, after all parts have ended.
pub(super) fn share(parts: usize, work: &(dyn Fn(usize) + Sync)) {
    static POOL: OnceLock<Pool> = OnceLock::new();
    let pool = POOL.get_or_init(Pool::default);
    let mut workers = match pool.workers.try_lock() {
        Ok(workers) => workers,
        Err(TryLockError::Poisoned(workers)) => workers.into_inner(),
        Err(TryLockError::WouldBlock) => return (0..parts).for_each(work),
    };
    let helpers = pool.hire(&mut workers, parts.min(usize::from(u16::MAX)) - 1);
    if helpers == 0 {
        drop(workers);
        return (0..parts).for_each(work);
    }
    let job = Job { work, panic: Mutex::new(None) };
    pool.shared.publish(&job, parts, &workers[..helpers]);
    while pool.shared.run_part(true) {}
    pool.shared.wait(parts);
    drop(workers);
    if let Some(panic) = job.panic.into_inner().unwrap_or_else(|poison| poison.into_inner()) {
        resume_unwind(panic);
    }
}

#[derive(Default)]
struct Pool {
    shared: Arc<Shared>,
    /// Locked by the thread whose job it is.
    workers: Mutex<Vec<Worker>>,
}

struct Worker {
    thread: Thread,
    asleep: Arc<AtomicBool>,
}

impl Pool {
    /// Makes sure that there are `wanted` workers if the system allows; returns how many there are of them. A new thread
    /// takes memory when it first runs, so that is waited for.
    fn hire(&self, workers: &mut Vec<Worker>, wanted: usize) -> usize {
        while workers.len() < wanted {
            let (shared, asleep) = (Arc::clone(&self.shared), Arc::new(AtomicBool::new(false)));
            let flag = Arc::clone(&asleep);
            let started = Arc::new(Barrier::new(2));
            let arrived = Arc::clone(&started);
            let name = "geartrain worker".to_string();
            let serve = move || {
                arrived.wait();
                shared.serve(&flag);
            };
            let Ok(handle) = thread::Builder::new().name(name).spawn(serve) else { break };
            started.wait();
            workers.push(Worker { thread: handle.thread().clone(), asleep });
        }
        workers.len().min(wanted)
    }
}

/// A job on the stack of the thread that waits for it.
struct Job<'a> {
    work: &'a (dyn Fn(usize) + Sync),
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

#[derive(Default)]
struct Shared {
    /// Number of the job (32 bits), the end and the start of the parts that nobody has taken (16 bits each). As the number
    /// is never used again, nobody can take a part of a job that has ended.
    ticket: AtomicU64,
    /// The job of this number. Valid for whoever holds a part that is not done.
    job: AtomicPtr<()>,
    done: AtomicU32,
}

impl Shared {
    fn publish(&self, job: &Job, parts: usize, helpers: &[Worker]) {
        self.job.store(std::ptr::from_ref(job).cast_mut().cast(), Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
        let number = (self.ticket.load(Ordering::Relaxed) >> 32).wrapping_add(1);
        // Sequentially consistent with the sleeping workers: either they see the job, or we see that they sleep.
        self.ticket.store(number << 32 | (parts as u64) << 16, Ordering::SeqCst);
        for worker in helpers {
            if worker.asleep.swap(false, Ordering::SeqCst) {
                worker.thread.unpark();
            }
        }
    }

    fn has_part(ticket: u64) -> bool {
        ticket & 0xffff < ticket >> 16 & 0xffff
    }

    /// Takes the first part or the last, and runs it; `false` if there is none.
    fn run_part(&self, first: bool) -> bool {
        let mut ticket = self.ticket.load(Ordering::Relaxed);
        loop {
            if !Self::has_part(ticket) {
                return false;
            }
            let left = if first { ticket + 1 } else { ticket - (1 << 16) };
            match self.ticket.compare_exchange_weak(ticket, left, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => ticket = now,
            }
        }
        let part = (if first { ticket } else { (ticket >> 16) - 1 } & 0xffff) as usize;
        // SAFETY: `publish` stored the job before the ticket, and its owner waits until this part is done.
        let job = unsafe { &*self.job.load(Ordering::Relaxed).cast_const().cast::<Job>() };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (job.work)(part))) {
            *job.panic.lock().unwrap_or_else(|poison| poison.into_inner()) = Some(panic);
        }
        self.done.fetch_add(1, Ordering::Release);
        true
    }

    /// Waits until all parts are done.
    fn wait(&self, parts: usize) {
        let mut looks = 0_u32;
        while self.done.load(Ordering::Acquire) < parts as u32 {
            looks = looks.saturating_add(1);
            if looks < SPINS { std::hint::spin_loop() } else { thread::yield_now() }
        }
    }

    /// The life of a worker.
    fn serve(&self, asleep: &AtomicBool) {
        // Work within work stays where it is.
        THREADS.set(1);
        let mut looks = 0;
        loop {
            if self.run_part(false) {
                looks = 0;
                continue;
            }
            looks += 1;
            if looks < SPINS {
                std::hint::spin_loop();
            } else if looks < SPINS + YIELDS {
                thread::yield_now();
            } else {
                asleep.store(true, Ordering::SeqCst);
                while asleep.load(Ordering::SeqCst) && !Self::has_part(self.ticket.load(Ordering::SeqCst)) {
                    thread::park();
                }
                asleep.store(false, Ordering::SeqCst);
                looks = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn every_part_runs_once() {
        for parts in [1, 2, 3, 8, 100] {
            for _ in 0..200 {
                let runs: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
                share(parts, &|part| {
                    runs[part].fetch_add(1, Ordering::Relaxed);
                });
                assert!(runs.iter().all(|runs| runs.load(Ordering::Relaxed) == 1), "{runs:?}");
            }
        }
    }

    #[test]
    fn many_callers_at_once_and_jobs_inside_jobs() {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let sum = AtomicUsize::new(0);
                        share(3, &|i| {
                            share(2, &|j| {
                                sum.fetch_add(10 * i + j, Ordering::Relaxed);
                            });
                        });
                        assert_eq!(sum.into_inner(), 2 * 30 + 3);
                    }
                });
            }
        });
    }

    #[test]
    fn fault_90_a_panic_comes_through_and_the_pool_survives() {
        for bad in 0..3 {
            let result = catch_unwind(|| share(3, &|part| assert!(part != bad, "part {part} on purpose")));
            let message = *result.unwrap_err().downcast::<String>().unwrap();
            assert_eq!(message, format!("part {bad} on purpose"));
        }
        every_part_runs_once();
    }

    #[test]
    fn workers_that_slept_wake_up() {
        share(2, &|_| ());
        thread::sleep(std::time::Duration::from_millis(50));
        every_part_runs_once();
    }

    #[test]
    fn the_number_of_threads_is_put_back() {
        let before = threads();
        assert_eq!(with_threads(0, threads), 1);
        assert_eq!(with_threads(3, || with_threads(5, threads) + threads()), 8);
        assert!(catch_unwind(|| with_threads(7, || panic!("on purpose"))).is_err());
        assert_eq!(threads(), before);
    }
}
