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

/// No more threads than this are of use, and two parts for each can be counted in 16 bits.
const MOST: usize = 1 << 14;

thread_local! {
    /// How many threads this one may share its work with, itself included; 0 stands for all cores.
    static THREADS: Cell<usize> = const { Cell::new(0) };
}

/// Runs `work` with at most `threads` threads, this one included, for every matrix product and activation in it. 0 is
/// taken for 1. Outside of such a call they use all cores. The results are the same bits for any number.
///
/// ```
/// use geartrain_kernels::{matmul, with_threads};
/// use ndarray::Array2;
///
/// let (a, b) = (Array2::<f32>::ones((500, 3)), Array2::ones((3, 300)));
/// let product = |threads| {
///     let mut c = Array2::zeros((500, 300));
///     with_threads(threads, || matmul(a.view(), b.view(), c.view_mut()));
///     c
/// };
/// assert_eq!(product(1), product(3));
/// ```
pub fn with_threads<T>(threads: usize, work: impl FnOnce() -> T) -> T {
    /// Puts the number back, also when `work` panics.
    struct Before(usize);
    impl Drop for Before {
        fn drop(&mut self) {
            THREADS.set(self.0);
        }
    }
    let _before = Before(THREADS.replace(threads.clamp(1, MOST)));
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
/// Between cores every line of memory costs a tenth of a microsecond and more. What `work` captures by value arrives
/// together with the job; what it borrows, a worker fetches later.
///
/// # Panics
/// If `work` does in any part, with the same message, after all parts have ended.
pub(super) fn share<W: Fn(usize) + Sync>(parts: usize, work: W) {
    static POOL: OnceLock<Pool> = OnceLock::new();
    let pool = POOL.get_or_init(Pool::default);
    let mut team = match pool.team.try_lock() {
        Ok(team) => team,
        Err(TryLockError::Poisoned(team)) => team.into_inner(),
        Err(TryLockError::WouldBlock) => return (0..parts).for_each(work),
    };
    let helpers = team.hire(&pool.board, parts.min(threads()) - 1);
    if helpers == 0 {
        drop(team);
        return (0..parts).for_each(work);
    }
    let job = Job { run: Job::<W>::run, work };
    // SAFETY: the job stays where it is until `lead` returns.
    unsafe { team.lead(&pool.board, (&raw const job).cast(), parts, helpers) };
    let panic = pool.board.panic.lock().unwrap_or_else(|poison| poison.into_inner()).take();
    drop(team);
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
}

#[derive(Default)]
struct Pool {
    board: Arc<Board>,
    /// Locked by the thread whose job it is.
    team: Mutex<Team>,
}

/// A job on the stack of the thread that waits for it. Whoever knows the place knows how to run it.
#[repr(C, align(64))]
struct Job<W = ()> {
    /// # Safety
    /// To be called with this job.
    run: unsafe fn(*const Job, usize),
    work: W,
}

impl<W: Fn(usize)> Job<W> {
    /// # Safety
    /// `job` must be a `Job<W>`.
    unsafe fn run(job: *const Job, part: usize) {
        // SAFETY: the caller vouches for the type.
        unsafe { ((*job.cast::<Job<W>>()).work)(part) }
    }
}

/// All workers there are.
#[derive(Default)]
struct Team {
    workers: Vec<Worker>,
    /// Parts that workers have run in all jobs so far.
    done: u32,
}

struct Worker {
    thread: Thread,
    state: Arc<State>,
}

/// What a worker tells the others; in a cache line of its own, which it can write to without waiting for it.
#[derive(Default)]
#[repr(align(64))]
struct State {
    asleep: AtomicBool,
    /// Parts that it has run so far.
    done: AtomicU32,
}

impl Team {
    /// Makes sure that there are `wanted` workers if the system allows; returns how many there are of them. A new thread
    /// takes memory when it first runs, so that is waited for.
    fn hire(&mut self, board: &Arc<Board>, wanted: usize) -> usize {
        while self.workers.len() < wanted {
            let (board, state) = (Arc::clone(board), Arc::new(State::default()));
            let own = Arc::clone(&state);
            let started = Arc::new(Barrier::new(2));
            let arrived = Arc::clone(&started);
            let serve = move || {
                arrived.wait();
                board.serve(&own);
            };
            let name = "geartrain worker".to_string();
            let Ok(handle) = thread::Builder::new().name(name).spawn(serve) else { break };
            started.wait();
            self.workers.push(Worker { thread: handle.thread().clone(), state });
        }
        self.workers.len().min(wanted)
    }

    /// Runs the job with the first `helpers` workers, and waits until all parts are done.
    ///
    /// # Safety
    /// `job` must be valid until this returns, for several threads at once.
    unsafe fn lead(&mut self, board: &Board, job: *const Job, parts: usize, helpers: usize) {
        board.publish(job, parts);
        for Worker { thread, state } in &self.workers[..helpers] {
            // One that falls asleep just now may miss this job. That costs time and nothing else.
            if state.asleep.load(Ordering::Relaxed) && state.asleep.swap(false, Ordering::SeqCst) {
                thread.unpark();
            }
        }
        let mut own = 0;
        let mut next = Some(0);
        while let Some(part) = next {
            // SAFETY: a part of this job, whose others nobody else can have offered meanwhile.
            unsafe { board.run(job, part) };
            own += 1;
            next = board.take(true);
        }
        self.done = self.done.wrapping_add((parts - own) as u32);
        let done = |sum: u32, worker: &Worker| sum.wrapping_add(worker.state.done.load(Ordering::Acquire));
        let mut looks = 0_u32;
        while self.workers.iter().fold(0, done) != self.done {
            looks = looks.saturating_add(1);
            if looks < SPINS { std::hint::spin_loop() } else { thread::yield_now() }
        }
    }
}

/// Where workers look for work, in one cache line.
#[derive(Default)]
#[repr(align(64))]
struct Board {
    /// Number of the job (32 bits), the end and the start of the parts that nobody has taken (16 bits each). The number
    /// keeps a thread that was held up from taking a part of a job that has ended.
    ticket: AtomicU64,
    /// The job of this number. Valid for whoever holds a part that is not done.
    job: AtomicPtr<Job>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Board {
    /// Offers all parts but the first.
    fn publish(&self, job: *const Job, parts: usize) {
        self.job.store(job.cast_mut(), Ordering::Relaxed);
        let number = (self.ticket.load(Ordering::Relaxed) >> 32).wrapping_add(1);
        self.ticket.store(number << 32 | (parts as u64) << 16 | 1, Ordering::Release);
    }

    /// Whether there may be a part to take.
    fn offers(&self) -> bool {
        has_part(self.ticket.load(Ordering::SeqCst))
    }

    /// Takes the first part or the last, if there is one.
    fn take(&self, first: bool) -> Option<usize> {
        let mut ticket = self.ticket.load(Ordering::Relaxed);
        while has_part(ticket) {
            let left = if first { ticket + 1 } else { ticket - (1 << 16) };
            match self.ticket.compare_exchange_weak(ticket, left, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some((if first { ticket } else { (ticket >> 16) - 1 } & 0xffff) as usize),
                Err(now) => ticket = now,
            }
        }
        None
    }

    /// Runs a part that was taken, and keeps its panic.
    ///
    /// # Safety
    /// `job` must be the one that has this part.
    unsafe fn run(&self, job: *const Job, part: usize) {
        // SAFETY: whoever published the job waits until this part is done.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| unsafe { ((*job).run)(job, part) })) {
            *self.panic.lock().unwrap_or_else(|poison| poison.into_inner()) = Some(panic);
        }
    }

    /// The life of a worker.
    fn serve(&self, state: &State) {
        // Work within work stays where it is.
        THREADS.set(1);
        let mut looks = 0;
        loop {
            if self.offers() {
                if let Some(part) = self.take(false) {
                    // SAFETY: the job was stored before the part was offered, and stays until the part is done.
                    unsafe { self.run(self.job.load(Ordering::Relaxed), part) };
                    state.done.store(state.done.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
                }
                looks = 0;
                continue;
            }
            looks += 1;
            if looks < SPINS {
                std::hint::spin_loop();
            } else if looks < SPINS + YIELDS {
                thread::yield_now();
            } else {
                state.asleep.store(true, Ordering::SeqCst);
                while state.asleep.load(Ordering::SeqCst) && !self.offers() {
                    thread::park();
                }
                state.asleep.store(false, Ordering::SeqCst);
                looks = 0;
            }
        }
    }
}

fn has_part(ticket: u64) -> bool {
    ticket & 0xffff < ticket >> 16 & 0xffff
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
                share(parts, |part| {
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
                        share(3, |i| {
                            share(2, |j| {
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
            let result = catch_unwind(|| share(3, |part| assert!(part != bad, "part {part} on purpose")));
            let message = *result.unwrap_err().downcast::<String>().unwrap();
            assert_eq!(message, format!("part {bad} on purpose"));
        }
        every_part_runs_once();
    }

    #[test]
    fn workers_that_slept_wake_up() {
        share(2, |_| ());
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
